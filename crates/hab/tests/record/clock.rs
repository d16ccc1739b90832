//! A clock that is set back or forward by a day.

use std::path::Path;

use roost_ident::time::parse_rfc3339_ms;
use serde_json::Value;
use testkit::{Root, Supervisor, skip, wait_for};

use super::{
    following::{Client, Form},
    recorded, root_with, seq, svc, wait_written,
};

/// Where Debian's package `faketime` has it.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A Supervisor whose clock differs from the real one by what stands in the file `clock`.
fn start(root: &Root, former: Option<&Supervisor>) -> Supervisor {
    let clock = root.join("clock");
    let mut builder = root
        .supervisor()
        .env("LD_PRELOAD", LIBRARY)
        .env("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    if let Some(former) = former {
        builder = builder.in_place_of(former);
    }
    builder.start()
}

fn can_fake() -> bool {
    let can = Path::new(LIBRARY).exists();
    if !can {
        skip(&format!("{LIBRARY} does not exist"));
    }
    can
}

/// Every event in the order of its number, none twice, whatever the clock was.
fn expect_record(sup: &Supervisor, former: &[Value]) -> Vec<Value> {
    let events = recorded(sup);
    assert_eq!(events[..former.len()], *former, "an event is lost");
    assert!(events.windows(2).all(|pair| seq(&pair[0]) < seq(&pair[1])));
    let mut client = Client::default();
    client.read_to(events.last().map_or(0, seq), sup.http, Form::Lines);
    client.expect_sequence();
    let availability = sup.get("/v1/services/web.default/availability").json();
    let windows = availability["windows"].as_array().expect("windows");
    assert_eq!(windows.len(), 4, "{windows:?}");
    for (window, days) in windows.iter().zip([1, 7, 30, 90]) {
        let moment = |key: &str| {
            let text = window[key].as_str().expect("a moment");
            parse_rfc3339_ms(text).expect("a moment")
        };
        let (from, to) = (moment("from"), moment("to"));
        assert_eq!(from % HOUR_MS, 0, "it begins with an hour: {window}");
        assert_eq!(from / HOUR_MS, (to - days * DAY_MS) / HOUR_MS, "{window}");
        let times = window["states_ms"].as_object().expect("times");
        let sum: u64 = times.values().filter_map(Value::as_u64).sum();
        let missing = window["not_recorded_ms"].as_u64().expect("a time");
        assert_eq!(sum + missing, to - from, "{window}");
    }
    assert_eq!(sup.get("/v1/services/web.default/timeline").status(), 200);
    events
}

/// The day of an event.
fn day(event: &Value) -> &str {
    event["time"].as_str().and_then(|time| time.get(..10)).expect("a time")
}

#[test]
fn a_clock_that_is_set_while_the_supervisor_runs_costs_no_event() {
    if !can_fake() {
        return;
    }
    let root = root_with(&["web"]);
    root.write("clock", "+0");
    let sup = start(&root, None);
    sup.wait_up("web");
    wait_written(&sup);
    let mut former = recorded(&sup);
    // The condition `clock_jumped` comes from the kernel, whose clock is not set here.
    for offset in ["-1d", "+1d"] {
        root.write("clock", offset);
        svc(&sup, "stop", "web");
        sup.wait_json("/v1/services/web.default", |service| service["state"] == "down");
        svc(&sup, "start", "web");
        sup.wait_up("web");
        wait_written(&sup);
        let events = expect_record(&sup, &former);
        let (before, after) = (former.last().expect("one"), events.last().expect("one"));
        assert_ne!(day(before), day(after), "{after}");
        former = events;
    }
    // An age counts from the clock of now; events of the day that was yesterday are there.
    let page = sup.get("/v1/events?until=-12h&limit=1000").json();
    let old = page["items"].as_array().expect("events").len();
    assert!(old > 0 && old < former.len(), "{old} of {}", former.len());
}

#[test]
fn a_clock_that_is_set_between_two_supervisors_costs_no_event() {
    if !can_fake() {
        return;
    }
    let root = root_with(&["web"]);
    root.write("clock", "+0");
    let mut sup = start(&root, None);
    sup.wait_up("web");
    let mut former = recorded(&sup);
    for offset in ["-1d", "+1d", "+0"] {
        // The end of the former one is part of the record.
        assert_eq!(sup.stop(), 0);
        root.write("clock", offset);
        sup = start(&root, Some(&sup));
        sup.wait_up("web");
        wait_for("the first check", || {
            (sup.get("/services/web/default/health").status() == 200).then_some(())
        });
        wait_written(&sup);
        let last = former.last().cloned().expect("one");
        former = expect_record(&sup, &former);
        assert_ne!(day(&last), day(former.last().expect("one")), "the clock was not set");
        let recovered = sup.get("/v1/events?type=supervisor.recovered").json();
        assert_eq!(recovered["items"], Value::Array(Vec::new()), "every end was in order");
    }
}
