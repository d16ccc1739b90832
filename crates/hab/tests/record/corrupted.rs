//! A journal that was damaged at random places.

use std::{collections::BTreeMap, path::Path};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

use super::{journal, kill_supervisor, recorded, root_with, seq, svc, wait_event, wait_written};

const ROUNDS: u64 = 4;

/// Damages a file, in one of the ways in which disks do.
fn damage(path: &Path, random: &mut StdRng) {
    let mut bytes = std::fs::read(path).expect("a journal");
    let length = bytes.len();
    match random.random_range(0..4) {
        // Single bits, most of them where something is.
        0 | 1 => {
            let used: Vec<usize> = (0..length).filter(|at| bytes[*at] != 0).collect();
            for _ in 0..random.random_range(1..40) {
                let at = used[random.random_range(0..used.len())];
                bytes[at] ^= 1 << random.random_range(0..8);
            }
        }
        2 => {
            let at = random.random_range(0..length / 4096) * 4096;
            bytes[at..length.min(at + 4096)].fill(random.random());
        }
        _ => bytes.truncate(random.random_range(0..length)),
    }
    // In place: it may be open.
    let mut file = std::fs::OpenOptions::new().write(true).open(path).expect("a journal");
    std::io::Write::write_all(&mut file, &bytes).expect("written");
    file.set_len(bytes.len() as u64).expect("cut");
}

fn by_number(events: Vec<Value>) -> BTreeMap<u64, Value> {
    events.into_iter().map(|event| (seq(&event), event)).collect()
}

/// Expects all former events, or none and the reason. Returns whether they are there.
fn expect_all_or_a_reason(sup: &Supervisor, root: &Root, former: &BTreeMap<u64, Value>) -> bool {
    let events = by_number(recorded(sup));
    let is_there = events.contains_key(former.keys().next().expect("an event"));
    if is_there {
        for (number, event) in former {
            assert_eq!(events.get(number), Some(event), "changed or lost without a word");
        }
    } else {
        let recovered = wait_event(sup, "journal.recovered");
        let text = recovered["message"].as_str().expect("text");
        assert!(text.contains("cannot be used (") && text.contains(".corrupt"), "{text}");
        sup.wait_log("a new journal begins. The old one is kept as");
        let last = former.keys().last().expect("an event");
        assert!(events.keys().next() > Some(last), "a number is used twice: {events:?}");
        // Only a few are kept, so each round has its own.
        let aside = root.join("hab/sup/default/journal.redb.corrupt");
        assert!(aside.exists(), "{text}");
        std::fs::remove_file(aside).expect("removed");
    }
    is_there
}

fn first_seed() -> u64 {
    std::env::var("ROOST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[test]
fn a_start_with_a_damaged_journal_shows_what_was_there_or_states_that_it_is_lost() {
    let root = root_with(&["web"]);
    let mut sup = root.supervisor().start();
    let mut kept = 0;
    for seed in first_seed()..first_seed() + ROUNDS {
        println!("seed {seed}");
        svc(&sup, "stop", "web");
        svc(&sup, "start", "web");
        sup.wait_up("web");
        wait_written(&sup);
        let former = by_number(recorded(&sup));
        assert_eq!(sup.stop(), 0);
        damage(&journal(root.path()), &mut StdRng::seed_from_u64(seed));
        sup = root.supervisor().in_place_of(&sup).start();
        sup.wait_up("web");
        kept += u64::from(expect_all_or_a_reason(&sup, &root, &former));
    }
    println!("{kept} of {ROUNDS} damages hit nothing");
}

#[test]
fn damage_to_an_open_journal_shows_no_event_that_was_not() {
    let root = root_with(&["web"]);
    let sup = root.supervisor().start();
    for seed in first_seed()..first_seed() + ROUNDS {
        println!("seed {seed}");
        svc(&sup, "stop", "web");
        svc(&sup, "start", "web");
        sup.wait_up("web");
        wait_written(&sup);
        let former = by_number(recorded(&sup));
        damage(&journal(root.path()), &mut StdRng::seed_from_u64(seed));
        // Pages are answered, from the file and from memory.
        for path in ["/v1/events?order=oldest&limit=1000", "/v1/services/web.default/events"] {
            let page = sup.get(path).json();
            for event in page["items"].as_array().expect("events") {
                if let Some(known) = former.get(&seq(event)) {
                    assert_eq!(event, known);
                }
            }
        }
        svc(&sup, "stop", "web");
        svc(&sup, "start", "web");
        sup.wait_up("web");
        kill_supervisor(&sup);
        sup.wait_up("web");
        let now = wait_for("the record", || Some(by_number(recorded(&sup))));
        for (number, event) in &now {
            if let Some(known) = former.get(number) {
                assert_eq!(event, known);
            }
        }
        let is_there = now.contains_key(former.keys().next().expect("an event"));
        assert!(is_there || root.join("hab/sup/default/journal.redb.corrupt").exists());
    }
}
