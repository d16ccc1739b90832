//! No change is missed: readers that stall, leave and come back, while services change and the
//! Supervisor is killed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

use super::{
    following::{Client, Form, Item},
    kill_supervisor, recorded, root_with, seq, svc, wait_written,
};

const SERVICES: [&str; 3] = ["api", "db", "web"];
const READERS: u64 = 8;
const CHANGES: usize = 120;
const KILLS: usize = 4;

/// Where the changes are, for readers that wait for some.
#[derive(Default)]
struct Progress {
    changes: AtomicUsize,
    is_over: AtomicBool,
}

impl Progress {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Waits for some changes, or the end.
    fn stall(&self, changes: usize) {
        let until = self.changes.load(Ordering::SeqCst) + changes;
        wait_for("changes", || {
            (self.is_over() || self.changes.load(Ordering::SeqCst) >= until).then_some(())
        });
    }
}

/// One random change.
fn change(root: &Root, sup: &Supervisor, random: &mut StdRng) {
    let name = SERVICES.choose(random).expect("a service");
    match random.random_range(0..4) {
        0 => svc(sup, "stop", name),
        1 => svc(sup, "start", name),
        2 => {
            let colour = random.random_range(0..1_000);
            root.write(
                &format!("hab/user/{name}/config/user.toml"),
                &format!("colour = {colour}\n"),
            );
        }
        _ => {
            let service = sup.get(&format!("/services/{name}/default")).json();
            let pid = service["process"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                // It may have ended already.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Makes the changes, among them the ends of Supervisors.
fn change_all(root: &Root, sup: &Supervisor, random: &mut StdRng, progress: &Progress) {
    let mut kills: Vec<usize> = (0..KILLS).map(|_| random.random_range(1..CHANGES)).collect();
    for number in 0..CHANGES {
        while let Some(at) = kills.iter().position(|at| *at == number) {
            kills.swap_remove(at);
            // Else the events of its last second are lost.
            if random.random() {
                wait_written(sup);
            }
            kill_supervisor(sup);
        }
        change(root, sup, random);
        progress.changes.fetch_add(1, Ordering::SeqCst);
    }
}

/// A reader that reads, stalls, leaves and comes back at random.
fn follow(sup: &Supervisor, mut random: StdRng, progress: &Progress) -> (Client, Form) {
    let mut client = Client::default();
    let form = *[Form::Lines, Form::ServerSentEvents].choose(&mut random).expect("a form");
    while !progress.is_over() {
        if !client.is_connected() {
            wait_for("a Supervisor", || client.connect(sup.http, form).then_some(()));
        }
        match random.random_range(0..5) {
            0 => client.leave(),
            1 => progress.stall(random.random_range(1..8)),
            // Only what is certain to come.
            _ => {
                let most = random.random_range(1..20);
                let last = sup.send("GET", "/v1/events?limit=1", &[]);
                let last = last.and_then(|answer| answer.json()["last"].as_u64()).unwrap_or(0);
                for _ in 0..most {
                    if client.after() >= last || !client.read() {
                        break;
                    }
                }
            }
        }
    }
    (client, form)
}

/// The numbers that events state as missing.
fn lost(events: &[Value]) -> Vec<(u64, u64)> {
    let stated = events.iter().filter_map(|event| match event["type"].as_str()? {
        "supervisor.recovered" => Some((event, "first_missing", "last_missing")),
        "journal.gap" => Some((event, "first", "last")),
        _ => None,
    });
    stated
        .map(|(event, first, last)| {
            let number = |key: &str| event["data"][key].as_u64().expect("a number");
            (number(first), number(last))
        })
        .collect()
}

/// Checks one reader against the record.
fn expect_everything(client: &Client, record: &BTreeMap<u64, Value>, lost: &[(u64, u64)]) {
    client.expect_sequence();
    for item in &client.items {
        match item {
            Item::Event(event) => {
                let number = seq(event);
                let is_lost =
                    || lost.iter().any(|(first, last)| (*first..=*last).contains(&number));
                match record.get(&number) {
                    Some(known) => assert_eq!(event, known),
                    None => assert!(is_lost(), "{event} is in no record, and not among {lost:?}"),
                }
            }
            Item::Gap { first, last } => {
                let kept: Vec<_> = record.range(*first..=*last).collect();
                assert!(kept.is_empty(), "a gap {first} to {last} over {kept:?}");
                let is_lost = lost.iter().any(|(from, to)| from <= first && last <= to);
                assert!(is_lost, "a gap {first} to {last} is not within {lost:?}");
            }
        }
    }
}

fn run(seed: u64) {
    println!("seed {seed}; ROOST_SEED chooses another one");
    let root = root_with(&SERVICES);
    let sup = root.supervisor().start();
    let progress = Progress::default();
    let clients: Vec<Client> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|number| StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(number)))
            .map(|random| scope.spawn(|| follow(&sup, random, &progress)))
            .collect();
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            change_all(&root, &sup, &mut StdRng::seed_from_u64(seed), &progress);
        }));
        // Also when a change failed, so that the readers end.
        progress.is_over.store(true, Ordering::SeqCst);
        let last = recorded(&sup).last().map_or(0, seq);
        let clients = readers.into_iter().map(|reader| {
            let (mut client, form) = reader.join().expect("a reader");
            client.read_to(last, sup.http, form);
            client
        });
        let clients = clients.collect();
        changed.expect("changes");
        clients
    });
    let events = recorded(&sup);
    let lost = lost(&events);
    assert!(!lost.is_empty(), "no Supervisor was killed");
    let record: BTreeMap<u64, Value> =
        events.into_iter().map(|event| (seq(&event), event)).collect();
    let mut seen: BTreeMap<u64, &Value> = BTreeMap::new();
    for client in &clients {
        expect_everything(client, &record, &lost);
        for item in &client.items {
            if let Item::Event(event) = item {
                let known = seen.entry(seq(event)).or_insert(event);
                assert_eq!(*known, event, "two events have one number");
            }
        }
    }
    let gaps = clients.iter().flat_map(|client| &client.items);
    let gaps = gaps.filter(|item| matches!(item, Item::Gap { .. })).count();
    println!("{} events, {} lost ranges, {gaps} gaps at readers", record.len(), lost.len());
}

#[test]
fn every_reader_gets_the_same_sequence_or_a_gap_that_states_what_it_lacks() {
    let seed = std::env::var("ROOST_SEED").ok().and_then(|seed| seed.parse().ok());
    run(seed.unwrap_or(1));
}
