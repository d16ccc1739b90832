//! Configurations and files: which are read, when, and by whom.

use roost_census::{Census, Closed, Update};
use roost_ident::MemberHealth;

use crate::{
    ring::Content,
    support::{NEWS, content, encrypted, group, trio, web},
};

#[test]
fn configs_are_taken_by_incarnation_and_kept_when_the_next_one_is_unreadable() {
    let (mut ring, mut census) = trio();
    let mut apply = |config: Content| {
        ring.configs = vec![config];
        let update = ring.update(&mut census);
        let web = web(&census);
        let taken = web.service_config.as_ref();
        (taken.map(|c| (c.incarnation, c.value.table()["a"].as_integer())), update.warnings)
    };
    let config = |incarnation, text| content("web.default", "", incarnation, text);
    assert_eq!(apply(config(0, "a = 0")), (Some((0, Some(0))), vec![]), "the first may have 0");
    assert_eq!(apply(config(5, "a = 1")), (Some((5, Some(1))), vec![]));
    for incarnation in [4, 5] {
        assert_eq!(apply(config(incarnation, "a = 2")), (Some((5, Some(1))), vec![]));
    }
    let warning = "Configuration 6 of service group 'web.default' is ignored: invalid TOML, \
                   line 2: key with no value, expected `=`";
    let bad = || config(6, "a = 3\nsecret\n");
    assert_eq!(apply(bad()), (Some((5, Some(1))), vec![warning.into()]));
    assert_eq!(apply(bad()), (Some((5, Some(1))), vec![]), "a warning is given once");
    let warning = "Configuration 7 of service group 'web.default' is ignored: Key not found";
    assert_eq!(apply(encrypted(config(7, "x"))), (Some((5, Some(1))), vec![warning.into()]));
    assert_eq!(apply(encrypted(config(7, "4 = a"))), (Some((7, Some(4))), vec![]), "a key came");
}

#[test]
fn files_are_taken_by_incarnation_and_named_when_they_change() {
    let (mut ring, mut census) = trio();
    let file = |name, incarnation, text| content("web.default", name, incarnation, text);
    ring.files = vec![
        file("never", 0, "text"),
        file("z", 1, "one"),
        encrypted(file("b", 1, "owt")),
        encrypted(file("closed", 1, "x")),
    ];
    let warning = "File 'closed' 1 of service group 'web.default' is ignored: Key not found";
    assert_eq!(ring.update(&mut census), Update { changed: true, warnings: vec![warning.into()] });
    assert_eq!(web(&census).changed_service_files, ["b", "z"]);
    assert_eq!(web(&census).service_files.keys().collect::<Vec<_>>(), ["b", "z"]);
    assert_eq!(&*web(&census).service_files["b"].body, b"two");
    ring.files[1] = file("z", 2, "three");
    assert_eq!(ring.update(&mut census), NEWS);
    assert_eq!(web(&census).changed_service_files, ["z"]);
}

/// A configuration that grows many times when parsed.
fn bomb() -> String {
    format!("a = [{}]", "1,".repeat(200_000))
}

#[test]
fn a_configuration_with_too_many_values_is_refused_and_reported_once() {
    let (mut ring, mut census) = trio();
    ring.configs = vec![content("web.default", "", 1, &bomb())];
    let update = ring.update(&mut census);
    assert!(update.warnings[0].contains("the limit is 32768"), "{:?}", update.warnings);
    assert_eq!(web(&census).service_config, None);
    ring.members[1].3 = MemberHealth::Confirmed;
    assert_eq!(ring.update(&mut census).warnings, Vec::<String>::new());
}

#[test]
fn plain_contents_are_not_retried_and_boxes_only_with_new_keys() {
    let (mut ring, mut census) = trio();
    ring.configs = vec![encrypted(content("web.default", "", 1, "x"))];
    ring.files = vec![encrypted(content("web.default", "f", 1, "x"))];
    let tried = |census: &mut Census, keys_changed| {
        let mut count = 0;
        let input = roost_census::Input { keys_changed, ..ring.input() };
        census.update(&input, &mut |_| {
            count += 1;
            Err(Closed::Refused("no key".into()))
        });
        count
    };
    assert_eq!([false, false, true].map(|news| tried(&mut census, news)), [2, 0, 2]);
    assert_eq!(census.locked().count(), 1);
}

/// The caller decrypts them in its own time, including a former failure that a new key may resolve.
#[test]
fn boxes_that_are_opened_beside_are_taken_by_the_next_update() {
    let (mut ring, mut census) = trio();
    ring.configs = vec![encrypted(content("web.default", "", 1, "1 = a"))];
    ring.files = vec![encrypted(content("web.default", "f", 1, "x"))];
    let update = |census: &mut Census, keys_changed, answer: Result<Vec<u8>, Closed>| {
        let input = roost_census::Input { keys_changed, ..ring.input() };
        census.update(&input, &mut |_| answer.clone())
    };
    let refused = || Err(Closed::Refused("no key".into()));
    assert_eq!(update(&mut census, false, refused()).warnings.len(), 2);
    assert_eq!(census.waiting().count(), 0);
    assert!(update(&mut census, true, Err(Closed::Later)).warnings.is_empty());
    assert_eq!(census.waiting().count(), 1);
    assert!(update(&mut census, false, refused()).warnings.is_empty(), "known");
    assert_eq!(census.waiting().count(), 0);
    update(&mut census, true, Err(Closed::Later));
    update(&mut census, false, Ok(b"a = 1".to_vec()));
    assert_eq!(census.waiting().count(), 0);
    let web = web(&census);
    assert_eq!(web.service_config.as_ref().map(|it| it.incarnation), Some(1));
    assert_eq!(web.service_files["f"].body.as_ref(), b"a = 1");
}

#[test]
fn only_visible_groups_are_read() {
    let (mut ring, mut census) = trio();
    assert!(!census.look_at([]));
    ring.configs = vec![content("web.default", "", 3, "a = = 1")];
    ring.files = vec![encrypted(content("web.default", "f", 1, "x"))];
    assert_eq!(ring.update(&mut census), NEWS, "not visible");
    let taken = |census: &Census| web(census).service_config.as_ref().map(|it| it.incarnation);
    assert_eq!(taken(&census), Some(3));
    let group = group("web.default");
    assert!(census.look_at([&group]));
    assert_eq!(census.newly_visible().collect::<Vec<_>>(), [&group]);
    let update = ring.update(&mut census);
    assert_eq!((update.warnings.len(), taken(&census)), (2, None), "{:?}", update.warnings);
    assert!(!census.look_at([&group]), "already reported");
}

/// Reads the unread contents of `web.default`, like a separate thread; returns how many.
fn read(census: &Census) -> usize {
    let group = group("web.default");
    let unread = census.unread([&group]);
    unread.iter().for_each(|content| content.read());
    assert_eq!(census.unread([&group]).len(), 0);
    unread.len()
}

#[test]
fn a_census_with_read_beside_parses_nothing_itself() {
    let (mut ring, census) = trio();
    let mut census = census.read_beside();
    let web_default = group("web.default");
    census.look_at([&web_default]);
    ring.configs = vec![content("web.default", "", 1, "a = 1")];
    // Parsing within an update or a query fails an assertion of the content.
    assert!(ring.update(&mut census).changed);
    let taken = |census: &Census| web(census).service_config.as_ref().map(|it| it.incarnation);
    assert_eq!((taken(&census), census.unread([&web_default]).len()), (None, 4));
    assert_eq!(census.waiting().collect::<Vec<_>>(), [&web_default]);
    assert_eq!(read(&census), 4);
    assert!(ring.update(&mut census).changed, "now it is applied");
    assert_eq!((taken(&census), census.waiting().count()), (Some(1), 0));
    assert_eq!(census.svc_value(&web_default).expect("it is read")["me"]["cfg"]["port"], 80);

    // An invalid one leaves the former value, and is read and reported once.
    ring.configs = vec![content("web.default", "", 2, "a = = 1")];
    assert_eq!(ring.update(&mut census).warnings, Vec::<String>::new());
    assert_eq!((taken(&census), read(&census)), (Some(1), 1));
    assert_eq!(ring.update(&mut census).warnings.len(), 1);
    assert_eq!(ring.update(&mut census), Update::default());
    assert_eq!((taken(&census), census.waiting().count()), (Some(1), 0));

    // A waiting one is replaced by a newer one.
    ring.configs = vec![content("web.default", "", 3, "a = 3")];
    ring.update(&mut census);
    ring.configs = vec![content("web.default", "", 4, "a = 4")];
    ring.update(&mut census);
    assert_eq!((taken(&census), read(&census)), (Some(1), 1));
    ring.update(&mut census);
    assert_eq!(taken(&census), Some(4));
}

#[test]
fn a_config_accepted_unread_is_read_beside_when_its_group_becomes_visible() {
    let (mut ring, census) = trio();
    let mut census = census.read_beside();
    census.look_at([]);
    ring.configs = vec![content("web.default", "", 1, "a = = 1")];
    ring.update(&mut census);
    assert_eq!(census.waiting().count(), 0, "no service can see it");
    let web_default = group("web.default");
    census.look_at([&web_default]);
    assert_eq!(ring.update(&mut census).warnings, Vec::<String>::new());
    assert_eq!(read(&census), 4);
    assert_eq!(census.waiting().count(), 1);
    assert_eq!(ring.update(&mut census).warnings.len(), 1);
    assert!(web(&census).service_config.is_none());
    assert_eq!(census.waiting().count(), 0);
}

#[test]
fn a_file_with_an_invalid_name_is_refused_and_reported_without_control_characters() {
    let (mut ring, mut census) = trio();
    let file = |name| content("web.default", name, 1, "x");
    ring.files = ["a\nhab-sup(MR): b", "../x", "..", "good.txt"].map(file).to_vec();
    let update = ring.update(&mut census);
    assert_eq!(web(&census).service_files.keys().collect::<Vec<_>>(), ["good.txt"]);
    assert_eq!(update.warnings.len(), 3);
    assert!(update.warnings.iter().all(|line| !line.contains('\n')), "{:?}", update.warnings);
}
