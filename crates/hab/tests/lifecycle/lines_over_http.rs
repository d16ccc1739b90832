//! Lines of services over HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

use crate::{kill, lives, pid_of, root_with_web, wait_web};

/// Prints what is written to the file `say` in its data: one line each.
const TALKER: &str = "#!/bin/sh\n\
    say={{pkg.svc_data_path}}/say\n\
    rm -f $say; mkfifo $say; exec 3<>$say\n\
    echo ready >&2\n\
    while read -r line <&3; do echo \"$line\"; done\n";

/// A response without chunks, which HTTP/1.0 does not have: it ends with its connection.
fn open(sup: &Supervisor, path: &str, accept: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(sup.http).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
    let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\naccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    assert!(line.contains(" 200 "), "{path}: {line}");
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).expect("a header");
    }
    reader
}

fn lines(sup: &Supervisor, query: &str, accept: &str) -> String {
    let mut text = String::new();
    let path = format!("/v1/services/web.default/logs{query}");
    open(sup, &path, accept).read_to_string(&mut text).expect("text");
    text
}

fn next(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    line.trim_end().to_owned()
}

fn say(root: &Root, line: &str) {
    let path = root.join("hab/svc/web/data/say");
    wait_for("the service listens", || {
        path.exists().then(|| std::fs::write(&path, format!("{line}\n")).ok())
    });
}

fn talker(args: &[&str]) -> (Root, Supervisor) {
    let root = root_with_web(&[("hooks/run", TALKER)]);
    let sup = root.supervisor().args([&["acme/web"], args].concat()).start();
    sup.wait_up("web");
    wait_for("its first line", || lines(&sup, "", "*/*").contains("ready\n").then_some(()));
    (root, sup)
}

#[test]
fn lines_are_selected_over_http_and_bad_requests_are_refused() {
    let (root, sup) = talker(&[]);
    for number in 0..150 {
        say(&root, &format!("number {number}"));
    }
    wait_for("the last line", || lines(&sup, "", "*/*").contains("number 149\n").then_some(()));
    let text = lines(&sup, "", "*/*");
    assert_eq!(text.lines().count(), 100, "the newest lines");
    assert!(
        text.starts_with("20") && text.lines().next().is_some_and(|it| it.ends_with(" number 50"))
    );
    let text = lines(&sup, "?grep=number+14&tail=3", "*/*");
    let found: Vec<&str> = text.lines().map(|line| &line[25..]).collect();
    assert_eq!(found, ["number 147", "number 148", "number 149"]);
    assert!(lines(&sup, "?stream=stderr&since=-1h", "*/*").ends_with(" ready\n"));
    assert_eq!(lines(&sup, "?until=2020-01-01T00:00:00Z", "*/*"), "");
    assert_eq!(lines(&sup, "?tail=0", "*/*"), "");
    let json = lines(&sup, "?tail=2", "application/x-ndjson");
    let records: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        (&records[1]["text"], &records[1]["stream"]),
        (&"number 149".into(), &"stdout".into())
    );
    assert!(records[0]["sequence"].as_u64() < records[1]["sequence"].as_u64());

    let megabyte = "x".repeat(1 << 20);
    let refused = |query: &str| {
        let answer = sup.send("GET", &format!("/v1/services/web.default/logs?{query}"), &[]);
        answer.map_or(0, |answer| answer.status())
    };
    for query in ["grep=", "tail=10001", "tail=-1", "since=yesterday", "stream=stdin", "lines=3"] {
        assert_eq!(refused(query), 400, "{query}");
    }
    assert_eq!(refused(&format!("grep={}", "x".repeat(1025))), 400);
    assert_ne!(refused(&format!("grep={megabyte}")), 200);
    for path in ["..%2F..%2Fetc", "web.default%2F..", "..", "web.default/..", "nosuch.default"] {
        let answer = sup.get(&format!("/v1/services/{path}/logs"));
        assert!([400, 404].contains(&answer.status()), "{path}: {answer:?}");
    }
    assert!(lives(pid_of(&sup.get("/services/web/default").json())));
}

#[test]
fn a_redacted_supervisor_gives_no_lines_away() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).env("HAB_FEAT_REDACT_HTTP", "1").start();
    sup.wait_up("web");
    assert_eq!(sup.get("/v1/services/web.default/logs").status(), 404);
}

#[test]
fn a_follower_sees_every_line_once_and_in_order_over_rotations() {
    // Four files of 256 KiB.
    let (root, sup) = talker(&["--service-log-size", "1"]);
    let path = "/v1/services/web.default/logs?follow&tail=0&stream=stdout";
    let mut reader = open(&sup, path, "text/plain");
    let long = "x".repeat(3_000);
    // The writer is at most this many lines ahead: a follower that is further behind than the files
    // reach back loses lines, which is another case.
    let (ahead, read) = std::sync::mpsc::sync_channel(50);
    std::thread::scope(|scope| {
        // A reader that fails takes its end of the channel along, which ends the writer.
        let (root, long, read) = (&root, &long, read);
        scope.spawn(move || {
            for number in 0..300 {
                // An error means that the reader has failed.
                if ahead.send(()).is_err() {
                    return;
                }
                say(root, &format!("{number} {long}"));
            }
        });
        for number in 0..300 {
            let line = next(&mut reader);
            read.recv().expect("the writer is ahead");
            assert!(line.contains(&format!(" {number} x")), "{number}: {}", &line[..40]);
        }
    });
    let files = std::fs::read_dir(root.join("hab/sup/default/logs/web.default")).expect("files");
    assert!(files.count() > 2, "it rotated");
    assert!(lines(&sup, "?grep=299", "*/*").contains(" 299 x"));
}

#[test]
fn output_without_an_end_and_bytes_that_are_no_text_cost_neither_memory_nor_order() {
    let run = "#!/bin/sh\n\
        head -c 24000000 /dev/zero | tr '\\0' y\n\
        while :; do printf '\\377\\376 bad\\nlast\\n'; sleep 1; done\n";
    let root = root_with_web(&[("hooks/run", run)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let last = wait_for("the last line", || {
        let text = lines(&sup, "?tail=2", "application/x-ndjson");
        text.contains("\"last\"").then_some(text)
    });
    let before: Value = serde_json::from_str(last.lines().next().expect("two")).expect("JSON");
    let text = before["text"].as_str().expect("text");
    assert!(text.ends_with("\u{fffd}\u{fffd} bad"), "{text}");
    let parts = lines(&sup, "?since=-1h&grep=yyy", "application/x-ndjson");
    // What the disk is too slow for is counted: the queue of the launcher is bounded.
    let is_part = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["partial"] == true || line["text"].as_str().is_some_and(|it| it.ends_with("bad"))
    };
    assert!(parts.lines().all(is_part));
    let entries = std::fs::read_dir(root.join("hab/sup/default/logs/web.default")).expect("files");
    let bytes: u64 = entries.map(|it| it.expect("a file").metadata().expect("a size").len()).sum();
    assert!(bytes < 9 << 20, "{bytes}");
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", sup.launcher_pid().as_raw_nonzero()));
    let status = status.expect("it lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a figure");
    let kilobytes: u64 = peak.split_whitespace().next().expect("a number").parse().expect("one");
    assert!(kilobytes < 64 << 10, "the launcher used {kilobytes} kB");
}

/// Prints numbers as fast as it can; each process begins again at 1.
const COUNTER: &str = "#!/bin/sh\nn=0\nwhile :; do n=$((n+1)); echo \"n $n\" || exit; done\n";

#[test]
fn lines_stay_in_order_when_launcher_and_supervisor_are_killed() {
    let root = root_with_web(&[("hooks/run", COUNTER)]);
    let count = |root: &Root| {
        let directory = root.join("hab/sup/default/logs/web.default");
        let mut numbers = Vec::new();
        roost_logs::read(&directory, &roost_logs::Selection::default(), |record| {
            let text = record.line.text;
            let number = match record.line.tag.mark() {
                None => text.strip_prefix("n ").and_then(|it| it.parse::<u64>().ok()),
                Some("lost") => None,
                Some(_) => Some(0),
            };
            assert!(number.is_some() || record.line.tag.mark().is_some(), "half a line: {text:?}");
            numbers.extend(number);
            std::ops::ControlFlow::Continue(())
        })
        .expect("readable");
        numbers
    };
    for _ in 0..3 {
        let sup = root.supervisor().args(["acme/web"]).start();
        let before = count(&root).len();
        wait_for("more lines", || (count(&root).len() > before + 1_000).then_some(()));
        let supervisor = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero().get();
        kill(supervisor, Signal::KILL);
        kill(sup.launcher_pid().as_raw_nonzero().get(), Signal::KILL);
        drop(sup);
        root.lose_power();
    }
    let numbers = count(&root);
    for pair in numbers.windows(2) {
        // A new process begins at 1; lines that the kill cost are missing before that.
        assert!(pair[1] > pair[0] || pair[1] <= 1, "{} after {}", pair[1], pair[0]);
    }
    let sup = root.supervisor().args(["acme/web"]).start();
    wait_web(&sup, |service| pid_of(service) > 0);
    assert!(lines(&sup, "?tail=5", "*/*").lines().count() == 5);
}
