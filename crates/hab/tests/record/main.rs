//! The record, proved with the real program: no change is missed, whatever happens to readers, to
//! the Supervisor and to its journal.

mod following;
mod missed;
mod thousand;

use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

/// A root for the program under test.
fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

/// A root with these services, which run until they are stopped.
fn root_with(names: &[&str]) -> Root {
    let root = root();
    for name in names {
        let files = [
            ("hooks/run", "#!/bin/sh\n# {{cfg.colour}}\nexec sleep 100000\n"),
            ("default.toml", "colour = \"red\"\n"),
        ];
        root.package(&format!("acme/{name}/1.0.0/20250101000000"), &files);
        root.spec(name, &format!("ident = \"acme/{name}\"\n"));
    }
    root
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

/// The number of an event.
fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().expect("a number")
}
