use proptest::prelude::*;

use super::*;
use crate::{Event, Fact};

const S: u64 = 1000;
const START_MS: u64 = 1_700_000_000_000;

/// Events with their times in seconds from the start.
fn history(events: Vec<(u64, Fact)>, now_s: u64) -> History {
    let events: Vec<_> = (1..)
        .zip(events)
        .map(|(seq, (at_s, fact))| {
            let time_ms = START_MS + at_s * S;
            EventDocument::from(&Event { seq: Seq(seq), time_ms, cause: None, fact })
        })
        .collect();
    History::of(&events, START_MS + now_s * S)
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

fn seconds(history: &History, now_s: u64) -> Vec<(Availability, u64)> {
    let tally = history.tally(START_MS, START_MS + now_s * S);
    tally.states_ms.into_iter().map(|(state, ms)| (state, ms / S)).collect()
}

#[test]
fn a_stop_that_was_asked_for_does_not_count_and_a_restart_does() {
    let history = history(
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
        seconds(&history, 405),
        [
            (Availability::Down, 99),
            (Availability::Up, 300),
            (Availability::Stopping, 3),
            (Availability::Starting, 3),
        ]
    );
    assert_eq!(history.incidents, []);
    let tally = history.tally(START_MS, START_MS + 405 * S);
    assert_eq!((tally.available_ms(), tally.expected_ms()), (300 * S, 306 * S));
}

#[test]
fn an_incident_says_what_happened_and_what_was_printed() {
    let history = history(
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
    let [check, crash] = &history.incidents[..] else { panic!("{:?}", history.incidents) };
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

#[test]
fn time_without_a_supervisor_is_unknown_and_not_up() {
    let seen = roost_ident::time::rfc3339_ms(START_MS + 60 * S);
    let started = Fact::new(Kind::SupervisorStarted, "started").with(LAST_SEEN, seen);
    let history = history(
        vec![(0, state(Kind::ServiceUp)), (100, started), (101, state(Kind::ServiceUp))],
        201,
    );
    assert_eq!(seconds(&history, 201), [(Availability::Up, 160), (Availability::Unknown, 41)]);
}

#[test]
fn parts_of_a_window_show_the_worst_state() {
    let history =
        history(vec![(100, state(Kind::ServiceUp)), (250, state(Kind::ServiceFailed))], 300);
    let worst = history.worst(START_MS, START_MS + 300 * S, 3);
    assert_eq!(worst, [None, Some(Availability::Up), Some(Availability::Failed)]);
    assert_eq!(history.incidents.last().map(|incident| incident.to_ms), Some(None));
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

proptest! {
    #[test]
    fn every_moment_counts_once_whatever_the_clock_does(
        events in prop::collection::vec((0..1000_u64, any_fact()), 0..40),
        window in (0..1000_u64, 0..1000_u64),
        parts in 1..20_u64,
    ) {
        let history = history(events, 1000);
        for pair in history.spans.windows(2) {
            prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
        }
        let (from, to) = (window.0.min(window.1), window.0.max(window.1));
        let (from, to) = (START_MS + from * S, START_MS + to * S);
        let tally = history.tally(from, to);
        let sum: u64 = tally.states_ms.values().sum();
        prop_assert_eq!(sum + tally.not_recorded_ms, to - from);
        prop_assert!(tally.available_ms() <= tally.expected_ms());
        prop_assert_eq!(history.worst(from, to, parts).len() as u64, parts);
        for incident in &history.incidents {
            prop_assert!(incident.to_ms.is_none_or(|to_ms| to_ms >= incident.from_ms));
            prop_assert!(incident.worst.is_outage());
        }
    }
}
