//! The journal on a disk that is full or read-only, and with another Supervisor on its file.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{Disk, Root, Supervisor, wait_for};

use super::{
    following::{Client, Form, Item},
    journal, kill_supervisor, load, recorded, root, root_with, seq, svc, wait_condition,
    wait_event, wait_written,
};

/// A root whose state files are on a separate disk.
fn on_a_disk(mount: fn(&Root, &str) -> Option<Disk>) -> Option<(Root, Disk)> {
    let root = root();
    let disk = mount(&root, "hab/sup")?;
    load(&root, &["web"]);
    Some((root, disk))
}

/// Ends the process of the service, and waits until another one runs.
fn kill_service(sup: &Supervisor) {
    let pid = sup.wait_up("web");
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("killed");
    wait_for("another process", || (sup.wait_up("web") != pid).then_some(()));
}

/// A client that has read everything from this number on.
fn read_all(sup: &Supervisor) -> Client {
    let mut client = Client::default();
    client.read_to(recorded_partly(sup), sup.http, Form::Lines);
    client.expect_sequence();
    client
}

/// The last number, also when older events cannot be read.
fn recorded_partly(sup: &Supervisor) -> u64 {
    sup.get("/v1/events?limit=1").json()["last"].as_u64().expect("a number")
}

fn events(client: &Client) -> Vec<&Value> {
    let events = client.items.iter().filter_map(|item| match item {
        Item::Event(event) => Some(event),
        Item::Gap { .. } => None,
    });
    events.collect()
}

fn gaps(client: &Client) -> Vec<(u64, u64)> {
    let gaps = client.items.iter().filter_map(|item| match item {
        Item::Gap { first, last } => Some((*first, *last)),
        Item::Event(_) => None,
    });
    gaps.collect()
}

fn journal_probe(sup: &Supervisor) -> String {
    let text = sup.get("/readyz?verbose").text();
    text.lines().find(|line| line.starts_with("journal ")).unwrap_or_default().to_owned()
}

#[test]
fn a_full_disk_costs_only_what_no_journal_took_and_readers_learn_which_numbers() {
    let Some((root, disk)) = on_a_disk(Disk::in_memory) else { return };
    let sup = root.supervisor().start();
    sup.wait_up("web");
    let written = wait_written(&sup);
    disk.fill();
    // Until it needs room.
    let lossy = || journal_probe(&sup).starts_with("journal warn");
    while !lossy() {
        kill_service(&sup);
    }
    let why = wait_condition(&sup, "journal_lossy", "warn");
    assert!(why.contains("the disk is full"), "{why}");
    let client = read_all(&sup);
    assert_eq!(gaps(&client), [], "memory has the events");
    assert!(client.after() > written);

    // They die with it.
    kill_supervisor(&sup);
    sup.wait_up("web");
    disk.empty();
    wait_condition(&sup, "journal_lossy", "ok");
    let last = wait_written(&sup);
    let client = read_all(&sup);
    let [(first_missing, last_missing)] = gaps(&client)[..] else { panic!("{client:?}") };
    assert!(first_missing > written, "what was on disk is there");
    assert!(events(&client).into_iter().any(|event| seq(event) == last_missing + 1));
    let stated = wait_event(&sup, "supervisor.recovered");
    assert_eq!(stated["data"]["first_missing"], first_missing, "{stated}");
    assert_eq!(stated["data"]["last_missing"], last_missing, "{stated}");
    let record = recorded(&sup);
    assert!(
        events(&client)
            .into_iter()
            .filter(|event| seq(event) <= last)
            .eq(record.iter().filter(|event| seq(event) <= last))
    );

    // From here on nothing is lost.
    kill_service(&sup);
    wait_written(&sup);
    let before = recorded(&sup);
    kill_supervisor(&sup);
    assert_eq!(recorded(&sup)[..before.len()], before[..]);
}

#[test]
fn on_a_read_only_disk_the_record_goes_on_in_memory_also_for_the_next_supervisor() {
    let Some((root, disk)) = on_a_disk(Disk::at) else { return };
    let sup = root.supervisor().start();
    let pid = sup.wait_up("web");
    wait_written(&sup);
    if !disk.fail() {
        return;
    }
    // The command is refused, and that is an event.
    assert!(!sup.hab(["svc", "stop", "acme/web", "-r", &sup.ctl.to_string()]).status.success());
    let refused = wait_event(&sup, "control.request");
    assert_eq!(refused["data"]["result"], "failed", "{refused}");
    let why = wait_condition(&sup, "journal_lossy", "warn");
    // The second of a write that the error interrupts.
    let reasons = ["Read-only file system", "Input/output error"];
    assert!(reasons.iter().any(|reason| why.contains(reason)), "{why}");
    let client = read_all(&sup);
    assert_eq!(gaps(&client), [], "memory has the events");

    kill_supervisor(&sup);
    assert_eq!(sup.wait_up("web"), pid, "the service goes on");
    wait_condition(&sup, "journal_lossy", "warn");
    assert!(journal_probe(&sup).starts_with("journal warn since "), "{}", journal_probe(&sup));
    let page = sup.get("/v1/events?order=oldest").json();
    assert_eq!(page["partial"], true, "{page}");
    assert_eq!(page["items"][0]["type"], "supervisor.started", "{page}");
    let client = read_all(&sup);
    assert_eq!(gaps(&client), [(1, seq(&page["items"][0]) - 1)]);
}

#[test]
fn of_two_supervisors_with_one_journal_one_writes_it_and_the_other_reports_that_it_does_not() {
    let (one, other) = (root_with(&["web"]), root_with(&["web"]));
    let mut first = one.supervisor().start();
    first.wait_up("web");
    wait_written(&first);
    let of_first = recorded(&first);
    std::fs::create_dir_all(other.join("hab/sup/default")).expect("a directory");
    std::fs::hard_link(journal(one.path()), journal(other.path())).expect("a link");
    let second = other.supervisor().start();
    second.wait_up("web");
    let why = wait_condition(&second, "journal_lossy", "warn");
    assert!(why.contains("another process has it open"), "{why}");
    kill_service(&second);
    let held = read_all(&second);

    // The first one does not notice.
    svc(&first, "stop", "web");
    first.wait_json("/services/web/default", |service| service["process"]["state"] == "down");
    assert_eq!(recorded(&first)[..of_first.len()], of_first[..]);
    assert_eq!(first.stop(), 0, "{}", first.log());

    // The file is free, and the second one goes on in it.
    wait_condition(&second, "journal_lossy", "ok");
    wait_written(&second);
    let after = recorded(&second);
    for event in of_first.iter().chain(events(&held)) {
        assert!(after.contains(event), "{event} is lost");
    }

    // The first one comes back to a file that is in use.
    let first = one.supervisor().in_place_of(&first).start();
    wait_condition(&first, "journal_lossy", "warn");
    assert_eq!(first.get("/v1/events").json()["partial"], true);
}
