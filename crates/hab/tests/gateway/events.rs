//! The record: pages and streams of events, over restarts of the Supervisor.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;
use testkit::{Supervisor, wait_for};

use super::{root, root_with_web};

/// Far longer than anything takes: only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of events as lines of JSON, after this number.
fn follow(sup: &Supervisor, after: u64) -> impl Iterator<Item = Value> {
    let mut stream = TcpStream::connect(sup.http).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let head = format!(
        "GET /v1/events/stream HTTP/1.1\r\nhost: x\r\naccept: application/x-ndjson\r\n\
         last-event-id: {after}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("a request");
    // Lines of the head and of chunks are not objects.
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(&line).expect("JSON"))
}

fn page(sup: &Supervisor, query: &str) -> Value {
    let answer = sup.get(&format!("/v1/events?{query}"));
    assert_eq!(answer.status(), 200, "{query}: {}", answer.text());
    answer.json()
}

fn numbers(items: &Value) -> Vec<u64> {
    items.as_array().into_iter().flatten().filter_map(|item| item["seq"].as_u64()).collect()
}

#[test]
fn events_outlive_a_killed_supervisor_and_streams_resume_without_a_hole() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let first = follow(&sup, 0).next().unwrap();
    assert_eq!(first["type"], "supervisor.started", "{first}");
    assert_eq!(first["seq"], 1);

    // On disk, since a kill comes at once.
    let journal = root.path().join("hab/sup/default/journal.redb");
    wait_for("the journal", || {
        let bytes = std::fs::read(&journal).ok()?;
        bytes.windows(18).any(|part| part == b"supervisor.started").then_some(())
    });
    let former = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(former, rustix::process::Signal::KILL).expect("killed");
    wait_for("another Supervisor", || sup.supervisor_pid().filter(|pid| *pid != former));
    sup.wait_up("web");
    let recovered =
        wait_for("the event", || page(&sup, "type=supervisor.recovered")["items"].get(0).cloned());
    let lost = &recovered["data"];
    let (from, to) = (lost["first_missing"].as_u64(), lost["last_missing"].as_u64());

    let all = page(&sup, "order=oldest&limit=1000");
    let expected = numbers(&all["items"]);
    assert_eq!(all["next"], Value::Null);
    assert_eq!(all["partial"], false);
    let mut seen = Vec::new();
    for line in follow(&sup, 0) {
        match line.get("gap") {
            Some(gap) => assert_eq!((gap["first"].as_u64(), gap["last"].as_u64()), (from, to)),
            None => seen.extend(line["seq"].as_u64()),
        }
        if seen.last() == expected.last() {
            break;
        }
    }
    assert_eq!(seen, expected);

    let mut newest = page(&sup, "limit=2");
    let mut pages = numbers(&newest["items"]);
    while let Some(next) = newest["next"].as_str().map(str::to_owned) {
        newest = page(&sup, &format!("limit=2&cursor={next}"));
        pages.extend(numbers(&newest["items"]));
    }
    pages.reverse();
    assert_eq!(pages[..expected.len()], expected[..]);
}

#[test]
fn an_event_is_shown_with_what_it_follows_from() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let up = page(&sup, "type=service.up")["items"][0]["seq"].as_u64().expect("an event");
    let chain = page(&sup, &format!("causes_of={up}"));
    let items = chain["items"].as_array().expect("a list");
    assert_eq!(items[0]["seq"], up);
    let types: Vec<_> = items.iter().map(|item| &item["type"]).collect();
    assert_eq!(types[..3], ["service.up", "process.started", "service.starting"], "{chain:#}");
    for pair in items.windows(2) {
        assert_eq!(pair[0]["cause"], pair[1]["seq"], "{chain:#}");
    }
    let mut oldest = numbers(&page(&sup, &format!("causes_of={up}&order=oldest"))["items"]);
    oldest.reverse();
    assert_eq!(oldest, numbers(&chain["items"]));
    assert_eq!(numbers(&page(&sup, &format!("causes_of={up}&limit=1"))["items"]), [up]);
    assert_eq!(page(&sup, "causes_of=999999")["items"], serde_json::json!([]));
}

#[test]
fn what_cannot_be_asked_of_the_record_is_refused() {
    let root = root();
    let sup = root.supervisor().start();
    for (query, code) in [
        ("cursor=o1", "bad_cursor"),
        ("cursor=x", "bad_cursor"),
        ("causes_of=7&cursor=n7", "bad_cursor"),
        ("causes_of=0", "bad_parameter"),
        ("topic=nonsense", "bad_parameter"),
        ("limit=1001", "bad_parameter"),
        ("since=tomorrow", "bad_parameter"),
        ("grep=x", "bad_parameter"),
    ] {
        let answer = sup.get(&format!("/v1/events?{query}"));
        assert_eq!(answer.status(), 400, "{query}");
        assert_eq!(answer.json()["code"], code, "{query}");
    }
    assert_eq!(sup.get("/v1/services/none.default/events").status(), 404);
    assert_eq!(page(&sup, "service=none.default")["items"], serde_json::json!([]));
    assert_eq!(page(&sup, "since=2999-01-01T00:00:00Z")["items"], serde_json::json!([]));
}

#[test]
fn a_journal_that_cannot_be_read_costs_no_start_and_is_recorded() {
    let root = root_with_web();
    let directory = root.path().join("hab/sup/default");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("journal.redb"), vec![7; 100_000]).unwrap();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let event =
        wait_for("the event", || page(&sup, "type=journal.recovered")["items"].get(0).cloned());
    testkit::events::Documented::read().check(&event);
    assert!(event["message"].as_str().unwrap().contains("journal.redb.corrupt"), "{event}");
    assert!(directory.join("journal.redb.corrupt").exists());
}

#[test]
fn the_history_of_a_service_tells_why_it_was_restarted() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    wait_for("the restart", || (sup.wait_up("web") != pid.as_raw_nonzero().get()).then_some(()));
    let lines = |args: &[&str]| -> String {
        let output = sup.hab(args.iter().copied());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let history = lines(&["svc", "history", "web"]);
    let exit = history.find("killed by signal 9").expect("the end of the process");
    let rest = &history[exit..];
    assert!(rest.contains("web.default starts") && rest.contains("because of ["), "{history}");
    let json = lines(&["events", "--format", "json", "--type", "process.exited", "--limit", "1"]);
    let event: Value = serde_json::from_str(&json).expect("one event");
    assert_eq!((&event["data"]["signal"], &event["service"]), (&9.into(), &"web.default".into()));
    let of_another = lines(&["events", "--service", "other.default"]);
    assert_eq!(of_another, "");
    assert!(!sup.hab(["events", "--topic", "nonsense"]).status.success());
}

#[test]
fn a_crash_is_an_incident_and_a_stop_is_not() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    wait_for("the restart", || (sup.wait_up("web") != pid.as_raw_nonzero().get()).then_some(()));
    super::ok(&sup, &["svc", "stop", "web"]);
    sup.wait_json("/services/web/default", |service| service["process"]["state"] == "down");
    let availability = sup.wait_json("/v1/services/web.default/availability", |document| {
        document["incidents"].as_array().is_some_and(|all| all.len() == 1)
    });
    let incident = &availability["incidents"][0];
    assert!(incident["reason"].as_str().unwrap_or_default().contains("signal 9"), "{incident}");
    assert!(incident["to"].is_string(), "{incident}");
    for window in availability["windows"].as_array().into_iter().flatten() {
        let times = window["states_ms"].as_object().expect("times");
        let sum: u64 = times.values().filter_map(Value::as_u64).sum();
        let sum = sum + window["not_recorded_ms"].as_u64().expect("a time");
        let hours = match window["window"].as_str().expect("a name") {
            "24h" => 24,
            "7d" => 7 * 24,
            "30d" => 30 * 24,
            _ => 90 * 24,
        };
        let time = |key: &str| {
            let time = window[key].as_str().and_then(roost_ident::time::parse_rfc3339_ms);
            time.expect("a time")
        };
        assert_eq!(sum, time("to") - time("from"), "{window}");
        // it begins with a full hour
        assert!((hours..=hours + 1).contains(&(sum / 3_600_000)), "{window}");
        assert_eq!(time("from") % 3_600_000, 0, "{window}");
    }
    let timeline = sup.get("/v1/services/web.default/timeline?buckets=3").json();
    assert_eq!(timeline["buckets"].as_array().map(Vec::len), Some(3));
    assert!(timeline["buckets"][0]["state"].is_null(), "{timeline}");
}

#[test]
fn a_start_that_fails_is_not_taken_for_a_supervisor_that_was_killed() {
    let root = root();
    let taken = root.supervisor().start();
    let other = root_with_web();
    let port = taken.http.port().to_string();
    let address = format!("{}:{port}", taken.http.ip());
    let mut failed =
        other.supervisor().without_http_address().args(["--listen-http", &address]).spawn();
    assert_eq!(failed.wait_exit(), 86);
    let sup = other.supervisor().start();
    let started = page(&sup, "type=supervisor.started");
    assert_eq!(numbers(&started["items"]), [1]);
    assert_eq!(page(&sup, "type=supervisor.recovered")["items"], serde_json::json!([]));
}
