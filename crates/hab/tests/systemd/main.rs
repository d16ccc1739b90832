//! The unit in `packaging/` under a real systemd.
//!
//! The test boots a small separate system: namespaces for processes, mounts, network and control
//! groups, this machine's files as root with a memory overlay, systemd as process 1 (`boot.sh`).
//! One of its services, `probe.sh`, acts as the operator and records its observations, which are
//! compared here. The machine is not modified.
//!
//! Ignored, because it needs root, systemd, overlayfs and control groups to mount:
//! `cargo test -p hab --test systemd -- --ignored`.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

#[test]
#[ignore = "boots a systemd: needs root, takes about ten seconds"]
fn the_unit_keeps_services_and_tells_the_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let needed = ["/lib/systemd/systemd", "/usr/bin/unshare", "/usr/sbin/ip"];
    if !rustix::process::geteuid().is_root() || !needed.iter().all(|path| Path::new(path).exists())
    {
        return testkit::skip(&format!("needs root and {}", needed.join(", ")));
    }
    let work = tempfile::tempdir().expect("a directory");
    let kinds = ["--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup"];
    let boot = Command::new("timeout")
        .args(["100", "unshare", "--fork", "--kill-child"])
        .args(kinds)
        .arg("sh")
        .arg(folder.join("tests/systemd/boot.sh"))
        .arg(work.path())
        .arg(env!("CARGO_BIN_EXE_hab"))
        .arg(folder.join("../../packaging/hab-sup.service"))
        .arg(folder.join("tests/systemd/probe.sh"))
        .output()
        .expect("unshare");
    let read = |name: &str| fs::read_to_string(work.path().join("out").join(name));
    let told = format!(
        "{}\n{}\n{}",
        String::from_utf8_lossy(&boot.stderr),
        read("console").unwrap_or_default(),
        read("trace").unwrap_or_default()
    );
    let facts = read("facts").unwrap_or_default();
    let facts: BTreeMap<&str, &str> =
        facts.lines().filter_map(|line| line.split_once('=')).collect();
    let fact = |name: &str| *facts.get(name).unwrap_or_else(|| panic!("no {name}\n{told}"));

    assert_eq!(fact("ready"), "active, 0 of 0 services up");
    assert_eq!(fact("loaded"), "active, 1 of 1 services up");
    let pid = fact("pid");
    // The Supervisor is killed, then asked to restart: services are not affected.
    assert_eq!(fact("supervisor killed"), "active, 1 of 1 services up");
    assert_eq!(fact("pid after that"), pid);
    assert_eq!(fact("reloaded"), "active, 1 of 1 services up");
    assert_eq!(fact("pid after reload"), pid);
    assert_eq!(fact("starts by systemd"), "0");
    // The launcher is killed: services are stopped cleanly, systemd restarts everything.
    assert_eq!(fact("launcher killed"), "active, 1 of 1 services up");
    assert_ne!(fact("pid of the next"), pid);
    assert_eq!(fact("starts by systemd then"), "1");
    assert_eq!(fact("ended by"), "TERM");
    // systemd ignores messages of services.
    assert_eq!(fact("told by the liar"), "environment: nothing");
    assert_eq!(fact("after the lie"), "active, 2 of 2 services up");
    assert_eq!(fact("main process is the launcher"), "yes");
    // Stopped.
    assert_eq!(fact("stopped"), "inactive, success");
    assert_eq!(fact("left"), "0");
}
