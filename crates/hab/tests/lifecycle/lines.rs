//! Lines of services: kept by the launcher, shown by `hab svc logs`.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use testkit::{Root, Supervisor, wait_for};

use crate::{disk::SmallDisk, is_up, kill, lives, pid_of, root, root_with_web, wait_web};

/// Prints what is written to the file `say` in its data, one line each, and `!` before it dies.
const TALKER: &str = "#!/bin/sh\n\
    say={{pkg.svc_data_path}}/say\n\
    rm -f $say; mkfifo $say; exec 3<>$say\n\
    echo ready >&2\n\
    while read -r line <&3; do echo \"$line\"; [ \"$line\" != die ] || exit 3; done\n";

fn hab(root: &Root, args: &[&str]) -> Command {
    let mut command = Command::new(root.program());
    command.args(args).env("FS_ROOT", root.path());
    command
}

/// What `hab svc logs web` prints with these options besides.
fn logs(root: &Root, options: &[&str]) -> String {
    let output = hab(root, &[&["svc", "logs", "web"], options].concat()).output().expect("hab");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn say(root: &Root, line: &str) {
    let path = root.join("hab/svc/web/data/say");
    wait_for("the service listens", || {
        path.exists().then(|| std::fs::write(&path, format!("{line}\n")).ok())
    });
}

fn talker() -> Root {
    root_with_web(&[("hooks/run", TALKER)])
}

fn wait_lines(root: &Root, wanted: &str) {
    wait_for(wanted, || logs(root, &["--format", "plain"]).contains(wanted).then_some(()));
}

fn start(root: &Root) -> Supervisor {
    root.supervisor().args(["acme/web"]).start()
}

#[test]
fn lines_are_kept_with_marks_and_shown_without_a_supervisor() {
    let root = talker();
    let mut sup = start(&root);
    let first = sup.wait_up("web");
    wait_lines(&root, "ready\n");
    say(&root, "hello\x1b[2J");
    say(&root, "die");
    wait_web(&sup, |service| is_up(service) && pid_of(service) != first);
    wait_lines(&root, "die\nready\n");
    assert_eq!(sup.stop(), 0);
    let text = logs(&root, &[]);
    let lines: Vec<&str> =
        text.lines().map(|line| line.split_once(' ').expect("a time").1).collect();
    assert_eq!(lines[0], format!("-- process {first} started --"));
    assert_eq!(
        &lines[1..5],
        ["ready", r"hello\u{1b}[2J", "die", &format!("-- process {first} exited with code 3 --")]
    );
    assert!(lines[5].ends_with(" started --"), "{text}");
    assert_eq!(lines[6], "ready");
    assert!(lines[7].contains(" was terminated by signal "), "{text}");

    let plain = |options: &[&str]| logs(&root, &[&["--format", "plain"], options].concat());
    assert_eq!(plain(&["--stream", "stderr"]), "ready\nready\n");
    assert_eq!(plain(&["--tail", "3"]), "ready\n", "marks are lines too");
    assert_eq!(plain(&["--grep", "hel", "--since", "-1h"]), "hello\\u{1b}[2J\n");
    assert_eq!(plain(&["--until", "2020-01-01T00:00:00Z"]), "");
    let json = logs(&root, &["--format", "json", "--tail", "1"]);
    let last: serde_json::Value = serde_json::from_str(json.trim()).expect("one object");
    assert_eq!(last["mark"], "exited");
    for name in ["web.default", "acme/web"] {
        let output = hab(&root, &["svc", "logs", name]).output().expect("hab");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn lines_of_hooks_are_among_those_of_their_service_except_checks() {
    let root = root_with_web(&[
        ("hooks/run", TALKER),
        ("hooks/install", "#!/bin/sh\necho installing\n"),
        ("hooks/init", "#!/bin/sh\necho preparing\necho 'half a line' >&2\n"),
        ("hooks/health-check", "#!/bin/sh\necho checked\n"),
        ("hooks/post-stop", "#!/bin/sh\nprintf 'cleaning up'\n"),
    ]);
    let mut sup = start(&root);
    sup.wait_up("web");
    wait_lines(&root, "ready\n");
    sup.wait_json("/services/web/default/health", |health| health["stdout"] == "checked\n");
    let plain = logs(&root, &["--format", "plain", "--stream", "stdout"]);
    assert_eq!(plain, "[install] installing\n[init] preparing\n");
    assert!(logs(&root, &["--stream", "stderr"]).contains("Z [init] half a line\n"));
    assert_eq!(sup.stop(), 0);
    let json = logs(&root, &["--format", "json", "--tail", "1"]);
    let last: serde_json::Value = serde_json::from_str(json.trim()).expect("one object");
    assert_eq!((&last["hook"], &last["text"]), (&"post-stop".into(), &"cleaning up".into()));
    assert!(!logs(&root, &[]).contains("checked"), "their results are in the health document");
}

#[test]
fn a_follower_sees_lines_while_no_supervisor_handles_anything() {
    let root = talker();
    let sup = start(&root);
    sup.wait_up("web");
    let mut follower = hab(&root, &["svc", "logs", "web", "-f", "--format", "plain"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("hab");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("more").expect("a line");
    assert_eq!(next(), "ready");
    let supervisor = sup.supervisor_pid().expect("a Supervisor").as_raw_pid();
    kill(supervisor, Signal::STOP);
    say(&root, "while it is stopped");
    assert_eq!(next(), "while it is stopped");
    kill(supervisor, Signal::KILL);
    say(&root, "while it is dead");
    assert_eq!(next(), "while it is dead");
    // Its reader is gone: it ends although nothing is printed.
    drop(lines);
    let ended = wait_for("the follower ends", || follower.try_wait().expect("a child"));
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_full_disk_costs_lines_which_a_mark_counts_and_never_the_service() {
    let root = talker();
    let Some(disk) = SmallDisk::below(&root) else { return };
    let sup = start(&root);
    let pid = sup.wait_up("web");
    wait_lines(&root, "ready\n");
    say(&root, "before");
    wait_lines(&root, "before\n");
    disk.fill();
    // More than what is left of the last page of the file.
    let long = "x".repeat(5_000);
    say(&root, &long);
    sup.wait_log("Lines of 'web.default' cannot be kept in");
    disk.empty();
    say(&root, "after");
    wait_lines(&root, "after\n");
    sup.wait_log("Lines of 'web.default' are kept again");
    let text = logs(&root, &[]);
    assert!(text.contains("-- 1 lines are missing: they could not be written --\n"), "{text}");
    assert!(!text.contains(&long), "half a line");
    assert!(lives(pid), "the service went on");
}

#[test]
fn without_room_no_lines_are_kept() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web", "--service-log-size", "0"]).start();
    sup.wait_up("web");
    sup.wait_log("web.default(O): run");
    assert!(!root.join("hab/sup/default/logs").exists());
}

#[test]
fn what_cannot_be_shown_is_said() {
    let root = root();
    let message = |args: &[&str]| {
        let output = hab(&root, &[&["svc", "logs"], args].concat()).output().expect("hab");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, text) = message(&["web"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("No service has printed anything on this machine"), "{text}");
    for group in ["web.blue", "web.green", "redis.default@acme"] {
        std::fs::create_dir_all(root.join("hab/sup/default/logs").join(group)).expect("made");
    }
    let (_, text) = message(&["web"]);
    assert!(text.contains("web is ambiguous. Give one of: web.blue, web.green."), "{text}");
    let (_, text) = message(&["../../etc"]);
    assert!(!text.contains("passwd"), "{text}");
    let (code, text) = message(&["webb"]);
    assert_eq!(code, Some(1));
    let all =
        "There are no lines of webb. There are lines of: redis.default@acme, web.blue, web.green.";
    assert!(text.contains(all), "{text}");
    assert_eq!(message(&["redis"]).0, Some(0));
    for bad in
        [["--since", "yesterday"], ["--tail", "1000001"], ["--tail", "-1"], ["--stream", "stdin"]]
    {
        let (code, text) = message(&[&["redis"], &bad[..]].concat());
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("error: "), "{text}");
    }
}
