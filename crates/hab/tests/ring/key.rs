//! The ring key.

use std::{fs, path::PathBuf};

use super::{first, health_of, installed, joining, metric, root, wait_converged};

/// Makes a ring key in the root and returns the content of its file.
pub(crate) fn make_key(root: &testkit::Root, name: &str) -> String {
    let output = std::process::Command::new(root.program())
        .args(["ring", "key", "generate", name])
        .env_clear()
        .env("FS_ROOT", root.path())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(key_file(root)).expect("a key")
}

/// The only file in the key cache.
pub(crate) fn key_file(root: &testkit::Root) -> PathBuf {
    let entry = fs::read_dir(root.join("hab/cache/keys")).expect("keys").next();
    entry.expect("a key").expect("a key").path()
}

#[test]
fn members_with_the_same_key_join_by_name_and_by_text() {
    let (root_a, root_b) = (installed(), installed());
    let key = make_key(&root_a, "prod");
    let a = first(&root_a, &["acme/db", "--ring", "prod"]);
    let b = joining(&root_b, &a, &["--ring-key", &key]);
    wait_converged(&[&a, &b]);
    let id = a.member_id();
    b.wait_json("/census", |c| super::census_member(c, "db.default", &id)["alive"] == true);
    assert_eq!(a.log().matches("Dropped a message").count(), 0, "{}", a.log());
}

#[test]
fn members_with_another_key_or_none_stay_out_and_are_named_once_in_the_log() {
    let (root_a, root_b, root_c) = (root(), root(), root());
    let (key, other) = (make_key(&root_a, "prod"), make_key(&root_b, "prod"));
    assert_ne!(key, other);
    let a = first(&root_a, &["--ring", "prod"]);
    let b = joining(&root_b, &a, &["--ring", "prod"]);
    let c = joining(&root_c, &a, &[]);

    let undecryptable = "hab_butterfly_dropped_total{reason=\"undecryptable\"}";
    let plain = "hab_butterfly_dropped_total{reason=\"missing-nonce\"}";
    testkit::wait_for("three drops of each kind", || {
        (metric(&a, undecryptable) >= 3.0 && metric(&a, plain) >= 3.0).then_some(())
    });
    let log = a.log();
    for stranger in [&b, &c] {
        let line = format!("Dropped a message of the ring from {}:", stranger.gossip.ip());
        assert_eq!(log.matches(&line).count(), 1, "{log}");
        assert_eq!(health_of(&a, &stranger.member_id()), "");
        assert_eq!(health_of(stranger, &a.member_id()), "");
    }
}
