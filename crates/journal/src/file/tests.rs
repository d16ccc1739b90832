use redb::backends::InMemoryBackend;
use roost_events::{Fact, Kind};

use super::*;
use crate::query::Filter;

fn event(seq: u64, time_ms: u64, service: &str) -> Arc<Event> {
    let kind = if seq.is_multiple_of(2) { Kind::ServiceUp } else { Kind::HookFailed };
    Arc::new(Event { seq: Seq(seq), time_ms, cause: None, fact: Fact::new(kind, "x").of(service) })
}

const WIDE: Bounds = Bounds { max_bytes: u64::MAX, oldest_ms: None };

fn file_with(events: impl IntoIterator<Item = Arc<Event>>) -> JournalFile {
    let (file, _) = JournalFile::open(InMemoryBackend::new(), Seq(0)).unwrap();
    file.append(&events.into_iter().collect::<Vec<_>>(), &WIDE, 0).unwrap();
    file
}

fn query(filter: Filter) -> Query {
    Query { filter, order: Order::NewestFirst, limit: 3, after: None }
}

fn numbers(page: &Page) -> Vec<u64> {
    page.items.iter().map(|entry| entry.seq.0).collect()
}

#[test]
fn pages_follow_each_other_in_both_orders() {
    let file = file_with((1..=8).map(|seq| event(seq, seq, "web.default")));
    for (order, expected) in [
        (Order::NewestFirst, vec![vec![8, 7, 6], vec![5, 4, 3], vec![2, 1]]),
        (Order::OldestFirst, vec![vec![1, 2, 3], vec![4, 5, 6], vec![7, 8]]),
    ] {
        let mut query = Query { order, ..query(Filter::default()) };
        let mut pages = Vec::new();
        loop {
            let page = file.page(&query).unwrap();
            pages.push(numbers(&page));
            query.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        assert_eq!(pages, expected);
    }
}

#[test]
fn events_of_a_service_come_from_its_index() {
    let name = |seq: u64| if seq.is_multiple_of(10) { "redis.default" } else { "web.default" };
    let file = file_with((1..=40).map(|seq| event(seq, seq, name(seq))));
    let filter = Filter { service: Some("redis.default".into()), ..Filter::default() };
    assert_eq!(numbers(&file.page(&query(filter.clone())).unwrap()), [40, 30, 20]);
    let filter = Filter { kinds: vec![Kind::HookFailed], ..filter };
    assert_eq!(numbers(&file.page(&query(filter)).unwrap()), [0; 0]);
}

#[test]
fn a_clock_that_was_set_back_hides_no_event() {
    let day = 24 * HOUR_MS;
    let times = [10 * day, 10 * day + 1, 9 * day, 9 * day + 5, 10 * day + 2];
    let file = file_with((1..).zip(times).map(|(seq, time)| event(seq, time, "web.default")));
    let at = |since, until| {
        let filter = Filter { since_ms: Some(since), until_ms: Some(until), ..Filter::default() };
        numbers(&file.page(&query(filter)).unwrap())
    };
    assert_eq!(at(9 * day, 9 * day + 100), [4, 3]);
    assert_eq!(at(10 * day, 10 * day + 1), [2, 1]);
    assert_eq!(at(11 * day, 12 * day), [0; 0]);
    assert_eq!(at(12 * day, 11 * day), [0; 0]);
}

/// The journal in a directory, and what was found in it.
pub(super) fn open(directory: &std::path::Path) -> (JournalFile, Opened) {
    let mut options = std::fs::OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options.open(directory.join("journal.redb")).unwrap();
    JournalFile::open(redb::backends::FileBackend::new(file).unwrap(), Seq(0)).unwrap()
}

#[test]
fn numbers_of_a_supervisor_that_did_not_end_in_order_are_not_used_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || open(directory.path());
    let (file, opened) = open();
    assert_eq!(opened, Opened { written: Seq(0), last: Seq(0), lost: Vec::new() });
    file.append(&[event(1, 0, "a.default")], &WIDE, 0).unwrap();
    file.end(Seq(1)).unwrap();
    drop(file);
    let (file, opened) = open();
    assert_eq!(opened, Opened { written: Seq(1), last: Seq(1), lost: Vec::new() });
    file.append(&[event(2, 0, "a.default")], &WIDE, 0).unwrap();
    drop(file);
    let (_, opened) = open();
    let last = Seq(2 + RESERVE);
    assert_eq!(opened, Opened { written: Seq(2), last, lost: vec![Gap { first: Seq(3), last }] });
}

#[test]
fn a_hole_stays_until_an_event_on_disk_states_it() {
    let directory = tempfile::tempdir().unwrap();
    let open = || open(directory.path());
    let hole = |first, last| Gap { first: Seq(first), last: Seq(last) };
    let (file, _) = open();
    file.append(&[event(1, 0, "a.default")], &WIDE, 0).unwrap();
    let appended = file.append(&[event(5, 0, "a.default")], &WIDE, 0).unwrap();
    assert_eq!(appended.holes, [hole(2, 4)]);
    drop(file);
    let (file, opened) = open();
    let last = opened.last;
    assert_eq!(opened.lost, [hole(2, 4), hole(6, last.0)]);
    let stating = |seq, first, last| {
        let fact = Fact::new(Kind::JournalGap, "x").with("first", first).with("last", last);
        Arc::new(Event { seq: Seq(seq), time_ms: 0, cause: None, fact })
    };
    // A part of a hole is not the hole.
    let appended = file.append(&[stating(last.0 + 1, 2, 3)], &WIDE, 0).unwrap();
    assert_eq!(appended.holes, opened.lost);
    let appended = file.append(&[stating(last.0 + 2, 2, 4)], &WIDE, 0).unwrap();
    assert_eq!(appended.holes, [hole(6, last.0)]);
    file.append(&[stating(last.0 + 3, 6, last.0)], &WIDE, 0).unwrap();
    file.end(Seq(last.0 + 3)).unwrap();
    drop(file);
    let (file, opened) = open();
    assert_eq!(opened.lost, []);
    // Numbers that no event got, of a Supervisor that ends in order.
    file.end(Seq(last.0 + 5)).unwrap();
    drop(file);
    assert_eq!(open().1.lost, [hole(last.0 + 4, last.0 + 5)]);
}

#[test]
fn events_of_types_of_a_later_version_are_kept_and_shown() {
    let file = file_with([event(1, 1, "web.default")]);
    let bytes = row::encode(&event(2, 2, "web.default"));
    let known = row::decode(&bytes).unwrap();
    let json = known.json.replace("service.up", "service.dreaming");
    let unknown = row::Row { kind: "service.dreaming", json: &json, ..known };
    let transaction = file.database().unwrap().begin_write().unwrap();
    {
        let mut events = transaction.open_table(EVENTS).unwrap();
        events.insert(2, row::encode_row(&unknown).as_slice()).unwrap();
        transaction.open_table(OF_SERVICES).unwrap().insert(("web.default", 2), ()).unwrap();
        let mut meta = transaction.open_table(META).unwrap();
        // Also in the accounts, as after an update from a version without.
        meta.insert(LAST, 2).unwrap();
    }
    transaction.commit().unwrap();
    file.append(&[event(3, 3, "web.default")], &WIDE, 0).unwrap();
    let page = file.page(&query(Filter::default())).unwrap();
    assert_eq!(numbers(&page), [3, 2, 1]);
    assert_eq!(&*page.items[1].json, json);
    let of_service = Filter { service: Some("web.default".into()), ..Filter::default() };
    assert_eq!(numbers(&file.page(&query(of_service)).unwrap()), [3, 2, 1]);
    let of_topic = Filter { topics: vec![Topic::Service], ..Filter::default() };
    assert_eq!(numbers(&file.page(&query(of_topic)).unwrap()), [2]);
    let of_kind = Filter { kinds: vec![Kind::ServiceUp], ..Filter::default() };
    assert_eq!(numbers(&file.page(&query(of_kind)).unwrap()), [0; 0]);
    assert!(file.ledger("web.default").unwrap().1.is_complete());
    // It goes when it is too old, as the others do.
    let old = Bounds { oldest_ms: Some(u64::MAX), ..WIDE };
    assert_eq!(file.append(&[], &old, 0).unwrap().removed, 3);
}

#[test]
fn the_oldest_events_go_when_the_file_is_full_or_they_are_too_old() {
    let file = file_with((1..=1000).map(|seq| event(seq, seq * HOUR_MS, "web.default")));
    let full = Bounds { max_bytes: 1600, ..WIDE };
    let removed =
        file.append(&[event(1001, 1001 * HOUR_MS, "b.default")], &full, 1550).unwrap().removed;
    assert!((50..500).contains(&removed), "{removed}");
    // As full as before: nothing more has to go.
    assert_eq!(file.append(&[], &full, 1550).unwrap().removed, 0);
    let old = Bounds { oldest_ms: Some(900 * HOUR_MS), ..WIDE };
    file.append(&[], &old, 0).unwrap();
    let query = Query { order: Order::OldestFirst, ..query(Filter::default()) };
    assert_eq!(numbers(&file.page(&query).unwrap()), [900, 901, 902]);
    let of_service = Filter { service: Some("web.default".into()), ..Filter::default() };
    let query = Query { filter: of_service, ..query };
    assert_eq!(numbers(&file.page(&query).unwrap()), [900, 901, 902]);
    assert!(
        file.append(&[], &Bounds { oldest_ms: Some(u64::MAX), ..WIDE }, 0).unwrap().removed > 0
    );
    assert_eq!(file.page(&query).unwrap(), Page::default());
}

#[test]
fn an_event_under_another_number_is_damage() {
    let file = file_with([event(1, 1, "web.default")]);
    let transaction = file.database().unwrap().begin_write().unwrap();
    {
        let mut events = transaction.open_table(EVENTS).unwrap();
        let row = events.remove(1).unwrap().unwrap().value().to_vec();
        events.insert(2, row.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    let error = file.page(&query(Filter::default())).unwrap_err();
    assert!(matches!(&error, FileError::Damaged(text) if text == "event 2 is damaged"), "{error}");
}
