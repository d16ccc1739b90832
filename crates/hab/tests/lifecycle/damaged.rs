//! Damaged state files: the Supervisor starts, logs which, and its services run.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use testkit::{Root, Supervisor};

use crate::root_with_web;

const ID: &str = "0123456789abcdef0123456789abcdef";

/// Replaces a file by something else.
type Damage = fn(&Path);

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success()));
}

fn directory(path: &Path) {
    fs::create_dir(path).expect("a directory");
    fs::write(path.join("inside"), "").expect("a file");
}

fn link_to_itself(path: &Path) {
    symlink(path.file_name().expect("a name"), path).expect("a link");
}

fn zeros(path: &Path) {
    fs::write(path, [0; 4096]).expect("a file");
}

fn sparse(path: &Path) {
    fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("a file");
}

fn empty(path: &Path) {
    fs::write(path, "").expect("a file");
}

/// All files that a Supervisor creates itself.
const OURS: [&str; 6] = [
    "sup/default/MEMBER_ID",
    "sup/default/CTL_SECRET",
    "sup/default/data/INCARNATION",
    "sup/default/data/0123456789abcdef0123456789abcdef.rst",
    "launcher/processes",
    "launcher/hooks",
];

fn starts_with(root: &Root, damage: Damage) -> Supervisor {
    for file in OURS {
        let path = root.join("hab").join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        damage(&path);
    }
    root.spec("web", "ident = \"acme/web\"\n");
    let sup = root.supervisor().start();
    sup.wait_up("web");
    for file in OURS {
        let path = root.join("hab").join(file);
        sup.wait_log(&path.display().to_string());
        let aside = path.display().to_string() + ".corrupt";
        assert!(fs::symlink_metadata(&aside).is_ok(), "{aside} is not there: {}", sup.log());
        // It is written again in the background.
        let is_written = || fs::metadata(&path).is_ok_and(|found| found.is_file()).then_some(());
        if !file.starts_with("launcher/") && !file.ends_with(".rst") {
            testkit::wait_for(file, is_written);
        }
    }
    // Clients on this machine use the new secret.
    let output = sup.hab(["svc", "status", "-r", &sup.ctl.to_string()]);
    assert!(output.status.success(), "{output:?}");
    sup
}

#[test]
fn whatever_is_in_the_place_of_state_files_services_run() {
    let damages: [Damage; 6] = [pipe, directory, link_to_itself, zeros, sparse, empty];
    for damage in damages {
        let root = root_with_web(&[]);
        let sup = starts_with(&root, damage);
        assert_eq!(sup.member_id(), ID, "the rumors contain its id");
    }
}

#[test]
fn files_of_an_operator_that_are_none_are_named_and_left_alone() {
    let root = root_with_web(&[]);
    let file = root.join("hab/sup/default/config/sup.toml");
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    pipe(&file);
    let mut sup = root.supervisor().spawn();
    assert_ne!(sup.wait_exit(), 0);
    let said = sup.log();
    assert!(said.contains("sup.toml' failed: it is not a regular file but a named pipe"), "{said}");
    fs::remove_file(&file).expect("the pipe");
    let log = root.join("hab/sup/default/config/log.yml");
    pipe(&log);
    let peers = root.join("peers");
    directory(&peers);
    let user = root.join("hab/user/web/config/user.toml");
    fs::create_dir_all(user.parent().expect("a directory")).expect("a directory");
    directory(&user);
    root.spec("web", "ident = \"acme/web\"\n");
    let args = ["--peer-watch-file", &peers.display().to_string()].map(str::to_owned);
    root.package("acme/other/1.0.0/20250101000000", &[("hooks/run", crate::RUN)]);
    root.spec("other", "ident = \"acme/other\"\n");
    let sup = root.supervisor().args(args).start();
    sup.wait_up("other");
    for file in [&log, &peers, &user] {
        sup.wait_log(&file.display().to_string());
        assert!(file.exists());
    }
    // It affects only its own service, while it exists.
    assert_ne!(crate::web(&sup)["process"]["state"], "up");
    fs::remove_dir_all(&user).expect("a directory");
    sup.wait_up("web");
}
