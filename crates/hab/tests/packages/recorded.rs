//! One test per recording.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::PathBuf, process::Command};

use crate::replay::{Machine, Node, Replay, fixtures, recording, revisions, walk};

#[test]
fn inspecting_archives() {
    let mut replay = Replay::new("01");
    replay.prepare();
    for step in recording("01-inspect").steps {
        if step.stderr.contains("<root>/hab/cache/keys/vecpkg-") {
            fs::remove_dir_all(replay.root().join("hab/cache/keys")).expect("keys");
        }
        replay.step(&step);
    }
    replay.end();
}

#[test]
fn installing_and_asking() {
    let mut replay = Replay::new("02");
    replay.prepare();
    replay.cache(&["lib", "mid"]);
    for step in recording("02-install-and-query").steps {
        replay.step(&step);
    }
    replay.end();
}

/// As after the previous recording.
fn everything(replay: &Replay) {
    applications(replay);
    install(replay, &["native/0.1.0/20250101000005"]);
}

fn applications(replay: &Replay) {
    replay.prepare();
    replay.cache(&["vecpkg-"]);
    install(replay, &["app/1.2.3/20250101000003", "app/1.3.0/20250201000004"]);
}

fn install(replay: &Replay, idents: &[&str]) {
    for ident in idents {
        let ended = replay.run(&format!("hab pkg install vecpkg/{ident}"), &[], None);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
}

#[test]
fn packages_at_the_root_of_the_machine() {
    let isolated = Command::new("unshare").args(["-m", "true"]).status();
    if !isolated.is_ok_and(|status| status.success()) {
        return testkit::skip("unshare may not make namespaces here: it needs root");
    }
    let mut replay = Replay::new("03");
    applications(&replay);
    replay.machine = Machine::Real;
    for step in recording("03-real-layout").steps {
        replay.step(&step);
    }
    replay.end();
}

/// Everything below the root, as it was recorded.
fn nodes(replay: &Replay) -> BTreeSet<Node> {
    let node = |path: PathBuf| {
        let found = path.symlink_metadata().expect("an entry");
        let name = path.strip_prefix(replay.root()).expect("below the root").display().to_string();
        Node {
            path: revisions(&name),
            mode: (!found.is_symlink()).then(|| format!("{:04o}", found.mode() & 0o7777)),
            owner: format!("{}:{}", found.uid(), found.gid()),
        }
    };
    walk(&replay.root()).into_iter().skip(1).map(node).collect()
}

#[test]
fn a_user_other_than_root() {
    if !rustix::process::geteuid().is_root() {
        return testkit::skip("only root can become another user");
    }
    let mut replay = Replay::new("09");
    replay.busybox();
    let key = "vecpkg-20261127165842.pub";
    let text = fs::read(fixtures().join("keys").join(key)).expect("a key");
    replay.write(&format!("home/.hab/cache/keys/{key}"), text);
    replay.become_user();
    for mut step in recording("09-non-root").steps {
        step.stdout = revisions(&step.stdout);
        match &step.tree {
            Some(tree) => assert_eq!(nodes(&replay), tree.iter().cloned().collect()),
            None => replay.step(&step),
        }
    }
    replay.end();
}

#[test]
fn linking_programs() {
    let mut replay = Replay::new("03b");
    everything(&replay);
    for step in recording("03b-binlink").steps {
        if step.note.as_deref() == Some("regular file <root>/opt/b/app written") {
            replay.write("opt/b/app", "a file");
        }
        replay.step(&step);
    }
    replay.end();
}

#[test]
fn uninstalling() {
    let mut replay = Replay::new("04");
    everything(&replay);
    for step in recording("04-uninstall").steps {
        match step.note.as_deref() {
            Some("app 1.2.3 and 1.3.0 installed again") => everything(&replay),
            Some("app 1.2.3 installed again") => {
                let command = "hab pkg install vecpkg/app/1.2.3/20250101000003";
                assert_eq!(replay.run(command, &[], None).code, 0);
            }
            _ => {}
        }
        replay.step(&step);
    }
    replay.end();
}

#[test]
fn uninstalling_with_a_file_of_a_launcher() {
    let mut replay = Replay::new("05");
    replay.prepare();
    replay.cache(&["lib"]);
    let command = "hab pkg install vecpkg/lib/1.0.0/20250101000001";
    assert_eq!(replay.run(command, &[], None).code, 0);
    let address = testkit::own_address(0);
    for step in recording("05-uninstall-pid-file").steps {
        if let Some(pid) = &step.pid {
            let pid = pid.replace("<live pid>", &std::process::id().to_string());
            replay.write("hab/launcher/PID", pid.replace("999999", "99999999"));
        }
        // No process listens there.
        replay.write("hab/etc/cli.toml", format!("listen_ctl = \"{address}:1\"\n"));
        replay.step(&step);
    }
    replay.end();
}

#[test]
fn install_hooks() {
    let mut replay = Replay::new("06");
    replay.prepare();
    let release = "hab/pkgs/vecpkg/hookfail/0.1.0/20250101000006";
    let remove = |replay: &Replay, path: &str| {
        let path = replay.root().join(path);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
    };
    for step in recording("06-install-hooks").steps {
        if let Some(status) = &step.hook_status {
            replay.write(&format!("{release}/INSTALL_HOOK_STATUS"), status);
        }
        let note = step.note.as_deref().unwrap_or_default();
        let hook = |replay: &Replay, text: &str| {
            replay.write(&format!("{release}/hooks/install"), text);
            remove(replay, &format!("{release}/INSTALL_HOOK_STATUS"));
        };
        if note.starts_with("hook now kills itself") {
            hook(&replay, "#!/bin/sh\nkill -9 $$\n");
        } else if note.starts_with("hook prints its environment") {
            // Another test checks the variables.
            hook(&replay, "#!/bin/sh\nexit 0\n");
            continue;
        } else if note.starts_with("hook template broken") {
            hook(&replay, "#!/bin/sh\necho {{cfg.nope}} {{#broken\n");
        } else if note.starts_with("no core/busybox-static") {
            remove(&replay, "hab/pkgs");
            replay.cache(&["lib", "mid"]);
        } else if note.contains("SVC_USER that does not exist") {
            replay.busybox();
            let archive = "vecpkg-hookfail-0.1.0-20250101000006-x86_64-linux.hart";
            let command = format!("hab pkg install --ignore-install-hook <harts>/{archive}");
            assert_eq!(replay.run(&command, &[], None).code, 0);
            replay.write(&format!("{release}/SVC_USER"), "nosuchuser");
            replay.write(&format!("{release}/SVC_GROUP"), "root");
        }
        if step.command.as_deref().is_some_and(|command| command.contains("-z TOKEN")) {
            continue;
        }
        replay.step(&step);
    }
    replay.end();
}

#[test]
fn bad_archives_into_a_fresh_root() {
    let mut replay = Replay::new("07");
    for step in recording("07-bad-installs").steps {
        let _ = fs::remove_dir_all(replay.root());
        replay.prepare();
        replay.step(&step);
        let tree = replay.root().join("hab/pkgs/vecpkg");
        if step.list_after.as_deref().is_none_or(str::is_empty) {
            assert!(!tree.exists(), "{:?} left something", step.command);
        }
        let hidden = replay.run("hab pkg list -o vecpkg", &[], None).stdout;
        assert!(hidden.lines().count() <= 1, "{hidden}");
    }
    replay.end();
}

#[test]
fn damaged_cache_and_ways_that_are_barred() {
    let mut replay = Replay::new("08");
    replay.prepare();
    for step in recording("08-interrupted").steps {
        let note = step.note.clone().unwrap_or_default();
        let release = "hab/pkgs/vecpkg/lib/1.0.0/20250101000001";
        let _ = fs::remove_dir_all(replay.root().join("hab/pkgs/vecpkg"));
        match note.as_str() {
            "release directory exists, not empty, no TARGET" => {
                replay.write(&format!("{release}/junk"), "x");
            }
            "release directory exists, empty" => {
                fs::create_dir_all(replay.root().join(release)).expect("a directory");
            }
            "tampered file already in the artifact cache" => {
                let bytes =
                    fs::read(fixtures().join("bad/tampered-body.hart")).expect("an archive");
                let name = "vecpkg-lib-1.0.0-20250101000001-x86_64-linux.hart";
                replay.write(&format!("hab/cache/artifacts/{name}"), bytes);
            }
            "then the good file" => {}
            _ => continue,
        }
        replay.step(&step);
    }
    replay.end();
}

#[test]
fn keys_and_signing() {
    let mut replay = Replay::new("10");
    for step in recording("10-keys-and-sign").steps {
        replay.write("src.txt", "hello habitat\n");
        replay.step(&step);
    }
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = replay.root().join("hab/cache/keys").join(name);
        fs::metadata(path).expect(name).permissions().mode() & 0o7777
    };
    assert_eq!(mode("vecpkg-20261127165842.pub"), 0o444);
    assert_eq!(mode("vecpkg-20261127165842.sig.key"), 0o400);
    let signed = fs::read_to_string(replay.root().join("o.hart")).expect("signed");
    // Recorded byte for byte.
    assert_eq!(
        signed,
        "HART-1\nvecpkg-20261127165842\nBLAKE2b\nmEIQ4ka6e+rJ3iF4SJSk8VmXECKhsCC5DmieR9GZ64Nc9nh8A\
         xyL9uQcOj4D4UsQlHe9JdimLQIn1vLsnh3aCWM0YjdlOTRlYTZkYjBlYzc1ZGE0OWQ0ZDA5ZTYwOWIzNjU0M2I2MzY\
         wODYzY2MzYzgyNmE2N2EyZjkyYjNhMTU=\n\nhello habitat\n"
    );
    replay.end();
}

#[test]
fn which_release_is_the_newest() {
    #[derive(serde::Deserialize)]
    struct Cases {
        cases: Vec<Case>,
    }
    #[derive(serde::Deserialize)]
    struct Case {
        #[serde(default)]
        versions: Vec<String>,
        #[serde(default)]
        releases: Vec<String>,
        path: String,
        list: Vec<String>,
    }
    // One transitive order for all purposes: Habitat's list and its choice of the newest disagree
    // here.
    const OURS: [(&str, &str); 5] = [
        ("99999999999999999999", "o/n/99999999999999999999/20250101000000"),
        ("1..0", "o/n/1.0/20250101000000"),
        (".1", "o/n/0.2/20250101000000"),
        ("1.18446744073709551616", "o/n/1.18446744073709551616/20250101000000"),
        ("1.0 ", "o/n/1.0/20250101000000"),
    ];
    let directory =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packages");
    let text = fs::read_to_string(directory.join("11-version-order.json")).expect("a recording");
    let cases: Cases = serde_json::from_str(&text).expect("a recording");
    assert_eq!(cases.cases.len(), 32);
    for case in cases.cases {
        let replay = Replay::new("11");
        let idents: Vec<String> = if case.versions.is_empty() {
            case.releases.iter().map(|release| format!("o/n/1.0/{release}")).collect()
        } else {
            case.versions.iter().map(|version| format!("o/n/{version}/20250101000000")).collect()
        };
        for ident in &idents {
            replay.write(&format!("hab/pkgs/{ident}/TARGET"), "x86_64-linux\n");
        }
        let path = replay.run("hab pkg path o/n", &[], None).stdout;
        let list = replay.run("hab pkg list o/n", &[], None).stdout;
        let listed: Vec<&str> = list.lines().collect();
        let ours = OURS.iter().find(|(version, _)| case.versions.iter().any(|v| v == version));
        let newest = ours.map_or(case.path.as_str(), |(_, newest)| newest);
        // Equal versions in two spellings: either may be the newest.
        let equal = ["01.0", "1.0.0.0"];
        let is_equal = case.versions.iter().any(|v| equal.contains(&v.as_str()))
            || case.versions == ["1.0", "1.0.0"];
        assert!(
            is_equal || path == format!("<root>/hab/pkgs/{newest}\n"),
            "{idents:?}: {path} instead of {newest}"
        );
        assert!(
            is_equal || ours.is_some() || listed == case.list,
            "{idents:?}: {listed:?} instead of {:?}",
            case.list
        );
        assert_eq!(listed.len(), case.list.len());
    }
}

/// Files of `o/n/1.0/1` for a note of the recording.
fn odd_package(replay: &Replay, note: &str) {
    let release = "hab/pkgs/o/n/1.0/1";
    let write = |name: &str, text: &str| replay.write(&format!("{release}/{name}"), text);
    let target = "x86_64-linux\n";
    write("TARGET", target);
    match note {
        "TARGET with blanks and lines" => write("TARGET", "\n  x86_64-linux \n\n"),
        "no TARGET" => fs::remove_file(replay.root().join(release).join("TARGET")).expect("there"),
        "TARGET aarch64-linux" => write("TARGET", "aarch64-linux\n"),
        "TARGET unknown" => write("TARGET", "vax-vms\n"),
        "TARGET not UTF-8" => replay.write(&format!("{release}/TARGET"), b"x86_64-linux\xff"),
        "TARGET empty" => write("TARGET", ""),
        "IDENT says something else" => write("IDENT", "a/b/1/2\n"),
        "release directory is a symbolic link" | "origin directory is a symbolic link" => {
            fs::remove_dir_all(replay.root().join("hab/pkgs/o")).expect("there");
            replay.write("hab/pkgs/real/n/1.0/1/TARGET", target);
            let tree = replay.root().join("hab/pkgs");
            if note.starts_with("origin") {
                std::os::unix::fs::symlink("real", tree.join("o")).expect("a link");
            } else {
                fs::create_dir_all(tree.join("o/n/1.0")).expect("directories");
                let real = "../../../real/n/1.0/1";
                std::os::unix::fs::symlink(real, tree.join("o/n/1.0/1")).expect("a link");
            }
        }
        "plain files and hidden directories at each level" => {
            for file in ["file", "o/file", "o/n/file", "o/n/1.0/file"] {
                replay.write(&format!("hab/pkgs/{file}"), "x");
            }
            replay.write("hab/pkgs/.o/n/1.0/1/TARGET", target);
            replay.write("hab/pkgs/o/n/1.0/.hidden/TARGET", target);
        }
        "hab/pkgs missing" => {
            fs::remove_dir_all(replay.root().join("hab/pkgs")).expect("there");
        }
        "BINDS line without =" => write("BINDS", "a=x\nb\n"),
        "BINDS empty line in the middle" => write("BINDS", "a=x\n\nb=y\n"),
        "BINDS two =" => {
            write("BINDS", "a=x=y\n");
            write("BINDS_OPTIONAL", "z=\n");
        }
        "BINDS empty" => write("BINDS", "\n"),
        "BINDS not UTF-8" => replay.write(&format!("{release}/BINDS"), b"a=\xff\n"),
        "RUNTIME_ENVIRONMENT without =" => write("RUNTIME_ENVIRONMENT", "A\n"),
        "RUNTIME_ENVIRONMENT values" => {
            write("RUNTIME_ENVIRONMENT", "A=first\n C = d \nA=again\nB=\nQ=\"x\"$y`z\n");
        }
        "RUNTIME_ENVIRONMENT_PATHS" => {
            write("RUNTIME_ENVIRONMENT", "A=x\n");
            write("RUNTIME_PATH", "/r\n");
            write("RUNTIME_ENVIRONMENT_PATHS", "A=/p:/q\n");
        }
        "SSL_CERT_FILE in the package" | "SSL_CERT_FILE in the package and in the environment" => {
            write("RUNTIME_ENVIRONMENT", "SSL_CERT_FILE=/c\n");
        }
        "no RUNTIME_PATH: built from PATH files" => {
            write("PATH", "/hab/pkgs/o/n/1.0/1/bin:/hab/pkgs/o/n/1.0/1/sbin:/usr/bin\n");
            write("DEPS", "o/d/1.0/1\n");
            write("TDEPS", "o/d/1.0/1\no/e/1.0/1\n");
            for name in ["d", "e"] {
                replay.write(&format!("hab/pkgs/o/{name}/1.0/1/TARGET"), target);
                let path = format!("/hab/pkgs/o/{name}/1.0/1/bin\n");
                replay.write(&format!("hab/pkgs/o/{name}/1.0/1/PATH"), path);
            }
        }
        "no RUNTIME_PATH, dependency not installed" => write("DEPS", "o/d/1.0/1\n"),
        "RUNTIME_PATH empty" => {
            write("RUNTIME_PATH", "");
            write("PATH", "/hab/pkgs/o/n/1.0/1/bin\n");
        }
        "DEPS entry fuzzy" => write("DEPS", "o/d\n"),
        "DEPS entry not installed" => {
            write("DEPS", "o/d/1/1\n");
            write("RUNTIME_PATH", "");
        }
        "config: default.toml broken" => write("default.toml", "a = \n"),
        "config: empty" => write("default.toml", ""),
        "config: types" => write(
            "default.toml",
            "d = 1979-05-27T07:32:00Z\nf = 1.0\ns = \"x\\ny\"\n[i]\nb = 1\na = [1, 2]\n[t.\"a b\"]\n\
             q = '\\'\n[[arr]]\nx = 1\n[[arr]]\ny = true\n",
        ),
        other => panic!("an unknown note: {other}"),
    }
}

#[test]
fn odd_directories_and_metafiles() {
    let mut replay = Replay::new("12");
    for step in recording("12-metafiles").steps {
        let _ = fs::remove_dir_all(replay.root().join("hab"));
        replay.busybox();
        odd_package(&replay, step.note.as_deref().expect("a note"));
        replay.step(&step);
    }
    replay.end();
}
