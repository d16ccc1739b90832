//! The script `packaging/install`.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{Installed, program, said};

#[test]
fn everything_goes_to_its_standard_place_and_away_again() {
    let installed = Installed::at("/usr");
    let files = installed.files();
    for path in [
        "/usr/bin/hab",
        "/usr/lib/systemd/system/hab-sup.service",
        "/usr/share/bash-completion/completions/hab",
        "/usr/share/doc/roost/examples/grafana.json",
        "/usr/share/doc/roost/examples/roost.rules.yml",
        "/usr/share/fish/vendor_completions.d/hab.fish",
        "/usr/share/man/man1/hab-svc-load.1",
        "/usr/share/man/man1/hab.1",
        "/usr/share/zsh/site-functions/_hab",
    ] {
        assert!(files.iter().any(|file| file == path), "{path} is not among {files:#?}");
    }
    let list = fs::read_to_string(installed.path("share/roost/installed-files")).expect("a list");
    let mut listed: Vec<&str> = list.lines().collect();
    // Administrators change it, so it is neither replaced nor removed with the rest.
    listed.push("/etc/default/hab-sup");
    listed.sort_unstable();
    assert_eq!(listed, files);
    let mode = |below: &str| {
        let found = fs::metadata(installed.path(below)).expect("a file");
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode("bin/hab"), mode("share/man/man1/hab.1")), (0o755, 0o644));
    let version = said(&program(installed.path("bin/hab")).arg("--version").output().expect("it"));
    assert!(version.starts_with("hab 2.1.78+roost."), "{version}");

    // A later version removes files that it no longer has.
    let former = installed.path("share/man/man1/hab-former.1");
    fs::write(&former, "").expect("written");
    let list_path = installed.path("share/roost/installed-files");
    fs::write(&list_path, format!("{list}/usr/share/man/man1/hab-former.1\n")).expect("written");
    fs::write(installed.path("share/man/man1/hab-foreign.1"), "").expect("written");
    said(&installed.run(&[env!("CARGO_BIN_EXE_hab")]));
    assert!(!former.exists());
    assert_eq!(fs::read_to_string(&list_path).expect("a list"), list);

    let default = installed.directory.path().join("etc/default/hab-sup");
    fs::write(&default, "HAB_LISTEN_HTTP=127.0.0.1:9631\n").expect("written");
    said(&installed.run(&[env!("CARGO_BIN_EXE_hab")]));
    assert_eq!(
        fs::read_to_string(&default).expect("it"),
        "HAB_LISTEN_HTTP=127.0.0.1:9631\n",
        "what an administrator wrote stays"
    );
    fs::copy(super::packaging("hab-sup.default"), &default).expect("copied");

    said(&installed.run(&["--uninstall"]));
    assert_eq!(installed.files(), ["/usr/share/man/man1/hab-foreign.1"], "only what is not ours");
    let again = installed.run(&["--uninstall"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing is installed"), "{again:?}");
}

#[test]
fn the_unit_names_the_program_where_it_is() {
    let installed = Installed::at("/opt/roost");
    let unit = installed.path("lib/systemd/system/hab-sup.service");
    let unit = fs::read_to_string(unit).expect("a unit");
    assert!(unit.contains("\nExecStart=/opt/roost/bin/hab sup run\n"), "{unit}");
    let elsewhere = |file: &&String| !file.starts_with("/opt/roost/");
    let files = installed.files();
    let elsewhere: Vec<&String> = files.iter().filter(elsewhere).collect();
    assert_eq!(elsewhere, ["/etc/default/hab-sup"]);
}

#[test]
fn what_cannot_be_installed_is_said() {
    let installed = Installed { directory: tempfile::tempdir().expect("it"), prefix: "/usr" };
    let output = installed.run(&["/nonexistent/hab"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("cargo build --release -p hab"), "{stderr}");
    let relative = Installed { prefix: "usr", ..installed };
    assert_eq!(relative.run(&[env!("CARGO_BIN_EXE_hab")]).status.code(), Some(1));
    assert_eq!(relative.files(), <[&str; 0]>::default());
}
