//! Installations that are interrupted, duplicated, and short of resources.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{building::Machine, replay::fixtures};

const LIB: &str = "vecpkg-lib-1.0.0-20250101000001-x86_64-linux.hart";
const IDENT: &str = "vecpkg/lib/1.0.0/20250101000001";

fn machine() -> Machine {
    let machine = Machine::new();
    let key = fs::read_to_string(fixtures().join("keys/vecpkg-20261127165842.pub")).expect("a key");
    machine.write("root/hab/cache/keys/vecpkg-20261127165842.pub", &key);
    machine.write(".hab/cache/keys/vecpkg-20261127165842.pub", &key);
    machine
}

fn command(machine: &Machine, program: &str, before: &[&str], archive: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(before)
        .args(["pkg", "install", archive])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", machine.path())
        .env("FS_ROOT", machine.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn archive() -> String {
    fixtures().join("harts").join(LIB).to_str().expect("text").to_owned()
}

/// The release is either complete or absent; another installation succeeds, and removes the remains
/// of the previous one.
fn check(machine: &Machine, what: &str) {
    let listed = machine.hab(&["pkg", "list", "vecpkg/lib"]);
    let release = machine.root().join("hab/pkgs").join(IDENT);
    if listed.is_empty() {
        assert!(!release.join("TARGET").exists(), "{what}");
    } else {
        assert!(release.join("lib/libx.so.1").is_file(), "{what}");
        assert!(release.join("bin/libtool-link").is_symlink(), "{what}");
    }
    machine.hab(&["pkg", "install", &archive()]);
    let parent = release.parent().expect("a parent");
    assert_eq!(fs::read_dir(parent).expect("a directory").count(), 1, "{what}");
    machine.hab(&["pkg", "uninstall", IDENT]);
    assert!(!machine.root().join("hab/pkgs/vecpkg").exists(), "{what}");
}

#[test]
fn an_installation_that_is_killed_at_a_system_call_leaves_all_or_nothing() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return testkit::skip("strace is not installed");
    }
    let machine = machine();
    let program = env!("CARGO_BIN_EXE_hab");
    for (call, most) in [
        ("mkdirat", 3),
        ("mkdir", 6),
        ("openat", 24),
        ("write", 8),
        ("symlinkat", 2),
        ("rename,renameat,renameat2", 2),
        ("fsync,syncfs", 3),
        ("unlink,unlinkat,rmdir", 2),
    ] {
        for when in (1..=most).step_by(if most > 8 { 3 } else { 1 }) {
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let options = ["-f", "-qq", "-o", "/dev/null", "-e", &inject, program];
            let _ = command(&machine, "strace", &options, &archive()).status();
            check(&machine, &inject);
        }
    }
}

#[test]
fn a_disk_that_is_full_leaves_nothing() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return testkit::skip("strace is not installed");
    }
    let machine = machine();
    let program = env!("CARGO_BIN_EXE_hab");
    for call in ["write", "mkdirat", "symlinkat", "copy_file_range", "syncfs", "rename"] {
        let inject = format!("inject={call}:error=ENOSPC:when=1+");
        let options = ["-f", "-qq", "-o", "/dev/null", "-e", &inject, program];
        let _ = command(&machine, "strace", &options, &archive()).status();
        let left = fs::read_dir(machine.root().join("hab/pkgs")).into_iter().flatten().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        let installed = machine.root().join("hab/pkgs").join(IDENT).join("TARGET").exists();
        assert!(left.is_empty() || installed, "{call}: {left:?}");
        check(&machine, call);
    }
}

#[test]
fn two_installations_at_once_both_succeed() {
    let machine = machine();
    for _ in 0..4 {
        let start = || {
            command(&machine, env!("CARGO_BIN_EXE_hab"), &[], &archive())
                .spawn()
                .expect("it starts")
        };
        let children = [start(), start(), start()];
        for mut child in children {
            assert!(child.wait().expect("an end").success());
        }
        check(&machine, "at once");
    }
}
