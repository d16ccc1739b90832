//! Installed packages, seen from outside.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
};

use roost_ident::Hook;
use roost_pkg::{
    Package,
    env::{DEFAULT_PATH, hook_environment, interpreter_ident, interpreter_path},
    install::{list, resolve},
    metafile::PackageType,
    package::{RunSource, install_hook_status, write_install_hook_status},
    sources, user,
};

use crate::support::{Root, ident, write};

fn load_error(files: &[(&str, &str)]) -> String {
    let root = Root::new();
    let ident = root.install("o/n/1/1", files);
    let error = Package::load(&root.fs, ident).expect_err("malformed").to_string();
    let dir = root.fs.pkg_path(&crate::support::ident("o/n/1/1"));
    error.replace(&format!("{}/", dir.display()), "")
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_recorded_package_has_the_recorded_facts() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/standalone-full.json")).unwrap();
    let root = Root::new();
    for package in fixture["packages"].as_array().unwrap() {
        let dir = root.fs.pkg_path(&ident(package["ident"].as_str().unwrap()));
        for (name, content) in package["files"].as_object().unwrap() {
            write(&dir.join(name), content.as_str().unwrap());
        }
    }
    let found = resolve(&root.fs, &ident("example/full")).unwrap();
    let package = Package::load(&root.fs, found.ident).unwrap();
    let interpreter = interpreter_ident(None).unwrap();
    let interpreter = interpreter_path(&root.fs, &interpreter).unwrap();
    let path = Some("/usr/sbin:/usr/bin:/sbin:/bin");
    let svc = root.fs.svc(&package.ident.name);
    let users = user::names(&package).unwrap();
    let ours = serde_json::json!({
        "ident": package.ident.to_string(),
        "origin": package.ident.origin, "name": package.ident.name,
        "version": package.ident.version, "release": package.ident.release,
        "deps": package.tdeps,
        "dependencies": package.tdeps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "env": hook_environment(&package, &interpreter, path, false),
        "exposes": package.exposes, "exports": package.exports, "path": package.path,
        "svc_path": svc.root, "svc_config_path": svc.config(),
        "svc_config_install_path": svc.config_install(), "svc_data_path": svc.data(),
        "svc_files_path": svc.files(), "svc_static_path": svc.static_(),
        "svc_var_path": svc.var(), "svc_pid_file": svc.pid_file(), "svc_run": svc.run(),
        "svc_user": users.user, "svc_group": users.group,
        "shutdown_signal": package.shutdown_signal, "shutdown_timeout": package.shutdown_timeout_s,
    });
    let recorded =
        fixture["pkg"].to_string().replace("${FS_ROOT}", &root.fs.path().to_string_lossy());
    let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    assert_eq!(ours, recorded);
    let binds: Vec<_> = package
        .all_binds()
        .map(|bind| serde_json::json!({"service": bind.name, "exports": bind.exports}))
        .collect();
    assert_eq!(serde_json::Value::from(binds), fixture["all_pkg_binds"]);

    let hooks: Vec<_> = sources::hooks(&package.path).unwrap().into_iter().map(|h| h.0).collect();
    assert_eq!(hooks, Hook::ALL, "`reload` is not a hook");
    let config = sources::config_tree(&package.path.join("config")).unwrap();
    let names: Vec<_> = config.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["app.conf", "sub/deep.conf"]);
}

#[test]
fn only_releases_for_this_platform_count() {
    let root = Root::new();
    root.install("o/n/1/1", &[]);
    for (release, target) in
        [("2", "aarch64-linux"), ("3", "riscv"), (".hab-pkg-install-x", "x86_64-linux")]
    {
        write(&root.fs.pkgs().join("o/n/1").join(release).join("TARGET"), target);
    }
    fs::create_dir_all(root.fs.pkgs().join("o/n/1/no-target")).unwrap();
    write(&root.fs.pkgs().join("o/n/1/not-text/TARGET"), b"\xff");
    write(&root.fs.pkgs().join("o/n/1/file"), "x86_64-linux");
    write(&root.fs.pkgs().join(OsStr::from_bytes(b"o\xff/n/1/1/TARGET")), "x86_64-linux");
    let found: Vec<_> = list(&root.fs).into_iter().map(|found| found.ident).collect();
    assert_eq!(found, [ident("o/n/1/1")]);
    let staging = ident("o/n/1/.hab-pkg-install-x");
    assert!(resolve(&root.fs, &staging).is_err());
}

#[test]
fn links_to_directories_are_followed_but_never_round_in_circles() {
    let root = Root::new();
    root.install("o/n/1/1", &[]);
    symlink(root.fs.pkgs().join("o"), root.fs.pkgs().join("other")).unwrap();
    symlink(root.fs.pkgs(), root.fs.pkgs().join("circle")).unwrap();
    symlink("nowhere", root.fs.pkgs().join("broken")).unwrap();
    let found: Vec<_> = list(&root.fs).into_iter().map(|found| found.ident.to_string()).collect();
    assert_eq!(found, ["o/n/1/1", "other/n/1/1"]);
}

#[test]
fn an_identifier_resolves_to_the_newest_release() {
    let root = Root::new();
    for package in ["o/n/1.9/3", "o/n/1.10/1", "o/n/1.10/2", "o/n/1.10-rc1/9", "p/n/9/9"] {
        root.install(package, &[]);
    }
    for (wanted, expected) in
        [("o/n", "o/n/1.10/2"), ("o/n/1.9", "o/n/1.9/3"), ("o/n/1.10/1", "o/n/1.10/1")]
    {
        let found = resolve(&root.fs, &ident(wanted)).unwrap();
        assert_eq!(found.ident, ident(expected));
        assert_eq!(found.path, root.fs.pkg_path(&ident(expected)));
    }
    for (wanted, text) in [
        ("o/x", "Cannot find a release of package: o/x"),
        ("o/n/2", "Cannot find a release of package: o/n/2"),
        ("o/n/1.9/4", "Cannot find package: o/n/1.9/4"),
        ("o/n/../1.9", "Cannot find package: o/n/../1.9"),
        ("o/", "Cannot find a release of package: o/"),
    ] {
        assert_eq!(resolve(&root.fs, &ident(wanted)).unwrap_err().to_string(), text);
    }
    // A foreign identifier does not lead out of the tree.
    write(&root.fs.path().join("hab/evil/TARGET"), "x86_64-linux");
    assert!(resolve(&root.fs, &ident("o/../../evil")).is_err());
    assert!(resolve(&Root::new().fs, &ident("o/n")).is_err(), "no hab/pkgs");
    assert!(list(&Root::new().fs).is_empty());
}

#[test]
fn a_package_without_metafiles_has_the_defaults() {
    let root = Root::new();
    let ident = root.install("o/n/1/1", &[("run", "x")]);
    let package = Package::load(&root.fs, ident).unwrap();
    assert_eq!(package.kind, PackageType::Standard);
    assert_eq!(package.shutdown_signal.as_str(), "TERM");
    assert_eq!(package.shutdown_timeout_s, 8);
    assert_eq!(package.environment, BTreeMap::new());
    assert_eq!(package.run, RunSource::File);
    assert!(package.svc_user.is_none() && package.binds.is_empty() && package.exports.is_empty());
    write(&package.path.join("hooks/run"), "x");
    assert_eq!(Package::load(&root.fs, package.ident).unwrap().run, RunSource::Hook);
    let nothing = root.install("o/n/1/2", &[("hooks/run/is/a-directory", "")]);
    assert!(!Package::load(&root.fs, nothing).unwrap().is_runnable());
    assert!(Package::load(&root.fs, crate::support::ident("o/n")).is_err());
    assert!(Package::load(&root.fs, crate::support::ident("o/n/1/..")).is_err());
}

#[test]
fn malformed_metafiles_are_named_with_line_and_remedy() {
    for (file, content, text) in [
        ("EXPORTS", "a=b\nport\n", "EXPORTS:2: 'port' has no '='; write key=path.in.config"),
        ("BINDS", "\ndb\n", "BINDS:2: 'db' is not a bind; write name=key key"),
        ("BINDS_OPTIONAL", "a=\n\nb=", "BINDS_OPTIONAL:2: '' is not a bind; write name=key key"),
        ("PACKAGE_TYPE", "x", "PACKAGE_TYPE:1: Invalid package type: x. Write standard or native"),
        (
            "DEPS",
            "core/glibc",
            "DEPS:1: Fully-qualified package identifier was expected, but found: \"core/glibc\"; \
             write origin/name/version/release",
        ),
        ("RUNTIME_ENVIRONMENT", "A", "RUNTIME_ENVIRONMENT:1: 'A' has no '='; write KEY=value"),
        ("DEPS", "a/b/1/2", "DEPS:1: Cannot find package: a/b/1/2; install it"),
    ] {
        assert_eq!(load_error(&[(file, content)]), text);
    }
    let text = load_error(&[("SHUTDOWN_SIGNAL", "SIGTERM")]);
    assert!(text.starts_with("SHUTDOWN_SIGNAL:1: Failed to parse 'SIGTERM' as a signal; use"));
    let text = load_error(&[("SHUTDOWN_TIMEOUT", "soon")]);
    assert!(text.starts_with("SHUTDOWN_TIMEOUT:1: 'soon' is not a number of seconds"), "{text}");
    let text = load_error(&[("BINDS", &"x".repeat(1024 * 1024 + 1))]);
    assert_eq!(text, "BINDS: is larger than 1048576 bytes; make it smaller");
    assert!(load_error(&[("EXPOSES/x", "")]).starts_with("EXPOSES: is not a regular file"));
}

#[test]
fn the_environment_is_layered_as_recorded() {
    let root = Root::new();
    let own = "/hab/pkgs/o/n/1/1";
    root.install("d/one/1/1", &[("PATH", "/hab/pkgs/d/one/1/1/bin:/usr/bin\n")]);
    root.install("d/two/1/1", &[("PATH", "/hab/pkgs/d/two/1/1/bin")]);
    let legacy = root.install(
        "o/n/1/1",
        &[
            ("PATH", &format!("{own}/bin:{own}/sbin")),
            ("DEPS", "d/one/1/1"),
            ("TDEPS", "d/one/1/1\nd/two/1/1\n"),
            ("RUNTIME_ENVIRONMENT", "PATH=/ignored\nA=1=2\nB=old\nSSL_CERT_FILE=/own\n"),
            ("RUNTIME_ENVIRONMENT_PATHS", "B=/x:/y\n"),
        ],
    );
    let package = Package::load(&root.fs, legacy).unwrap();
    let expected = format!("{own}/bin:{own}/sbin:/hab/pkgs/d/one/1/1/bin:/hab/pkgs/d/two/1/1/bin");
    assert_eq!(package.environment["PATH"], expected);
    assert_eq!(package.environment["A"], "1=2");
    assert_eq!(package.environment["B"], "/x:/y");

    let busybox = ["/bb/bin".to_owned()];
    let map = hook_environment(&package, &busybox, Some("/bin"), true);
    assert_eq!(map["PATH"], format!("{expected}:/bb/bin:/bin"));
    assert!(!map.contains_key("SSL_CERT_FILE"));
    assert_eq!(hook_environment(&package, &[], None, false)["SSL_CERT_FILE"], "/own");

    let native = root.install(
        "o/native/1/1",
        &[
            ("PACKAGE_TYPE", "native\n"),
            ("PATH", "/hab/pkgs/o/native/1/1/bin"),
            ("RUNTIME_PATH", "\n"),
            ("RUNTIME_ENVIRONMENT", "PATH=/ignored"),
        ],
    );
    let package = Package::load(&root.fs, native).unwrap();
    assert!(!package.environment.contains_key("PATH"), "an empty RUNTIME_PATH sets no PATH");
    assert_eq!(hook_environment(&package, &busybox, Some("/bin"), false)["PATH"], "/bin");
    for missing in [None, Some("")] {
        assert_eq!(hook_environment(&package, &[], missing, false)["PATH"], DEFAULT_PATH);
    }
}

#[test]
fn an_interpreter_that_is_not_installed_is_left_out() {
    let root = Root::new();
    assert_eq!(interpreter_ident(Some("")).unwrap(), ident("core/busybox-static"));
    let wanted = interpreter_ident(Some("x/sh")).unwrap();
    assert!(interpreter_ident(Some("sh")).is_err());
    assert!(interpreter_path(&root.fs, &wanted).unwrap().is_empty());
    root.install("x/sh/1/1", &[("PATH", "/hab/pkgs/x/sh/1/1/bin")]);
    root.install("x/sh/2/1", &[("PATH", "/hab/pkgs/x/sh/2/1/bin")]);
    assert_eq!(interpreter_path(&root.fs, &wanted).unwrap(), ["/hab/pkgs/x/sh/2/1/bin"]);
}

#[test]
fn user_and_group_count_only_together() {
    let root = Root::new();
    let both = root.install("o/n/1/1", &[("SVC_USER", "u\n"), ("SVC_GROUP", " g ")]);
    let names = user::names(&Package::load(&root.fs, both).unwrap()).unwrap();
    assert_eq!((names.user.as_str(), names.group.as_str()), ("u", "g"));
    let one = root.install("o/n/1/2", &[("SVC_USER", "u\n")]);
    let names = user::names(&Package::load(&root.fs, one).unwrap()).unwrap();
    assert_ne!(names.user, "u");
}

#[test]
fn the_status_of_the_install_hook_is_kept() {
    let root = Root::new();
    let dir = root.fs.pkg_path(&root.install("o/n/1/1", &[]));
    assert_eq!(install_hook_status(&dir).unwrap(), None);
    write_install_hook_status(&dir, 3).unwrap();
    assert_eq!(install_hook_status(&dir).unwrap(), Some(3));
    assert_eq!(fs::read_to_string(dir.join("INSTALL_HOOK_STATUS")).unwrap(), "3");
    write(&dir.join("INSTALL_HOOK_STATUS"), "fine");
    assert!(install_hook_status(&dir).is_err());
}

#[test]
fn templates_are_regular_files_of_any_name() {
    let root = Root::new();
    let dir = root.fs.pkg_path(&root.install(
        "o/n/1/1",
        &[
            ("config/.hidden", "h"),
            ("config/a/b/c.conf", "c"),
            ("hooks/run.sh", "no"),
            ("hooks/health_check", "no"),
            ("hooks/init/x", "a directory"),
            ("default.toml", "a = 1"),
        ],
    ));
    fs::create_dir_all(dir.join("config/empty")).unwrap();
    symlink("a/b/c.conf", dir.join("config/link")).unwrap();
    symlink("a", dir.join("config/dir-link")).unwrap();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let found = sources::config_tree(&dir.join("config")).unwrap();
    assert_eq!(found, [pair(".hidden", "h"), pair("a/b/c.conf", "c")]);
    assert!(sources::hooks(&dir).unwrap().is_empty());
    assert_eq!(sources::default_toml(&dir).unwrap().as_deref(), Some("a = 1"));
    assert!(sources::config_tree(&dir.join("none")).unwrap().is_empty());

    write(&dir.join("config/a/bad"), b"one\ntwo \xff");
    let error = sources::config_tree(&dir.join("config")).unwrap_err().to_string();
    assert!(error.ends_with("config/a/bad:2: is not UTF-8; save it as UTF-8"), "{error}");
}

#[test]
fn a_tree_that_is_not_a_configuration_is_refused() {
    let root = Root::new();
    let dir = root.beside("many");
    for number in 0..=sources::MAX_TEMPLATES {
        write(&dir.join(number.to_string()), "");
    }
    let error = sources::config_tree(&dir).unwrap_err().to_string();
    assert!(error.contains("holds more than 4096 templates; move"), "{error}");
    let deep = root.beside("deep");
    write(&deep.join("d/".repeat(sources::MAX_DEPTH + 1)).join("f"), "");
    let error = sources::config_tree(&deep).unwrap_err().to_string();
    assert!(error.contains("holds directories deeper than 32"), "{error}");
}
