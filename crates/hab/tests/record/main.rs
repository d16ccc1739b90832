//! The record, proved with the real program: no change is missed, whatever happens to readers, to
//! the Supervisor and to its journal.

mod clock;
mod corrupted;
mod disk;
mod following;
mod foreign;
mod missed;
mod thousand;

use std::path::{Path, PathBuf};

use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

/// A root for the program under test.
fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

/// A root with these services, which run until they are stopped.
fn root_with(names: &[&str]) -> Root {
    let root = root();
    load(&root, names);
    root
}

/// Installs and loads services.
fn load(root: &Root, names: &[&str]) {
    for name in names {
        let files = [
            ("hooks/run", "#!/bin/sh\n# {{cfg.colour}}\nexec sleep 100000\n"),
            ("default.toml", "colour = \"red\"\n"),
        ];
        root.package(&format!("acme/{name}/1.0.0/20250101000000"), &files);
        root.spec(name, &format!("ident = \"acme/{name}\"\n"));
    }
}

/// Runs a command of `hab svc` against the control gateway, until the Supervisor takes it.
fn svc(sup: &Supervisor, command: &str, name: &str) {
    let (ident, ctl) = (format!("acme/{name}"), sup.ctl.to_string());
    wait_for("the command", || {
        sup.hab(["svc", command, &ident, "-r", &ctl]).status.success().then_some(())
    });
}

/// Kills the Supervisor, and waits until the next one answers.
fn kill_supervisor(sup: &Supervisor) {
    let former = wait_for("a Supervisor", || sup.supervisor_pid());
    rustix::process::kill_process(former, rustix::process::Signal::KILL).expect("killed");
    wait_for("another Supervisor", || sup.supervisor_pid().filter(|pid| *pid != former));
    sup.wait_json("/services", Value::is_array);
}

/// Every event that the record still has, the oldest first.
fn recorded(sup: &Supervisor) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = sup.get(&format!("/v1/events?order=oldest&limit=1000{cursor}")).json();
        assert_eq!(page["partial"], false, "{page:#}");
        events.extend(page["items"].as_array().expect("events").iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return events,
        }
    }
}

/// Waits until every event is in the journal. Returns the number of the last one.
fn wait_written(sup: &Supervisor) -> u64 {
    let last = recorded(sup).last().map_or(0, seq);
    let row = format!("\"seq\":{last},");
    wait_for("the journal", || {
        let journal = std::fs::read(journal(sup.root())).ok()?;
        journal.windows(row.len()).any(|part| part == row.as_bytes()).then_some(last)
    })
}

/// The file of the journal.
fn journal(root: &Path) -> PathBuf {
    root.join("hab/sup/default/journal.redb")
}

/// Waits for an event of this type.
fn wait_event(sup: &Supervisor, kind: &str) -> Value {
    wait_for(kind, || {
        let page = sup.get(&format!("/v1/events?type={kind}&limit=1")).json();
        page["items"].get(0).cloned()
    })
}

/// Waits until a condition of the Supervisor has this status; returns its message.
fn wait_condition(sup: &Supervisor, kind: &str, status: &str) -> String {
    let found = |document: &Value| {
        let all = document["conditions"].as_array()?;
        let is = |it: &&Value| it["type"] == kind && it["status"] == status;
        Some(all.iter().find(is)?["message"].as_str().unwrap_or_default().to_owned())
    };
    let document = sup.wait_json("/v1/supervisor", |document| found(document).is_some());
    found(&document).unwrap_or_default()
}

/// The number of an event.
fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().expect("a number")
}
