//! Accounts in the journal hold what the events show, whatever happens in between.

use proptest::prelude::*;
use roost_events::{Fact, Kind, availability::start_of_hour};

use super::*;

const WIDE: Bounds = Bounds { max_bytes: u64::MAX, oldest_ms: None };
const SERVICES: [&str; 2] = ["web.default", "redis.default"];

fn open(directory: &std::path::Path) -> JournalFile {
    tests::open(directory).0
}

fn fact(kind: Kind, service: usize) -> Fact {
    let fact = Fact::new(kind, kind.as_str());
    match kind {
        Kind::SupervisorStarted => fact,
        Kind::HealthChanged => fact.of(SERVICES[service]).change(None, "critical"),
        Kind::ProcessExited => fact.of(SERVICES[service]).with("cause", "unexpected"),
        _ => fact.of(SERVICES[service]),
    }
}

fn event(seq: u64, time_ms: u64, fact: Fact) -> Arc<Event> {
    Arc::new(Event { seq: Seq(seq), time_ms, cause: None, fact })
}

/// What is computed from all events at once. Those of the Supervisor before the first one of a
/// service do not concern it.
fn computed(events: &[Arc<Event>], service: &str) -> Ledger {
    let mut ledger = Ledger::default();
    let mut is_known = false;
    for event in events {
        let seen = Seen::from(&**event);
        let is_own = event.fact.service.as_deref() == Some(service);
        is_known |= is_own;
        if is_own || is_known && seen.is_of_supervisor() {
            ledger.take(&seen);
        }
    }
    ledger
}

/// What happens after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    /// The Supervisor is killed, and the next one opens the journal.
    Restart,
    /// A version without accounts was there for a while.
    Downgrade,
}

fn some_facts() -> impl Strategy<Value = (u64, Kind, usize, Then)> {
    let kinds = [
        Kind::ServiceStarting,
        Kind::ServiceUp,
        Kind::ServiceStopping,
        Kind::ServiceDown,
        Kind::ServiceFailed,
        Kind::ServiceUnloaded,
        Kind::HealthChanged,
        Kind::ProcessExited,
        Kind::SupervisorStarted,
    ];
    let then = prop_oneof![
        8 => Just(Then::Nothing),
        1 => Just(Then::Restart),
        1 => Just(Then::Downgrade),
    ];
    (0..200_000_u64, prop::sample::select(kinds.to_vec()), 0..2_usize, then)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn accounts_hold_what_the_events_show(
        facts in prop::collection::vec(some_facts(), 1..40),
        batch in 1..6_usize,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut file = open(directory.path());
        let mut time_ms = start_of_hour(472_222);
        let mut events = Vec::new();
        let mut waiting = Vec::new();
        for (seq, (after_s, kind, service, then)) in (1..).zip(facts) {
            time_ms += after_s * 1000;
            waiting.push(event(seq, time_ms, fact(kind, service)));
            if waiting.len() < batch && then == Then::Nothing {
                continue;
            }
            file.append(&waiting, &WIDE, 0).unwrap();
            events.append(&mut waiting);
            if then == Then::Nothing {
                continue;
            }
            if then == Then::Downgrade {
                let transaction = file.database().unwrap().begin_write().unwrap();
                accounts::remove_all(&transaction).unwrap();
                transaction.open_table(META).unwrap().remove(ACCOUNTED).unwrap();
                transaction.commit().unwrap();
            }
            drop(file);
            file = open(directory.path());
        }
        file.append(&waiting, &WIDE, 0).unwrap();
        events.append(&mut waiting);
        for service in SERVICES {
            let (stored, progress) = file.ledger(service).unwrap();
            prop_assert_eq!(progress.accounted, Seq(events.len() as u64));
            prop_assert_eq!(stored, computed(&events, service));
        }
    }
}

#[test]
fn accounts_of_an_earlier_version_are_made_in_several_commits() {
    let directory = tempfile::tempdir().unwrap();
    let file = open(directory.path());
    let up = |seq| event(seq, start_of_hour(472_222) + seq * 1000, fact(Kind::ServiceUp, 0));
    let events: Vec<_> = (1..=2 * CATCH_UP as u64 + 10).map(up).collect();
    file.append(&events, &WIDE, 0).unwrap();
    let before = file.ledger(SERVICES[0]).unwrap();
    let transaction = file.database().unwrap().begin_write().unwrap();
    accounts::remove_all(&transaction).unwrap();
    transaction.open_table(META).unwrap().remove(ACCOUNTED).unwrap();
    transaction.commit().unwrap();
    drop(file);
    let file = open(directory.path());
    let (lacking, progress) = file.ledger(SERVICES[0]).unwrap();
    assert!(!progress.is_complete() && lacking == Ledger::default());
    assert!(!file.catch_up_some().unwrap(), "killed after the first part");
    drop(file);
    let file = open(directory.path());
    file.append(&[], &WIDE, 0).unwrap();
    assert_eq!(file.ledger(SERVICES[0]).unwrap(), before);
}

#[test]
fn accounts_are_bounded() {
    let (file, _) = JournalFile::open(redb::backends::InMemoryBackend::new(), Seq(0)).unwrap();
    let start_ms = start_of_hour(472_222);
    let day_ms = 24 * HOUR_MS;
    let of = |name: &str, kind| Fact::new(kind, "x").of(name);
    let mut seq = 0;
    let mut append = |time_ms, fact, bounds: &Bounds| {
        seq += 1;
        file.append(&[event(seq, time_ms, fact)], bounds, 0).unwrap();
    };
    append(start_ms, of("gone.default", Kind::ServiceUp), &WIDE);
    append(start_ms + day_ms, of("gone.default", Kind::ServiceUnloaded), &WIDE);
    append(start_ms, of("web.default", Kind::ServiceUp), &WIDE);
    for day in 0..300 {
        append(start_ms + day * day_ms, of("web.default", Kind::ServiceFailed), &WIDE);
        append(start_ms + day * day_ms + HOUR_MS, of("web.default", Kind::ServiceUp), &WIDE);
    }
    let (ledger, _) = file.ledger("web.default").unwrap();
    assert!((90..=94).contains(&ledger.hours.days().count()));
    assert_eq!(ledger.incidents.len(), roost_events::availability::INCIDENTS_MAX);
    let old = Bounds { oldest_ms: Some(start_ms + 200 * day_ms), ..WIDE };
    append(start_ms + 300 * day_ms, of("other.default", Kind::ServiceUp), &old);
    assert_eq!(file.ledger("gone.default").unwrap().0, Ledger::default());
    assert!(file.ledger("web.default").unwrap().0.hours.days().count() > 0);
}
