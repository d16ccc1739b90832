//! Output in torrents: of a service, and of its health check.

use std::{path::Path, process::Command, time::Instant};

use roost_logs::{Selection, Tag};
use rustix::process::Pid;
use testkit::{Root, Supervisor, wait_for};

use crate::{is_up, lives, root_with_web, wait_web};

/// The largest resident memory of a process so far.
fn peak_kb(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    let status = status.expect("it lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    peak.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

/// What both processes need at most, whatever a service prints; far below what it prints.
fn expect_little_memory(sup: &Supervisor) {
    let supervisor = peak_kb(wait_for("a Supervisor", || sup.supervisor_pid()));
    let launcher = peak_kb(sup.launcher_pid());
    println!("peaks: launcher {launcher} kB, Supervisor {supervisor} kB");
    assert!(launcher < 64 << 10, "the launcher used {launcher} kB");
    assert!(supervisor < 128 << 10, "the Supervisor used {supervisor} kB");
}

fn logs_of(root: &Root) -> std::path::PathBuf {
    root.join("hab/sup/default/logs/web.default")
}

fn kept_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("files");
    entries.map(|it| it.expect("a file").metadata().expect("a size").len()).sum()
}

/// The kept lines with their tags, the oldest first.
fn kept(root: &Root) -> Vec<(Tag, String)> {
    let mut lines = Vec::new();
    let selection = Selection::default();
    roost_logs::read(&logs_of(root), &selection, |record| {
        lines.push((record.line.tag, record.line.text.to_string()));
        std::ops::ControlFlow::Continue(())
    })
    .expect("readable");
    lines
}

/// Waits for a file that the service writes when it has printed everything. Far more patient than
/// other tests: a gigabyte takes a while.
fn wait_printed(root: &Root) {
    let done = root.join("hab/svc/web/data/done");
    let mut patience = 10;
    while !done.exists() {
        let mut looks = 0;
        wait_for("a look", || {
            looks += 1;
            (looks > 3_000 || done.exists()).then_some(())
        });
        patience -= 1;
        assert!(patience > 0, "the service is blocked");
    }
}

/// Prints so many bytes as one line, then a last one.
fn one_line_of(bytes: u64) {
    let run = format!(
        "#!/bin/sh\nhead -c {bytes} /dev/zero | tr '\\0' y\necho\necho last\n\
         touch {{{{pkg.svc_data_path}}}}/done\nexec sleep 100000\n"
    );
    let root = root_with_web(&[("hooks/run", &run)]);
    let started = Instant::now();
    let sup = root.supervisor().args(["acme/web"]).start();
    wait_printed(&root);
    println!("{bytes} bytes without a line end in {:?}", started.elapsed());
    wait_for("the last line", || kept(&root).last().is_some_and(|it| it.1 == "last").then_some(()));
    let lines = kept(&root);
    let is_long =
        |(tag, text): &&(Tag, String)| *tag != Tag::Started && *tag != Tag::Lost && text != "last";
    assert!(lines.iter().filter(is_long).all(|(_, text)| text.bytes().all(|byte| byte == b'y')));
    assert!(kept_bytes(&logs_of(&root)) < 9 << 20);
    expect_little_memory(&sup);
    assert!(is_up(&wait_web(&sup, is_up)));
}

#[test]
fn a_line_of_many_megabytes_costs_no_memory() {
    one_line_of(64 << 20);
}

#[test]
#[ignore = "takes a minute: run it with --ignored"]
fn a_line_of_a_gigabyte_costs_no_memory() {
    one_line_of(1 << 30);
}

/// Prints so many numbered lines as fast as they are taken.
fn lines_at_once(lines: u64) {
    let run = format!(
        "#!/bin/sh\nseq 1 {lines}\ntouch {{{{pkg.svc_data_path}}}}/done\nexec sleep 100000\n"
    );
    let root = root_with_web(&[("hooks/run", &run)]);
    let started = Instant::now();
    let sup = root.supervisor().args(["acme/web"]).start();
    wait_printed(&root);
    let seconds = started.elapsed().as_secs_f64();
    println!("{lines} lines in {seconds:.1} s, {:.0} lines/s", lines as f64 / seconds);
    let last = lines.to_string();
    wait_for("the last line, or that it is missing", || {
        let (tag, text) = kept(&root).pop()?;
        (text == last || tag == Tag::Lost).then_some(())
    });
    // What is no longer kept is before the first line; behind it every hole has its mark.
    let (mut before, mut missing, mut counted) = (None, 0, 0);
    for (tag, text) in kept(&root) {
        match tag {
            Tag::Lost => missing += text.parse::<u64>().expect("a count"),
            Tag::Started => {}
            _ => {
                let number: u64 = text.parse().expect("a whole line");
                if let Some(before) = before {
                    assert_eq!(number, before + 1 + missing, "reordered, or lost without a mark");
                }
                counted += missing;
                (before, missing) = (Some(number), 0);
            }
        }
    }
    println!("{counted} of them are marked as lost");
    assert_eq!(before.map(|before| before + missing), Some(lines));
    expect_little_memory(&sup);
}

#[test]
fn lines_come_faster_than_any_disk_and_none_is_missing_without_a_mark() {
    lines_at_once(500_000);
}

/// A health check that prints so much, and leaves a child that goes on printing.
fn check_that_prints(bytes: u64) {
    let check = format!(
        "#!/bin/sh\nsleep 100000 &\necho $! >> {{{{pkg.svc_data_path}}}}/left\n\
         head -c {bytes} /dev/zero | tr '\\0' z\necho\necho end\n"
    );
    let root = root_with_web(&[("hooks/health-check", &check)]);
    let sup = root.supervisor().args(["acme/web", "--health-check-interval", "3600"]).start();
    let mut looks = 0;
    let path = "/services/web/default/health";
    let mut patience = 10;
    while sup.get(path).json()["status"] != "OK" {
        wait_for("a look", || {
            looks += 1;
            (looks % 1_000 == 0 || sup.get(path).json()["status"] == "OK").then_some(())
        });
        patience -= 1;
        assert!(patience > 0, "{}", sup.get(path).text());
    }
    let text = sup.get(path).json()["stdout"].as_str().expect("text").to_owned();
    assert!(text.ends_with("z\nend\n") && text.contains("bytes cut]"), "{}", &text[..60]);
    assert!(text.len() < 66 << 10, "{}", text.len());
    let results = sup.get("/v1/services/web.default/health").json();
    let output = results["checks"][0]["results"][0]["output"].as_str().expect("text").len();
    assert!(output <= 4 << 10, "{output}");
    expect_little_memory(&sup);
    let left = root.read("hab/svc/web/data/left");
    let left: i32 = left.lines().next().and_then(|pid| pid.parse().ok()).expect("a process");
    assert!(lives(left), "what a hook starts in the background is its own affair");
    // The command line is answered meanwhile.
    let output = Command::new(root.program())
        .args(["svc", "status"])
        .args(["-r", &sup.ctl.to_string()])
        .env("FS_ROOT", root.path())
        .output()
        .expect("hab");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_check_that_prints_many_megabytes_and_forks_costs_no_memory() {
    check_that_prints(64 << 20);
}

#[test]
#[ignore = "takes a minute: run it with --ignored"]
fn a_check_that_prints_a_gigabyte_and_forks_costs_no_memory() {
    check_that_prints(1 << 30);
}
