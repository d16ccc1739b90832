//! Installations that are interrupted, duplicated, and short of resources.

use std::{
    collections::BTreeMap,
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
    let moments = moments(&machine);
    assert!(moments.len() > 20, "{moments:?}");
    for Moment { call, when } in moments {
        let inject = format!("inject={call}:signal=KILL:when={when}");
        let options = ["-f", "-qq", "-o", "/dev/null", "-e", &inject, program];
        let _ = command(&machine, "strace", &options, &archive()).status();
        check(&machine, &inject);
    }
}

/// A system call that changes something, and how many of its name were made by then.
#[derive(Debug)]
struct Moment {
    call: String,
    when: usize,
}

/// System calls by which an installation changes what is on disk.
const CHANGES: &str = "openat,mkdir,mkdirat,write,copy_file_range,sendfile,ftruncate,symlinkat,\
                       linkat,rename,renameat,renameat2,chmod,fchmod,fchmodat,utimensat,fsync,\
                       fdatasync,syncfs,unlink,unlinkat,rmdir";

/// All of them in one installation. Dying between two of them is dying at the later one.
fn moments(machine: &Machine) -> Vec<Moment> {
    let trace = machine.path().join("trace");
    let shown = trace.to_str().expect("text");
    let calls = format!("trace={}", CHANGES.replace([' ', '\n'], ""));
    let options = ["-f", "-qq", "-o", shown, "-e", &calls, env!("CARGO_BIN_EXE_hab")];
    let installed = command(machine, "strace", &options, &archive()).status();
    assert!(installed.expect("strace").success());
    check(machine, "traced");
    let mut counts = BTreeMap::new();
    let mut moments = Vec::new();
    for line in fs::read_to_string(trace).expect("a trace").lines() {
        let Some((call, rest)) = line.split_once(' ').and_then(|(_, call)| call.split_once('('))
        else {
            continue;
        };
        let call = call.trim().to_owned();
        let when = *counts.entry(call.clone()).and_modify(|count| *count += 1).or_insert(1);
        // Reading changes nothing, and neither do lines for the user.
        let reads = call == "openat" && !rest.contains("O_CREAT");
        let shows = call == "write" && rest.starts_with("1,");
        if !reads && !shows {
            moments.push(Moment { call, when });
        }
    }
    moments
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

/// Runs a script in a mount namespace of its own, with the program, the root and the archives of
/// an older and a newer release. `None` when this user may not make one.
fn isolated(script: &str) -> Option<String> {
    let isolated = Command::new("unshare").args(["-m", "true"]).status();
    if !isolated.is_ok_and(|status| status.success()) {
        testkit::skip("unshare may not make namespaces here: it needs root");
        return None;
    }
    let machine = machine();
    let harts = fixtures().join("harts");
    for name in ["lib", "mid"] {
        let release = if name == "lib" { "20250101000001" } else { "20250101000002" };
        let file = format!("vecpkg-{name}-1.0.0-{release}-x86_64-linux.hart");
        let cache = machine.root().join("hab/cache/artifacts");
        fs::create_dir_all(&cache).expect("a directory");
        fs::copy(harts.join(&file), cache.join(file)).expect("copied");
    }
    fs::create_dir_all(machine.root().join("hab/pkgs")).expect("a directory");
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-euc", &format!("{SETTING}\n{script}\n{AFTERWARDS}"), "sh"])
        .arg(env!("CARGO_BIN_EXE_hab"))
        .arg(machine.root())
        .arg(harts.join("vecpkg-app-1.2.3-20250101000003-x86_64-linux.hart"))
        .arg(harts.join("vecpkg-app-1.3.0-20250201000004-x86_64-linux.hart"))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", machine.path())
        .env("FS_ROOT", machine.root());
    let ended = testkit::run(&mut command, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    Some(ended.stderr)
}

const SETTING: &str = r#"
hab=$1 root=$2 old=$3 new=$4
# The older release is the newest that is installed, and its program runs.
old_is_usable() {
    [ "$("$hab" pkg path vecpkg/app)" = "$root/hab/pkgs/vecpkg/app/1.2.3/20250101000003" ]
    [ "$("$hab" pkg list -a | grep -c vecpkg/app)" = 1 ]
    "$root/hab/pkgs/vecpkg/app/1.2.3/20250101000003/bin/app" | grep -q 'app 1.2.3'
}
"#;

/// The same installation succeeds when there is nothing in its way any more.
const AFTERWARDS: &str = r#"
"$hab" pkg install --ignore-install-hook "$new"
[ "$("$hab" pkg path vecpkg/app)" = "$root/hab/pkgs/vecpkg/app/1.3.0/20250201000004" ]
[ "$(ls -A "$root/hab/pkgs/vecpkg/app/1.3.0")" = 20250201000004 ]
"#;

#[test]
fn a_read_only_root_keeps_the_old_release_and_takes_the_new_one_later() {
    let Some(said) = isolated(
        r#"
        mount --bind "$root" "$root"
        "$hab" pkg install --ignore-install-hook "$old"
        mount -o remount,bind,ro "$root"
        ! "$hab" pkg install --ignore-install-hook "$new" || exit 90
        old_is_usable
        mount -o remount,bind,rw "$root"
        "#,
    ) else {
        return;
    };
    // The message names the place.
    assert!(said.contains("hab/cache/artifacts"), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
}

#[test]
fn a_full_disk_keeps_the_old_release_and_takes_the_new_one_later() {
    let Some(said) = isolated(
        r#"
        mount -t tmpfs -o size=1M tmpfs "$root/hab/pkgs"
        "$hab" pkg install --ignore-install-hook "$old"
        head -c 2M /dev/zero > "$root/hab/pkgs/fill" || true
        ! "$hab" pkg install --ignore-install-hook "$new" || exit 90
        old_is_usable
        rm "$root/hab/pkgs/fill"
        "#,
    ) else {
        return;
    };
    assert!(said.contains("hab/pkgs/vecpkg/app/1.3.0/20250201000004: No space left"), "{said}");
}
