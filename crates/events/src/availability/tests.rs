use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    Event, EventDocument, Fact, Kind, LAST_SEEN, PRINTED_OUTPUT, availability::hours::start_of_hour,
};

const S: u64 = 1000;
/// The beginning of an hour.
const START_MS: u64 = 472_222 * 3_600 * S;

/// Events with their times in seconds from the start.
fn events(facts: Vec<(u64, Fact)>) -> Vec<Event> {
    let event = |(seq, (at_s, fact))| {
        let time_ms = START_MS + at_s * S;
        Event { seq: Seq(seq), time_ms, cause: None, fact }
    };
    (1..).zip(facts).map(event).collect()
}

fn ledger(facts: Vec<(u64, Fact)>, now_s: u64) -> Ledger {
    let mut ledger = Ledger::default();
    for event in events(facts) {
        // as a reader of the journal has it
        ledger.take(&Seen::from(&EventDocument::from(&event)));
    }
    ledger.at(START_MS + now_s * S)
}

/// The same without hours: each time in one state.
fn spans(events: &[Event], now_ms: u64) -> Vec<Span> {
    let (mut account, mut entries) = (Account::default(), Vec::new());
    events.iter().for_each(|event| account.take(&Seen::from(event), &mut entries));
    account.end(now_ms, &mut entries);
    let span = |entry| if let Entry::Span(span) = entry { Some(span) } else { None };
    entries.into_iter().filter_map(span).collect()
}

fn state(kind: Kind) -> Fact {
    Fact::new(kind, kind.as_str()).of("web.default")
}

fn health(after: &str) -> Fact {
    let fact = Fact::new(Kind::HealthChanged, format!("health is {after}")).change(None, after);
    fact.with(PRINTED_OUTPUT, vec![format!("it is {after}")])
}

fn exit(cause: &str) -> Fact {
    Fact::new(Kind::ProcessExited, "killed by signal 9").with("cause", cause)
}

fn seconds(ledger: &Ledger, now_s: u64) -> Vec<(Availability, u64)> {
    let tally = ledger.hours.tally(hour_of(START_MS), START_MS + now_s * S);
    tally.states_ms.into_iter().map(|(state, ms)| (state, ms / S)).collect()
}

#[test]
fn a_stop_that_was_asked_for_does_not_count_and_a_restart_does() {
    let ledger = ledger(
        vec![
            (0, state(Kind::ServiceStarting)),
            (1, state(Kind::ServiceUp)),
            (101, state(Kind::ServiceStopping)),
            (105, state(Kind::ServiceDown)),
            (200, state(Kind::ServiceStarting)),
            (201, state(Kind::ServiceUp)),
            (301, state(Kind::ServiceStopping)),
            (304, state(Kind::ServiceStarting)),
            (305, state(Kind::ServiceUp)),
        ],
        405,
    );
    assert_eq!(
        seconds(&ledger, 405),
        [
            (Availability::Down, 99),
            (Availability::Up, 300),
            (Availability::Stopping, 3),
            (Availability::Starting, 3),
        ]
    );
    assert_eq!(ledger.incidents, []);
    let tally = ledger.hours.tally(hour_of(START_MS), START_MS + 405 * S);
    assert_eq!((tally.available_ms(), tally.expected_ms()), (300 * S, 306 * S));
}

#[test]
fn an_incident_says_what_happened_and_what_was_printed() {
    let ledger = ledger(
        vec![
            (0, state(Kind::ServiceUp)),
            (0, health("ok")),
            (100, health("critical")),
            (160, health("ok")),
            (300, exit("unexpected")),
            (300, state(Kind::ServiceStarting)),
            (301, state(Kind::ServiceUp)),
            (310, exit("unexpected")),
            (310, state(Kind::ServiceBackingOff)),
            (320, state(Kind::ServiceStarting)),
            (321, state(Kind::ServiceUp)),
        ],
        1000,
    );
    let [check, crash] = &ledger.incidents[..] else { panic!("{:?}", ledger.incidents) };
    assert_eq!((check.from_ms, check.to_ms), (START_MS + 100 * S, Some(START_MS + 160 * S)));
    assert_eq!((check.worst, check.event), (Availability::Critical, Seq(3)));
    assert_eq!(check.printed, ["it is critical"]);
    // Ten seconds between two failures end nothing.
    assert_eq!((crash.from_ms, crash.to_ms), (START_MS + 300 * S, Some(START_MS + 321 * S)));
    assert_eq!(
        (crash.worst, crash.reason.as_str()),
        (Availability::BackingOff, "killed by signal 9")
    );
}

fn up_after_a_start() -> Fact {
    state(Kind::ServiceUp).change(Some("starting"), "up")
}

#[test]
fn a_check_that_is_critical_before_the_first_ok_of_a_start_is_part_of_it() {
    let start = |first: u64, ok_s: u64| {
        vec![
            (first, state(Kind::ServiceStarting)),
            (first, health("unknown")),
            (first + 1, up_after_a_start()),
            (first + 2, health("critical")),
            (first + ok_s, health("ok")),
        ]
    };
    assert_eq!(ledger(start(0, 10), 100).incidents, []);

    let long = ledger(start(0, 11), 100).incidents;
    let [long] = &long[..] else { panic!("{long:?}") };
    assert_eq!((long.from_ms, long.to_ms), (START_MS, Some(START_MS + 11 * S)));
    assert_eq!((long.worst, long.reason.as_str()), (Availability::Critical, "health is critical"));

    // What fails afterwards explains itself.
    let mut facts = start(0, 3);
    facts.extend([(9, exit("unexpected")), (9, state(Kind::ServiceBackingOff))]);
    let failed = ledger(facts, 12).incidents;
    let [failed] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!((failed.from_ms, failed.reason.as_str()), (START_MS + 9 * S, "killed by signal 9"));
    let mut facts = start(0, 3);
    facts.truncate(4);
    facts.extend([(9, exit("unexpected")), (9, state(Kind::ServiceBackingOff))]);
    let failed = ledger(facts, 12).incidents;
    let [failed] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!((failed.from_ms, failed.reason.as_str()), (START_MS, "killed by signal 9"));

    // One that was taken back has been up before.
    let taken_back = vec![(0, state(Kind::ServiceUp)), (1, health("critical")), (2, health("ok"))];
    assert_eq!(ledger(taken_back, 100).incidents.len(), 1);
}

#[test]
fn starts_that_never_pass_a_check_are_one_incident() {
    let mut facts = Vec::new();
    for at_s in (0..60).step_by(6) {
        facts.extend([
            (at_s, state(Kind::ServiceStarting)),
            (at_s, up_after_a_start()),
            (at_s + 1, health("critical")),
            (at_s + 5, state(Kind::ServiceStopping)),
            (at_s + 5, health("unknown")),
        ]);
    }
    let incidents = ledger(facts, 70).incidents;
    let [incident] = &incidents[..] else { panic!("{incidents:?}") };
    assert_eq!((incident.worst, &*incident.reason), (Availability::Critical, "health is critical"));
}

#[test]
fn a_crash_loop_is_one_incident_while_the_service_also_stops() {
    let mut facts = Vec::new();
    for at_s in (0..60).step_by(3) {
        facts.extend([
            (at_s, state(Kind::ServiceStarting)),
            (at_s, up_after_a_start()),
            (at_s, health("ok")),
            (at_s + 1, exit("unexpected")),
            // its hook `post-stop` runs
            (at_s + 1, state(Kind::ServiceStopping)),
            (at_s + 1, health("unknown")),
            (at_s + 2, state(Kind::ServiceBackingOff)),
        ]);
    }
    for end in [facts.len(), facts.len() - 1] {
        let facts = facts[..end].to_vec();
        let incidents = ledger(facts, 60).incidents;
        let [incident] = &incidents[..] else { panic!("{incidents:?}") };
        assert_eq!((incident.from_ms, incident.to_ms), (START_MS + S, None));
        assert_eq!(incident.reason, "killed by signal 9");
    }
}

#[test]
fn time_without_a_supervisor_is_unknown_and_not_up() {
    let seen = roost_ident::time::rfc3339_ms(START_MS + 60 * S);
    let started = Fact::new(Kind::SupervisorStarted, "started").with(LAST_SEEN, seen);
    let ledger = ledger(
        vec![(0, state(Kind::ServiceUp)), (100, started), (101, state(Kind::ServiceUp))],
        201,
    );
    assert_eq!(seconds(&ledger, 201), [(Availability::Up, 160), (Availability::Unknown, 41)]);
}

#[test]
fn parts_of_a_window_show_the_worst_state() {
    let ledger =
        ledger(vec![(120, state(Kind::ServiceUp)), (3_700, state(Kind::ServiceFailed))], 3_720);
    let worst = ledger.hours.worst(START_MS, START_MS + 3_720 * S, 31);
    assert_eq!(worst[..2], [None, Some(Availability::Up)]);
    assert_eq!(worst[29..], [Some(Availability::Up), Some(Availability::Failed)]);
    assert_eq!(ledger.incidents.last().map(|incident| incident.to_ms), Some(None));
}

#[test]
fn a_clock_that_was_wrong_for_a_while_costs_that_time() {
    const YEAR: u64 = 365 * 24 * 3_600;
    let ledger = ledger(
        vec![
            (0, state(Kind::ServiceUp)),
            (10 * YEAR, health("critical")),
            (100, health("ok")),
            (160, health("critical")),
        ],
        200,
    );
    assert_eq!(seconds(&ledger, 200), [(Availability::Up, 60), (Availability::Critical, 40)]);
    // ten years are not kept by the hour
    assert!(ledger.hours.days().count() as u64 <= KEPT_DAYS + 2);
}

#[test]
fn an_hour_that_a_wrong_clock_filled_ahead_counts_as_far_as_it_has_passed() {
    let (hour, start_ms) = (hour_of(START_MS), start_of_hour(hour_of(START_MS)));
    let at = |minutes: u64| start_ms + minutes * 60 * S;
    let mut hours = Hours::default();
    hours.add(Span { from_ms: at(0), to_ms: at(40), state: Availability::Down });
    hours.add(Span { from_ms: at(40), to_ms: at(60), state: Availability::Up });
    for minutes in [0, 15, 59, 60, 61] {
        let tally = hours.tally(hour, at(minutes));
        let sum: u64 = tally.states_ms.values().sum();
        assert_eq!(sum + tally.not_recorded_ms, minutes * 60 * S, "{tally:?}");
    }
    let quarter = hours.tally(hour, at(15));
    assert_eq!(quarter.states_ms[&Availability::Down], 2 * quarter.states_ms[&Availability::Up]);
}

#[test]
fn what_is_stored_of_a_quiet_quarter_is_small() {
    let quarter_s = 90 * 24 * 3_600;
    let ledger = ledger(vec![(0, state(Kind::ServiceUp))], quarter_s);
    let bytes: usize = ledger.hours.days().map(|day| ledger.hours.day(day).unwrap().len()).sum();
    assert!(bytes < 10_000, "{bytes}");
    for damaged in ["", "{}", "[{}]", r#"[{"first":20,"hours":9,"ms":{},"worst":[]}]"#] {
        assert_eq!(Hours::default().read_day(1, damaged.as_bytes()), None, "{damaged}");
    }
}

fn any_fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        prop::sample::select(
            &[
                Kind::ServiceStarting,
                Kind::ServiceUp,
                Kind::ServiceStopping,
                Kind::ServiceDown,
                Kind::ServiceBlocked,
                Kind::ServiceBackingOff,
                Kind::ServiceFailed,
                Kind::ServiceUnloaded,
                Kind::ServiceLoaded,
                Kind::SupervisorStarted,
                Kind::SupervisorStopping,
            ][..]
        )
        .prop_map(state),
        prop::sample::select(&["ok", "warning", "critical", "unknown"][..]).prop_map(health),
        prop::sample::select(&["unexpected", "stopped"][..]).prop_map(exit),
    ]
}

/// Puts what is kept of a service on disk and reads it again.
fn stored(ledger: &Ledger) -> Ledger {
    let account = serde_json::to_vec(&ledger.account).unwrap();
    let incidents = serde_json::to_vec(&ledger.incidents).unwrap();
    let mut hours = Hours::default();
    for day in ledger.hours.days() {
        hours.read_day(day, &ledger.hours.day(day).unwrap()).unwrap();
    }
    Ledger {
        account: serde_json::from_slice(&account).unwrap(),
        incidents: serde_json::from_slice(&incidents).unwrap(),
        hours,
    }
}

proptest! {
    #[test]
    fn hours_that_were_stored_hold_what_the_events_show(
        facts in prop::collection::vec((0..20_000_u64, any_fact(), any::<bool>()), 0..40),
        later_s in 0..20_000_u64,
        first in 0..100_u64,
        parts in 1..20_u64,
    ) {
        let mut at_s = 0;
        let mut in_order = Vec::new();
        let mut is_restart = Vec::new();
        for (after_s, fact, restart) in facts {
            at_s += after_s;
            in_order.push((at_s, fact));
            is_restart.push(restart);
        }
        let events = events(in_order);
        let now_ms = START_MS + (at_s + later_s) * S;
        let mut ledger = Ledger::default();
        for (event, restart) in events.iter().zip(is_restart) {
            ledger.take(&Seen::from(event));
            if restart {
                ledger = stored(&ledger);
            }
        }
        let ledger = ledger.at(now_ms);
        let spans = spans(&events, now_ms);

        let first = hour_of(START_MS) + first;
        let from_ms = start_of_hour(first);
        let mut expected: BTreeMap<Availability, u64> = BTreeMap::new();
        for span in &spans {
            let ms = span.to_ms.min(now_ms).saturating_sub(span.from_ms.max(from_ms));
            *expected.entry(span.state).or_default() += ms;
        }
        expected.retain(|_, ms| *ms > 0);
        let tally = ledger.hours.tally(first, now_ms);
        prop_assert_eq!(&tally.states_ms, &expected);
        let recorded: u64 = expected.values().sum();
        prop_assert_eq!(tally.not_recorded_ms, now_ms.saturating_sub(from_ms).saturating_sub(recorded));
        prop_assert!(tally.available_ms() <= tally.expected_ms());

        let minute = 60 * S;
        let (from, to) = (START_MS / minute, now_ms.div_ceil(minute));
        let worst = ledger.hours.worst(START_MS, now_ms, parts);
        for (part, shown) in (0..parts).zip(worst) {
            let edge = |part: u64| (from + (to - from) * part / parts) * minute;
            let within = spans.iter().filter(|span| {
                let begin = span.from_ms / minute * minute;
                let end = span.to_ms.div_ceil(minute) * minute;
                begin < edge(part + 1) && end > edge(part)
            });
            prop_assert_eq!(shown, within.map(|span| span.state).max());
        }
    }

    #[test]
    fn every_moment_counts_once_whatever_the_clock_does(
        facts in prop::collection::vec((0..1000_u64, any_fact()), 0..40),
    ) {
        let ledger = ledger(facts.clone(), 1000);
        let now_ms = START_MS + 1000 * S;
        for pair in spans(&events(facts), now_ms).windows(2) {
            prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
        }
        let tally = ledger.hours.tally(hour_of(START_MS), now_ms);
        let sum: u64 = tally.states_ms.values().sum();
        prop_assert_eq!(sum + tally.not_recorded_ms, 1000 * S);
        for incident in &ledger.incidents {
            prop_assert!(incident.to_ms.is_none_or(|to_ms| to_ms >= incident.from_ms));
            prop_assert!(incident.worst.is_outage());
        }
    }

    #[test]
    fn no_order_of_times_makes_an_hour_longer(
        facts in prop::collection::vec((0..1_000_000_u64, any_fact()), 0..40),
    ) {
        let hours = ledger(facts, 1_000_000).hours;
        for hour in 0..1_000_000 / 3_600 {
            let first = hour_of(START_MS) + hour;
            let upto = hours.tally(first, start_of_hour(first + 1) - 1);
            prop_assert!(upto.states_ms.values().sum::<u64>() <= 3_600 * S);
        }
    }
}
