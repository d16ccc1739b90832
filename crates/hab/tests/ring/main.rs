//! The ring with real processes: several Supervisors, each on its own address, and foreign members.
//! Tests that take longer than a minute are ignored; run them before completing a change of the
//! ring.

mod configuration;
mod departing;
mod election;
mod foreign;
mod hostile;
mod joining;
mod key;
mod many;
mod partition;
mod peer;
mod peers;
mod postgresql;
mod record;
mod surroundings;
mod view;

use std::{
    process::Output,
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::{Builder, Root, Supervisor};

/// A root for the program under test.
fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

const WEB: &str = "acme/web/1.0.0/20250101000000";
const DB: &str = "acme/db/1.0.0/20250101000000";

/// A service that runs until it is stopped.
const RUN: &str = "#!/bin/sh\nexec sleep 100000\n";

/// Installs `acme/db`, which exports a port, and `acme/web`, which binds to it and writes the
/// address of its database.
fn install(root: &Root) {
    root.package(
        DB,
        &[
            ("hooks/run", RUN),
            ("default.toml", "port = 5432\nname = \"first\"\npassword = \"\"\n"),
            ("EXPORTS", "port=port\nname=name\n"),
            ("config/name.txt", "{{cfg.name}}"),
        ],
    );
    root.package(
        WEB,
        &[
            ("hooks/run", RUN),
            ("BINDS", "db=port"),
            (
                "config/db.txt",
                "{{#eachAlive bind.db.members as |m|}}{{m.sys.ip}}:{{m.cfg.port}} {{/eachAlive}}",
            ),
        ],
    );
}

/// A root with both packages.
fn installed() -> Root {
    let root = root();
    install(&root);
    root
}

/// Starts a Supervisor without peers.
fn first(root: &Root, args: &[&str]) -> Supervisor {
    root.supervisor().args(args).start()
}

/// Starts a Supervisor with another one as initial peer.
fn joining(root: &Root, member: &Supervisor, args: &[&str]) -> Supervisor {
    joining_builder(root, member, args).start()
}

fn joining_builder<'a>(root: &'a Root, member: &Supervisor, args: &[&str]) -> Builder<'a> {
    root.supervisor().args(args).peers(&[member])
}

/// The health of a member in a Supervisor's list; empty when it is not listed.
fn health_of(sup: &Supervisor, id: &str) -> String {
    let butterfly = sup.get("/butterfly").json();
    butterfly["member"]["health"][id].as_str().unwrap_or_default().into()
}

/// Waits until a Supervisor lists another one with this health.
fn wait_health(sup: &Supervisor, id: &str, health: &str) {
    sup.wait_json("/butterfly", |butterfly| butterfly["member"]["health"][id] == health);
}

/// Waits until all list each other.
fn wait_converged(members: &[&Supervisor]) {
    for sup in members {
        for other in members {
            wait_health(sup, &other.member_id(), "Alive");
        }
    }
}

/// The member of a group as another Supervisor's census shows it.
fn census_member(census: &Value, group: &str, id: &str) -> Value {
    census["census_groups"][group]["population"][id].clone()
}

/// A counter of `/metrics`, named with its labels.
fn metric(sup: &Supervisor, name: &str) -> f64 {
    let text = sup.get("/metrics").text();
    let line =
        text.lines().find(|line| line.strip_prefix(name).is_some_and(|r| r.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
}

/// Repeats the body for this long.
fn throughout(time: Duration, mut check: impl FnMut()) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        check();
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs `hab` against a Supervisor and expects success.
fn hab(sup: &Supervisor, args: &[&str]) -> String {
    let ctl = sup.ctl.to_string();
    let output = sup.hab(args.iter().copied().chain(["-r", &ctl]));
    assert!(
        output.status.success(),
        "{args:?}: {}{}",
        stdout(&output),
        String::from_utf8_lossy(&output.stderr)
    );
    stdout(&output)
}
