//! Every type of event that a Supervisor records of itself and of its services: the real program is
//! made to emit it, and its document is as documented. Those of the ring are in the suite `ring`.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::{Root, Supervisor, events::Documented, wait_for};

use super::{RUN, hab, ok, root};

/// An event that is expected, and the type of its cause; empty when it has none.
struct Expected {
    kind: &'static str,
    cause: &'static str,
    /// The service; empty when it is about none.
    service: &'static str,
}

const fn expect(kind: &'static str, service: &'static str, cause: &'static str) -> Expected {
    Expected { kind, cause, service }
}

/// What happens to one Supervisor and its services, in [`everything_happens`].
const EXPECTED: &[Expected] = &[
    expect("supervisor.started", "", ""),
    expect("supervisor.recovered", "", ""),
    expect("supervisor.took_back", "", "supervisor.started"),
    expect("supervisor.stopping", "", "control.request"),
    expect("control.request", "", ""),
    expect("control.request", "web.default", ""),
    expect("service.loaded", "web.default", "control.request"),
    expect("service.starting", "web.default", "service.loaded"),
    expect("process.started", "web.default", "service.starting"),
    expect("service.up", "web.default", "process.started"),
    expect("health.changed", "web.default", ""),
    expect("service.stopping", "web.default", "control.request"),
    expect("process.exited", "web.default", "service.stopping"),
    expect("service.down", "web.default", "process.exited"),
    expect("service.starting", "web.default", "control.request"),
    expect("process.exited", "web.default", ""),
    expect("service.options_changed", "web.default", "control.request"),
    expect("config.changed", "web.default", "control.request"),
    expect("config.rejected", "web.default", ""),
    expect("file.received", "web.default", "control.request"),
    expect("service.unloaded", "web.default", "service.down"),
    expect("service.backing_off", "crashing.default", "process.exited"),
    expect("hook.failed", "initless.default", "service.starting"),
    expect("hook.timed_out", "slow.default", "service.starting"),
    expect("service.failed", "templated.default", "service.starting"),
    expect("service.blocked", "bound.default", "bind.missing"),
    expect("bind.missing", "bound.default", ""),
    expect("bind.satisfied", "bound.default", ""),
];

/// Types that other tests make the program emit.
const ELSEWHERE: &[&str] = &[
    // A disk that is full for longer than memory lasts: the suite `record`.
    "journal.gap",
    // Below, with a root of its own.
    "journal.recovered",
];

fn all_events(sup: &Supervisor) -> Vec<Value> {
    let answer = sup.get("/v1/events?order=oldest&limit=1000");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["items"].as_array().cloned().unwrap_or_default()
}

fn is_there(events: &[Value], expected: &Expected) -> bool {
    let service = |event: &Value| event["service"].as_str().unwrap_or_default().to_owned();
    let cause = |event: &Value| {
        let found = events.iter().find(|other| other["seq"] == event["cause"]);
        found.map_or("", |cause| cause["type"].as_str().unwrap_or_default()).to_owned()
    };
    events.iter().any(|event| {
        event["type"] == expected.kind
            && service(event) == expected.service
            && cause(event) == expected.cause
    })
}

fn wait_event(sup: &Supervisor, kind: &str, service: &str) -> Value {
    wait_for(&format!("{kind} of {service}\n{}", sup.log()), || {
        let path = format!("/v1/events?type={kind}&service={service}");
        sup.get(&path).json()["items"].get(0).cloned()
    })
}

fn packages(root: &Root) {
    let package = |name: &str, files: &[(&str, &str)]| {
        root.package(&format!("acme/{name}/1.0.0/20250101000000"), files);
    };
    let check = "#!/bin/sh\nexit 0\n";
    package(
        "web",
        &[
            ("hooks/run", RUN),
            ("hooks/health-check", check),
            ("default.toml", "colour = \"red\"\nport = 1\n"),
            ("config/colour.txt", "{{cfg.colour}}"),
            ("EXPORTS", "port=port\n"),
        ],
    );
    package("crashing", &[("hooks/run", "#!/bin/sh\necho no port 80 >&2\nexit 3\n")]);
    package("initless", &[("hooks/run", RUN), ("hooks/init", "#!/bin/sh\nexit 4\n")]);
    package("slow", &[("hooks/run", RUN), ("hooks/init", "#!/bin/sh\nexec sleep 1000\n")]);
    package("templated", &[("hooks/run", "#!/bin/sh\n{{strReplace cfg.nothing}}\n")]);
    package("bound", &[("hooks/run", RUN), ("BINDS", "front=port\n")]);
}

/// Lets everything happen that [`EXPECTED`] lists.
fn everything_happens(root: &Root) -> Supervisor {
    packages(root);
    for name in ["crashing", "initless", "slow", "templated"] {
        root.spec(name, &format!("ident = \"acme/{name}\"\n"));
    }
    root.spec("bound", "ident = \"acme/bound\"\nbinds = [\"front:web.default\"]\n");
    let pause = ["--service-min-backoff-period", "2", "--service-max-backoff-period", "60"];
    let sup = root.supervisor().args(pause).env("HAB_INIT_TIMEOUT_SECS", "1").start();
    wait_event(&sup, "bind.missing", "bound.default");
    ok(&sup, &["svc", "load", "acme/web"]);
    let pid = sup.wait_up("web");
    wait_event(&sup, "health.changed", "web.default");
    wait_event(&sup, "bind.satisfied", "bound.default");
    for (kind, name) in [
        ("service.backing_off", "crashing"),
        ("hook.failed", "initless"),
        ("hook.timed_out", "slow"),
        ("service.failed", "templated"),
    ] {
        wait_event(&sup, kind, &format!("{name}.default"));
        ok(&sup, &["svc", "unload", &format!("acme/{name}")]);
    }

    // A crash, and a stop and start by command.
    let pid = Pid::from_raw(pid).expect("a process");
    kill_process(pid, Signal::KILL).expect("killed");
    wait_for("the restart", || (sup.wait_up("web") != pid.as_raw_nonzero().get()).then_some(()));
    ok(&sup, &["svc", "stop", "acme/web"]);
    sup.wait_json("/services/web/default", |service| service["process"]["state"] == "down");
    ok(&sup, &["svc", "start", "acme/web"]);
    sup.wait_up("web");

    // Configuration and files.
    ok(&sup, &["svc", "update", "acme/web", "--channel", "beta"]);
    wait_event(&sup, "service.options_changed", "web.default");
    let write = |name: &str, content: &str| {
        root.write(name, content);
        root.join(name).display().to_string()
    };
    let blue = write("blue.toml", "colour = \"blue\"\n");
    ok(&sup, &["config", "apply", "web.default", "1", &blue]);
    wait_event(&sup, "config.changed", "web.default");
    let motd = write("motd", "hello\n");
    ok(&sup, &["file", "upload", "web.default", "1", &motd]);
    wait_event(&sup, "file.received", "web.default");
    root.write("hab/user/web/config/user.toml", "colour == 1\n");
    wait_event(&sup, "config.rejected", "web.default");

    // Another Supervisor takes over, twice: after an end without order, and after one with it.
    let journal = root.join("hab/sup/default/journal.redb");
    wait_for("the journal", || {
        let bytes = std::fs::read(&journal).ok()?;
        bytes.windows(15).any(|part| part == b"config.rejected").then_some(())
    });
    let former = sup.supervisor_pid().expect("a Supervisor");
    kill_process(former, Signal::KILL).expect("killed");
    wait_for("another Supervisor", || sup.supervisor_pid().filter(|pid| *pid != former));
    sup.wait_up("web");
    wait_for("the event", || {
        sup.get("/v1/events?type=supervisor.recovered").json()["items"].get(0).cloned()
    });
    let second = sup.supervisor_pid().expect("a Supervisor");
    let said = hab(&sup, &["sup", "restart"]);
    assert_eq!(said.code, 0, "{said:?}");
    wait_for("a third Supervisor", || sup.supervisor_pid().filter(|pid| *pid != second));
    sup.wait_up("web");
    ok(&sup, &["svc", "unload", "acme/web"]);
    wait_event(&sup, "service.unloaded", "web.default");
    sup
}

#[test]
fn the_program_emits_every_type_with_its_cause_and_the_documented_data() {
    let root = root();
    let sup = everything_happens(&root);
    let events = all_events(&sup);
    let documented = Documented::read();
    events.iter().for_each(|event| documented.check(event));
    let lacking: Vec<String> = EXPECTED
        .iter()
        .filter(|expected| !is_there(&events, expected))
        .map(|it| format!("{} of '{}' because of '{}'", it.kind, it.service, it.cause))
        .collect();
    let lines = || {
        let line = |event: &Value| {
            let (cause, kind) = (&event["cause"], event["type"].as_str().unwrap_or_default());
            format!("{} <- {cause}: {kind} {}", event["seq"], event["message"])
        };
        events.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    assert!(lacking.is_empty(), "{lacking:#?}\n{}", lines());

    let of_ring = |kind: &str| {
        ["election.", "leader.", "member."].iter().any(|topic| kind.starts_with(topic))
    };
    let tested = |kind: &str| {
        EXPECTED.iter().any(|expected| expected.kind == kind) || ELSEWHERE.contains(&kind)
    };
    let untested: Vec<&str> =
        documented.types().filter(|kind| !of_ring(kind) && !tested(kind)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}
