//! Plain directories as releases, seen from outside.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use roost_pkg::{
    Package,
    install::{list, resolve},
    package::RunSource,
    stage::{StageOptions, Staged, stage_directory, survey},
};

use crate::support::{Root, ident, write};

/// 2024-01-02 03:04:05 UTC.
const TIME_S: u64 = 1_704_164_645;

fn touch(path: &Path, time_s: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time_s);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Writes a file with the time `TIME_S`.
fn put(dir: &Path, name: &str, content: &str) {
    write(&dir.join(name), content);
    touch(&dir.join(name), TIME_S);
}

fn service(root: &Root, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let dir = root.beside(name);
    for (name, content) in files {
        put(&dir, name, content);
    }
    dir
}

fn stage(root: &Root, dir: &Path) -> Staged {
    stage_directory(&root.fs, dir, &StageOptions::default()).unwrap()
}

fn refusal(root: &Root, dir: &Path) -> String {
    let error = stage_directory(&root.fs, dir, &StageOptions::default()).unwrap_err().to_string();
    assert!(list(&root.fs).is_empty(), "nothing was staged");
    error.replace(&format!("{}/", fs::canonicalize(dir).unwrap().display()), "")
}

const RUN: (&str, &str) = ("hooks/run", "#!/bin/sh\nexec sleep 1000\n");

#[test]
fn a_directory_with_a_run_hook_is_a_service() {
    let root = Root::new();
    let dir = service(&root, "my-app", &[RUN, ("config/a/b.conf", "x"), ("default.toml", "p = 1")]);
    let staged = stage(&root, &dir);
    assert_eq!(staged.ident, ident("local/my-app/0.1.0/20240102030405"));
    assert!(staged.changed && staged.warnings.is_empty());
    assert_eq!(resolve(&root.fs, &ident("local/my-app")).unwrap().ident, staged.ident);
    let package = Package::load(&root.fs, staged.ident.clone()).unwrap();
    assert_eq!(package.run, RunSource::Hook);
    assert!(package.svc_user.is_none());
    assert_eq!(fs::read_to_string(package.path.join("config/a/b.conf")).unwrap(), "x");
    let written = fs::read_to_string(package.path.join("IDENT")).unwrap();
    assert_eq!(written, format!("{}\n", staged.ident));
    let others: Vec<_> = fs::read_dir(package.path.parent().unwrap()).unwrap().collect();
    assert_eq!(others.len(), 1, "no temporary directory");
}

#[test]
fn unchanged_content_keeps_its_release_and_changed_content_gets_a_later_one() {
    let root = Root::new();
    let dir = service(&root, "app", &[RUN, ("config/a", "1")]);
    let first = stage(&root, &dir);
    touch(&dir.join("config/a"), TIME_S + 100);
    let again = stage(&root, &dir);
    assert_eq!((again.ident, again.changed), (first.ident, false));

    let mut releases = Vec::new();
    put(&dir, "config/a", "2");
    releases.push(stage(&root, &dir).ident.to_string());
    put(&dir, "config/a", "3");
    touch(&dir.join("config/a"), TIME_S - 999);
    releases.push(stage(&root, &dir).ident.to_string());
    fs::remove_file(dir.join("config/a")).unwrap();
    releases.push(stage(&root, &dir).ident.to_string());
    put(&dir, "config/a", "2");
    touch(&dir.join("config/a"), TIME_S + 60);
    releases.push(stage(&root, &dir).ident.to_string());
    let expected = ["20240102030406", "20240102030407", "20240102030408", "20240102030505"]
        .map(|release| format!("local/app/0.1.0/{release}"));
    assert_eq!(releases, expected);
    let newest = resolve(&root.fs, &ident("local/app")).unwrap();
    assert_eq!(newest.ident.to_string(), expected[3]);
}

#[test]
fn old_releases_go_but_for_the_newest_few_and_those_in_use() {
    let root = Root::new();
    let installed = root.install("local/app/0.0.1/20200101000000", &[]);
    let dir = service(&root, "app", &[RUN, ("config/a", "0")]);
    let mut options = StageOptions { keep: vec![stage(&root, &dir).ident], ..Default::default() };
    options.keep.push(ident("local/other/1/1"));
    let mut staged = options.keep[..1].to_vec();
    for number in 1..=5 {
        put(&dir, "config/a", &number.to_string());
        staged.push(stage_directory(&root.fs, &dir, &options).unwrap().ident);
    }
    let found: Vec<_> = list(&root.fs).into_iter().map(|found| found.ident).collect();
    let expected = [&[installed], &staged[..1], &staged[3..]].concat();
    assert_eq!(found, expected);
}

#[test]
fn roost_toml_sets_everything() {
    let root = Root::new();
    let facts = "name = \"shop\"\norigin = \"acme\"\nversion = \"2.1\"\nuser = \"root\"\n\
                 exposes = [\"http\", 9090]\nshutdown_signal = \"INT\"\nshutdown_timeout = 3\n\
                 [exports]\nhttp = \"web.port\"\n[binds]\ndb = [\"port\", \"host\"]\n\
                 [binds_optional]\ncache = []\n\
                 [environment]\nLANG = \"C\"\nPATH = \"/opt/x/bin\"\n";
    let dir = service(
        &root,
        "odd name!",
        &[RUN, ("roost.toml", facts), ("default.toml", "[web]\nport = 8080\n")],
    );
    let staged = stage(&root, &dir);
    assert_eq!(staged.ident, ident("acme/shop/2.1/20240102030405"));
    let package = Package::load(&root.fs, staged.ident).unwrap();
    assert_eq!(package.svc_user.as_deref(), Some("root"));
    assert_eq!(package.svc_group.as_deref(), Some("root"), "the user's own group");
    assert_eq!(package.exposes, ["8080", "9090"]);
    assert_eq!(package.exports["http"], "web.port");
    assert_eq!(package.binds[0].name, "db");
    assert_eq!(package.binds[0].exports, ["port", "host"]);
    assert!(package.binds_optional[0].exports.is_empty());
    assert_eq!(package.shutdown_signal.as_str(), "INT");
    assert_eq!(package.shutdown_timeout_s, 3);
    assert_eq!(package.environment["LANG"], "C");
    assert_eq!(package.environment["PATH"], "/opt/x/bin");
}

#[test]
fn a_plan_is_read_and_its_directory_is_the_context() {
    let root = Root::new();
    let plan = "pkg_name=redis\npkg_origin=core\npkg_version=\"4.0\"\npkg_deps=(core/glibc)\n\
                pkg_exports=(\n  [port]=port\n)\npkg_exposes=(port)\n\
                pkg_binds=([db]=\"port\")\npkg_svc_user=root\npkg_shutdown_timeout_sec=5\n\
                pkg_svc_run=\"${pkg_name}-server ${pkg_svc_config_path}/r.conf\"\n\
                do_build() {\n  return 0\n}\n";
    let dir = service(
        &root,
        "src",
        &[
            ("habitat/plan.sh", plan),
            ("habitat/default.toml", "port = 6379"),
            ("habitat/hooks/health-check.sh", "#!/bin/sh\n"),
            ("hooks/init", "not this one"),
        ],
    );
    let options = StageOptions { origin_env: Some("mine".into()), ..StageOptions::default() };
    let staged = stage_directory(&root.fs, &dir, &options).unwrap();
    assert_eq!(staged.ident, ident("core/redis/4.0/20240102030405"));
    assert!(staged.warnings[0].contains("plan.sh: pkg_deps has no effect here"));
    let package = Package::load(&root.fs, staged.ident).unwrap();
    assert_eq!((package.run, package.exposes.as_slice()), (RunSource::File, &["6379".into()][..]));
    assert_eq!(package.shutdown_timeout_s, 5);
    let svc = root.fs.svc("redis");
    let run = fs::read_to_string(package.path.join("run")).unwrap();
    let command = format!("exec redis-server {}/r.conf 2>&1\n", svc.config().display());
    assert!(run.starts_with("#!/bin/sh\n") && run.ends_with(&command), "{run}");
    assert!(package.path.join("hooks/health-check").is_file());
    assert!(!package.path.join("hooks/init").exists());
}

#[test]
fn the_origin_comes_from_the_environment_when_nothing_else_sets_it() {
    let root = Root::new();
    let dir = service(&root, "app", &[RUN]);
    for (origin, expected) in [(None, "local"), (Some(""), "local"), (Some("acme"), "acme")] {
        let options =
            StageOptions { origin_env: origin.map(Into::into), ..StageOptions::default() };
        let staged = stage_directory(&root.fs, &dir, &options).unwrap();
        assert_eq!(staged.ident.origin, expected);
    }
}

#[test]
fn roost_toml_sets_what_the_plan_cannot() {
    let root = Root::new();
    let plan = "pkg_name=$(x)\npkg_version=$(git describe)\npkg_svc_user=`y`\npkg_exposes=(p)\n";
    let dir = service(&root, "app", &[RUN, ("plan.sh", plan)]);
    let error = refusal(&root, &dir);
    let lines: Vec<_> = error.lines().collect();
    assert!(lines[0].starts_with("plan.sh:1: the value of pkg_name is not known"), "{error}");
    assert!(lines[1].starts_with("plan.sh:3: the value of pkg_svc_user is not known"), "{error}");
    assert_eq!(lines.len(), 2);
    put(&dir, "roost.toml", "name = \"app\"\nuser = \"root\"\nexports = {p = \"p\"}\n");
    put(&dir, "default.toml", "p = '6379'\n");
    let staged = stage(&root, &dir);
    assert_eq!(staged.ident.version.as_deref(), Some("0.1.0"));
    let [warning] = staged.warnings.as_slice() else { panic!("{:?}", staged.warnings) };
    assert!(warning.contains("plan.sh:2: pkg_version is computed by the plan"), "{warning}");
    let package = Package::load(&root.fs, staged.ident).unwrap();
    assert_eq!(package.exposes, ["6379"], "ports may be text");
    put(&dir, "roost.toml", "version = \"3\"\nname = \"app\"\nuser = \"root\"\nexposes = []\n");
    let staged = stage(&root, &dir);
    assert_eq!(staged.ident.version.as_deref(), Some("3"));
    assert_eq!(staged.warnings, [""; 0]);
}

#[test]
fn a_word_may_be_the_first_element_of_an_array_and_the_reverse() {
    let root = Root::new();
    let plan = "pkg_svc_user=(root)\npkg_exports=([port]=port)\npkg_exposes=port\n";
    let dir = service(&root, "app", &[RUN, ("plan.sh", plan), ("default.toml", "port = 80")]);
    let package = Package::load(&root.fs, stage(&root, &dir).ident).unwrap();
    assert_eq!(package.svc_user.as_deref(), Some("root"));
    assert_eq!(package.exposes, ["80"]);
}

#[test]
fn a_service_is_named_after_the_link_that_it_was_named_by() {
    let root = Root::new();
    let one = service(&root, "releases/101", &[RUN, ("config/a", "1")]);
    service(&root, "releases/102", &[RUN, ("config/a", "2")]);
    let link = one.parent().unwrap().with_file_name("current");
    symlink("releases/101", &link).unwrap();
    let survey = || survey(&root.fs, &link, &StageOptions::default());
    let (first, before) = (stage(&root, &link), survey());
    assert_eq!(first.ident.name, "current");
    assert!(before.directories.contains(link.parent().unwrap()), "where the link is switched");
    assert_eq!(survey(), before);
    fs::remove_file(&link).unwrap();
    symlink("releases/102", &link).unwrap();
    assert_ne!(survey().fingerprint, before.fingerprint);
    let second = stage(&root, &link);
    assert!(second.changed && second.ident.name == "current");
    let inside = stage(&root, &link.join("hooks/.."));
    assert_eq!(inside.ident.name, "102", "'..' is not a valid name");
}

#[test]
fn what_cannot_be_staged_is_refused_with_place_and_remedy() {
    for (files, text) in [
        (&[("plan.sh", ""), ("habitat/plan.sh", "")][..], "two plans; remove one"),
        (&[("hooks/run", ""), ("hooks/run.sh", "")], "both are the hook run; remove one"),
        (&[("hooks/run", "#!/bin/sh\nx\r\n")], "hooks/run:2: ends in CR LF"),
        (&[RUN, ("roost.toml", "\nports = 1")], "roost.toml:2: unknown field `ports`"),
        (&[RUN, ("roost.toml", "version = 1")], "roost.toml:1: invalid type: integer `1`"),
        (&[RUN, ("roost.toml", "version = \"a b\"")], "the version 'a b' is empty, too long or"),
        (&[RUN, ("roost.toml", "name = \"..\"")], "the name '..' may only hold"),
        (&[RUN, ("roost.toml", "exposes = [true]")], "write a port (8080) or the name of an"),
        (&[RUN, ("roost.toml", "exposes = [\"x\"]")], "No pkg_export found matching key: x"),
        (&[RUN, ("roost.toml", "exposes = [0]")], "0 is not a port from 1 to 65535"),
        (&[RUN, ("roost.toml", "group = \"x\"")], "the group 'x' needs a user"),
        (&[RUN, ("roost.toml", "environment = {A = \"b\\nC=d\"}")], "variable 'A' cannot be"),
        (&[RUN, ("roost.toml", "shutdown_signal = \"SIGHUP\"")], "unknown variant `SIGHUP`"),
        (&[RUN, ("default.toml", "a = 1\nb =\n")], "default.toml:2: "),
        (&[RUN, ("plan.sh", "pkg_shutdown_signal=x")], "plan.sh:1: Failed to parse 'x' as a sig"),
        (
            &[RUN, ("plan.sh", "\npkg_exports=(a)")],
            "plan.sh:2: the value of pkg_exports is not known",
        ),
    ] {
        let root = Root::new();
        let dir = service(&root, "app", files);
        let error = refusal(&root, &dir);
        assert!(error.contains(text), "{error}");
    }
    let root = Root::new();
    let dir = root.beside("app");
    write(&dir.join("config/a"), b"\xff");
    write(&dir.join("hooks/run"), "");
    assert_eq!(refusal(&root, &dir), "config/a:1: is not UTF-8; save it as UTF-8");
}

#[test]
fn the_error_for_a_directory_without_a_service_describes_one() {
    let root = Root::new();
    let dir = service(&root, "photos", &[("cat.txt", "")]);
    let error = refusal(&root, &dir);
    assert!(error.contains("photos: is not a service directory: it has no hooks/run."), "{error}");
    assert!(error.contains("starts the program in the foreground"), "{error}");
    assert!(stage_directory(&root.fs, &dir.join("none"), &StageOptions::default()).is_err());
    assert!(stage_directory(&root.fs, &dir.join("cat.txt"), &StageOptions::default()).is_err());
}

#[test]
fn files_that_are_not_hooks_or_templates_are_left_out() {
    let root = Root::new();
    let dir = service(
        &root,
        "app",
        &[
            RUN,
            ("hooks/run~", "x"),
            ("hooks/run.bak", "x"),
            ("hooks/.run.swp", "x"),
            ("hooks/health_check", "x"),
            ("config/a.swo", "x"),
            ("config/b~", "x"),
            ("config/.keep", "x"),
            ("README.md~", "x"),
        ],
    );
    symlink("/etc/hostname", dir.join("config/link")).unwrap();
    put(&dir, "elsewhere", "linked");
    symlink("../elsewhere", dir.join("hooks/init")).unwrap();
    let staged = stage(&root, &dir);
    assert_eq!(staged.warnings.len(), 1, "{:?}", staged.warnings);
    assert!(staged.warnings[0].contains("hooks/health_check: is not a hook, left out; hooks are"));
    let path = root.fs.pkg_path(&staged.ident);
    let names = |dir: &str| {
        let entries = fs::read_dir(path.join(dir)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("hooks"), ["init", "run"]);
    assert_eq!(names("config"), [".keep"]);
    assert_eq!(fs::read_to_string(path.join("hooks/init")).unwrap(), "linked");
    assert!(!path.join("README.md~").exists());
}

#[test]
fn unreadable_files_stay_unreadable_for_others() {
    let root = Root::new();
    let dir = service(&root, "app", &[RUN, ("config/secret", "x"), ("config/open", "x")]);
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(dir.join("config/secret"), private).unwrap();
    let path = root.fs.pkg_path(&stage(&root, &dir).ident);
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("config/secret"), mode("config/open")), (0o600, 0o644));
    assert_eq!((mode("hooks/run"), mode("config")), (0o755, 0o755));
}

#[test]
fn an_incomplete_release_of_a_dead_process_is_removed() {
    let root = Root::new();
    let dir = service(&root, "app", &[RUN]);
    let parent = root.fs.pkgs().join("local/app/0.1.0");
    // No process has this id: it is above the largest one.
    let dead = parent.join(".hab-pkg-install-roost-4194999-0");
    let ours = parent.join(format!(".hab-pkg-install-roost-{}-999", std::process::id()));
    let foreign = parent.join(".hab-pkg-install-abc");
    for path in [&dead, &ours, &foreign] {
        write(&path.join("TARGET"), "x86_64-linux");
    }
    stage(&root, &dir);
    assert!(!dead.exists() && ours.exists() && foreign.exists());
}

#[test]
fn a_release_that_sorts_after_every_time_is_reported() {
    let root = Root::new();
    root.install("local/app/0.1.0/zzz", &[]);
    let dir = service(&root, "app", &[RUN]);
    let error = stage_directory(&root.fs, &dir, &StageOptions::default()).unwrap_err();
    assert!(error.to_string().contains("0.1.0/zzz: is newer than anything"), "{error}");
}

#[test]
fn stagings_at_the_same_time_agree() {
    let root = Root::new();
    let dir = service(&root, "app", &[RUN]);
    let idents: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| stage(&root, &dir).ident)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(idents.iter().all(|ident| *ident == idents[0]), "{idents:?}");
    assert_eq!(list(&root.fs).len(), 1);
}

#[test]
fn the_watched_places_are_the_staged_ones() {
    let root = Root::new();
    let files = [("habitat/plan.sh", ""), ("habitat/hooks/run", ""), ("habitat/config/a/b", "")];
    let dir = service(&root, "app", &files);
    fs::create_dir(dir.join("habitat/config/empty")).unwrap();
    let found = survey(&root.fs, &dir, &StageOptions::default()).directories;
    let expected = [
        "..",
        "",
        "habitat",
        "habitat/config",
        "habitat/config/a",
        "habitat/config/empty",
        "habitat/hooks",
    ];
    let expected = expected.map(|path| match path {
        ".." => dir.parent().unwrap().to_owned(),
        "" => dir.clone(),
        path => dir.join(path),
    });
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_examples_are_service_directories() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for (name, exposes, user) in [
        ("hello", None, None),
        ("redis", Some("6379"), None),
        ("nginx", Some("8080"), Some("www-data")),
        ("postgresql", Some("5432"), Some("postgres")),
    ] {
        let root = Root::new();
        let staged = stage(&root, &examples.join(name));
        assert_eq!(staged.warnings, [""; 0], "{name}");
        let package = Package::load(&root.fs, staged.ident).unwrap();
        assert_eq!(package.exposes.first().map(String::as_str), exposes, "{name}");
        assert_eq!(package.svc_user.as_deref(), user, "{name}");
        for hook in ["run", "reconfigure"] {
            assert!(package.path.join("hooks").join(hook).is_file(), "{name}: {hook}");
        }
        let checks = ["hooks/health-check", "monitor.toml"];
        assert!(checks.iter().any(|file| package.path.join(file).is_file()), "{name}");
    }
}
