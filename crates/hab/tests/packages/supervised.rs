//! Archives that a Supervisor installs and runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;
use testkit::{Root, Supervisor};

use crate::{
    building::{public_key, two_archives},
    replay::fixtures,
};

const SVC: &str = "vecpkg-svc-1.0.0-20250101000100-x86_64-linux.hart";

fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

fn svc() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packages/svc")
}

/// Copies a file into a directory of a root.
fn put(root: &Root, directory: &str, file: &Path) {
    let directory = root.join(directory);
    fs::create_dir_all(&directory).expect("a directory");
    fs::copy(file, directory.join(file.file_name().expect("a name"))).expect("copied");
}

/// The cache with the recorded service, and the key of its signer.
fn cached() -> Root {
    let root = root();
    put(&root, "hab/cache/keys", &fixtures().join("keys/vecpkg-20261127165842.pub"));
    put(&root, "hab/cache/artifacts", &svc().join(SVC));
    root
}

fn load(sup: &Supervisor, arguments: &[&str]) -> (String, String, bool) {
    let ctl = sup.ctl.to_string();
    let all = ["svc", "load"].iter().chain(arguments).copied().chain(["-r", &ctl]);
    let Output { status, stdout, stderr } = sup.hab(all);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (text(stdout), text(stderr), status.success())
}

#[test]
fn a_load_installs_from_the_cache_and_documents_show_the_package() {
    let root = cached();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let sup = root.supervisor().env("PATH", path).start();
    let ident = "vecpkg/svc/1.0.0/20250101000100";
    // Recorded, but for the lines of a download.
    let lines = [
        "» Installing vecpkg/svc",
        "☁ Determining latest version of vecpkg/svc in the 'stable' channel",
        &format!("☛ Verifying {ident}"),
        &format!("✓ Installed {ident}"),
        &format!("★ Install of {ident} complete with 1 new packages installed."),
        "The vecpkg/svc service was successfully loaded",
    ];
    let (stdout, stderr, _) = load(&sup, &["vecpkg/svc", "--channel", "stable"]);
    assert_eq!(stdout.lines().collect::<Vec<_>>(), lines, "{stderr}");
    sup.wait_up("svc");
    for line in lines {
        assert!(sup.log().contains(&format!("hab-sup(AG): {line}\n")), "{line}: {}", sup.log());
    }
    let text = fs::read_to_string(svc().join("documents.json")).expect("documents");
    let text = text.replace("<root>", &root.path().display().to_string());
    let recorded: Value = serde_json::from_str(&text).expect("documents");
    let services = sup.get("/services").json();
    let census = sup.get("/census").json();
    for key in ["pkg", "cfg", "spec_ident", "spec_identifier", "service_group", "hooks"] {
        assert_eq!(services[0][key], recorded["services"][0][key], "{key}");
    }
    let member = |census: &Value| {
        let population = &census["census_groups"]["svc.default"]["population"];
        population.as_object().and_then(|all| all.values().next().cloned()).expect("a member")
    };
    for key in ["pkg", "package", "pkg_incarnation", "service", "group", "cfg"] {
        assert_eq!(member(&census)[key], member(&recorded["census"])[key], "{key}");
    }
    let ctl = sup.ctl.to_string();
    let status = sup.hab(["svc", "status", "-r", &ctl]).stdout;
    let status = String::from_utf8(status).expect("text");
    let row = status.lines().nth(1).expect("a row");
    assert!(row.starts_with(&format!("{ident}  standalone  up")), "{status}");
}

#[test]
fn a_load_that_finds_no_good_archive_changes_nothing() {
    let root = cached();
    let sup = root.supervisor().start();
    let (_, stderr, _) = load(&sup, &["vecpkg/none"]);
    assert!(stderr.contains("Cannot find a release of package: vecpkg/none."), "{stderr}");
    assert!(stderr.contains("hab/cache/artifacts"), "{stderr}");
    let key = root.join("hab/cache/keys/vecpkg-20261127165842.pub");
    fs::remove_file(&key).expect("removed");
    let (_, stderr, _) = load(&sup, &["vecpkg/svc"]);
    assert!(stderr.contains("hab origin key import < vecpkg-20261127165842.pub"), "{stderr}");
    assert_eq!(sup.get("/services").json(), serde_json::json!([]));
    assert!(!root.join("hab/pkgs/vecpkg").exists());
    put(&root, "hab/cache/keys", &fixtures().join("keys/vecpkg-20261127165842.pub"));
    let (_, stderr, success) = load(&sup, &["vecpkg/svc"]);
    assert!(success, "{stderr}");
    sup.wait_up("svc");
}

#[test]
fn a_supervisor_is_started_with_a_package_that_is_only_cached() {
    let root = cached();
    let sup = root.supervisor().args(["vecpkg/svc"]).start();
    sup.wait_up("svc");
    sup.wait_log("✓ Installed vecpkg/svc/1.0.0/20250101000100");
}

#[test]
fn an_archive_is_run_with_what_lies_beside_it_and_is_not_needed_afterwards() {
    let (machine, app) = two_archives();
    let root = root();
    put(&root, "hab/cache/keys", Path::new(&public_key(&machine)));
    // The interpreter of the hooks is found on this machine.
    let hart = app.to_str().expect("text");
    let sup = root.supervisor().args([hart]).start();
    sup.wait_up("app");
    let service = sup.get("/services/app/default").json();
    assert_eq!(service["pkg"]["ident"], "acme/app/2.0/20250101000001");
    assert_eq!(service["pkg"]["dependencies"][0], "acme/lib/1.0/20250101000000");
    drop(sup);
    fs::remove_file(&app).expect("removed");
    let sup = root.supervisor().args([hart]).start();
    sup.wait_up("app");
}

#[test]
fn an_archive_in_a_configuration_file_is_installed_and_run() {
    let root = cached();
    fs::remove_dir_all(root.join("hab/cache/artifacts")).expect("removed");
    let hart = root.join(SVC);
    fs::copy(svc().join(SVC), &hart).expect("copied");
    let text = format!("pkg_ident_or_artifact = \"{}\"\n", hart.display());
    root.write("hab/sup/default/config/sup.toml", &text);
    let mut sup = root.supervisor().start();
    sup.wait_up("svc");
    fs::remove_file(&hart).expect("removed");
    // The Supervisor alone is started again, by a launcher that has the arguments of the start.
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).expect("it lives");
    testkit::wait_for("another Supervisor", || {
        sup.supervisor_pid().filter(|pid| *pid != supervisor)
    });
    sup.wait_up("svc");
    sup.stop();
    let sup = root.supervisor().start();
    sup.wait_up("svc");
}
