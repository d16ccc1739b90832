//! What the record gets: each kind of fact, and what it follows from.

use roost_events::{Cause, Kind, Report, Severity};
use roost_ident::{BindState, Hook};
use roost_service::{BindReport, BuildFailure, HookOutcome, MachineEvent, RenderedKind, Settings};

use crate::support::{Script, World, plan, rendering, spec, world};

/// A report and the kinds that it follows from, the nearest first.
fn chain(world: &World, report: &Report) -> Vec<Kind> {
    let mut kinds = vec![report.fact.kind];
    let mut cause = report.cause;
    while let Cause::Report(id) = cause {
        let before = world.reports.iter().find(|report| report.id == id).expect("a report");
        kinds.push(before.fact.kind);
        cause = before.cause;
    }
    kinds
}

fn last(world: &World, kind: Kind) -> &Report {
    let mut reports = world.reports.iter().rev();
    reports.find(|report| report.fact.kind == kind).expect("a report of this kind")
}

fn count(world: &World, kind: Kind) -> usize {
    world.reports.iter().filter(|report| report.fact.kind == kind).count()
}

/// A cause from outside the machine.
fn request() -> Cause {
    Cause::Event(roost_events::Seq(7))
}

/// Hands the machine an event that follows from [`request`].
fn because(world: &mut World, event: MachineEvent) {
    world.machine.because(request());
    world.tell(event);
}

#[test]
fn a_start_is_a_chain_that_ends_when_it_is_up() {
    let mut world = world(&[], |_| {});
    world.pass(100);
    let up = [Kind::ServiceUp, Kind::ProcessStarted, Kind::ServiceStarting];
    assert_eq!(chain(&world, last(&world, Kind::ServiceUp)), up);
    let health = last(&world, Kind::HealthChanged);
    assert_eq!(health.fact.after.as_deref(), Some("ok"));
    assert_eq!(chain(&world, health)[1], Kind::ServiceUp);
    let up = &last(&world, Kind::ServiceUp).fact;
    assert_eq!(up.data["release"], "example/web/1.0.0/20250101000000");
    assert_eq!(up.before.as_deref(), Some("starting"));
}

#[test]
fn a_stop_and_a_start_follow_from_the_request() {
    let mut world = world(&[Hook::PostStop], |_| {});
    world.pass(100);
    because(&mut world, MachineEvent::Stop { timeout_s: None });
    world.pass(100);
    let stopping = last(&world, Kind::ServiceStopping);
    assert_eq!(stopping.cause, request());
    let down = last(&world, Kind::ServiceDown);
    let kinds = [Kind::ServiceDown, Kind::ProcessExited, Kind::ServiceStopping];
    assert_eq!(chain(&world, down), kinds);
    let exit = &last(&world, Kind::ProcessExited).fact;
    assert_eq!((exit.severity, &exit.data["cause"]), (Severity::Info, &"stopped".into()));

    because(&mut world, MachineEvent::Start);
    world.pass(5_000);
    let up = last(&world, Kind::ServiceUp);
    let kinds = [Kind::ServiceUp, Kind::ProcessStarted, Kind::ServiceStarting];
    assert_eq!(chain(&world, up), kinds, "it does not follow from the stop");
    assert_eq!(last(&world, Kind::ServiceStarting).cause, request());
}

#[test]
fn a_crash_leads_to_the_next_start() {
    let mut world = world(&[], |script| script.runs_ms = Some(300));
    world.pass(301 + 10_000);
    let exit = world.reports.iter().find(|report| report.fact.kind == Kind::ProcessExited);
    let exit = exit.expect("an end");
    assert_eq!(exit.cause, Cause::Unknown, "nothing in the record made it end");
    let fact = &exit.fact;
    assert_eq!(fact.severity, Severity::Warning);
    assert_eq!(fact.message, "web.default: the process exited with code 1 after 0.3 s");
    assert_eq!((&fact.data["exit_code"], &fact.data["ran_ms"]), (&1.into(), &300.into()));
    assert_eq!(fact.data["stderr"], serde_json::json!(["cannot bind"]));
    let again = last(&world, Kind::ProcessStarted);
    let kinds = chain(&world, again);
    assert_eq!(kinds[..2], [Kind::ProcessStarted, Kind::ServiceStarting]);
    assert!(kinds.contains(&Kind::ProcessExited), "{kinds:?}");
    let second = last(&world, Kind::ServiceBackingOff);
    assert!(second.fact.data["starts_in_ms"].as_u64() > Some(0));
    assert_eq!(second.fact.data["reason"], "run_exits");
}

#[test]
fn a_process_that_ignores_the_signal_is_a_warning() {
    let mut world = world(&[], |script| script.ends_ms = None);
    world.pass(100);
    because(&mut world, MachineEvent::Stop { timeout_s: Some(1) });
    world.pass(3_000);
    let exit = &last(&world, Kind::ProcessExited).fact;
    assert_eq!(exit.severity, Severity::Warning);
    assert_eq!(exit.data["cause"], "stop_timeout");
}

#[test]
fn health_changes_with_the_result_and_what_the_check_printed() {
    let mut world = world(&[Hook::HealthCheck], |script| {
        script.hooks.insert(Hook::HealthCheck, (Some(1), HookOutcome::Exit(2)));
        script.printed = roost_service::Printed::of("", "no connection\n");
    });
    world.pass(10_000);
    let turned = last(&world, Kind::HealthChanged);
    assert_eq!(count(&world, Kind::HealthChanged), 1, "the same result is not a change");
    assert_eq!(turned.cause, Cause::Unknown);
    assert_eq!(turned.fact.severity, Severity::Error);
    assert_eq!(
        (turned.fact.before.as_deref(), turned.fact.after.as_deref()),
        (Some("unknown"), Some("critical"))
    );
    assert_eq!(turned.fact.data["exit_code"], 2);
    assert_eq!(turned.fact.data["output"], serde_json::json!(["no connection"]));

    because(&mut world, MachineEvent::Stop { timeout_s: None });
    world.pass(100);
    let lost = last(&world, Kind::HealthChanged);
    assert_eq!(chain(&world, lost), [Kind::HealthChanged, Kind::ServiceStopping]);
    assert_eq!((lost.fact.severity, lost.fact.data.get("output")), (Severity::Info, None));
}

#[test]
fn a_restart_for_critical_health_follows_from_the_change() {
    let mut spec = spec("web");
    spec.restart_when_critical = 1;
    let mut script = Script::new(plan("web", &[Hook::HealthCheck]));
    script.hooks.insert(Hook::HealthCheck, (Some(1), HookOutcome::Exit(2)));
    let mut world = World::with_spec(spec, script, Settings::default());
    world.pass(600_000);
    let mut reports = world.reports.iter();
    let stopping = reports.find(|report| report.fact.kind == Kind::ServiceStopping);
    let stopping = stopping.expect("a restart");
    assert_eq!(chain(&world, stopping), [Kind::ServiceStopping, Kind::HealthChanged]);
}

#[test]
fn a_check_that_exceeds_its_limit_again_and_again_is_reported_once() {
    let mut world = world(&[Hook::HealthCheck], |script| {
        script.hooks.insert(Hook::HealthCheck, (None, HookOutcome::Exit(0)));
    });
    world.pass(1_000_000);
    assert_eq!(count(&world, Kind::HookTimedOut), 1);
    let late = &last(&world, Kind::HookTimedOut).fact;
    assert_eq!(late.data["hook"], "health-check");
    assert!(late.data["limit_ms"].as_u64() > Some(0));
    assert_eq!(count(&world, Kind::HookFailed), 0, "that it was stopped is not another failure");
}

#[test]
fn a_failed_init_leads_to_the_wait_before_the_next_start() {
    let mut world = world(&[Hook::Init], |script| {
        script.hooks.insert(Hook::Init, (Some(1), HookOutcome::Exit(3)));
    });
    world.pass(5);
    let failed = last(&world, Kind::HookFailed);
    assert_eq!(failed.fact.message, "web.default: the init hook exited with code 3");
    assert_eq!(
        (&failed.fact.data["hook"], &failed.fact.data["exit_code"]),
        (&"init".into(), &3.into())
    );
    assert_eq!(chain(&world, failed)[1], Kind::ServiceStarting);
    let state = &world.reports.last().expect("a report");
    assert_eq!(chain(&world, state)[1], Kind::HookFailed, "{state:?}");
}

#[test]
fn a_service_that_cannot_be_built_fails_once_however_often_it_is_tried() {
    let mut world = world(&[], |script| {
        script.build = Err(BuildFailure::NotInstalled("acme/web is not installed".into()));
    });
    world.pass(1_000_000);
    assert_eq!(count(&world, Kind::ServiceFailed), 1);
    assert_eq!(count(&world, Kind::ServiceStarting), 1);
    let failed = &last(&world, Kind::ServiceFailed).fact;
    assert_eq!(failed.data["reason"], "package_missing");
    assert!(failed.message.contains("acme/web is not installed"), "{}", failed.message);
}

#[test]
fn install_hooks_that_fail_again_and_again_are_reported_once() {
    let mut script = Script::new(plan("web", &[]));
    script.plan.installs = true;
    script.install = Err("install exited with 3".into());
    let mut world = World::new("web", script, Settings::default());
    world.pass(1_000_000);
    assert_eq!(count(&world, Kind::HookFailed), 1);
    assert_eq!(count(&world, Kind::ServiceBackingOff), 1);
    assert_eq!(chain(&world, last(&world, Kind::ServiceBackingOff))[1], Kind::HookFailed);
}

#[test]
fn a_service_waits_for_a_bind_and_starts_because_of_it() {
    let mut spec = spec("web");
    spec.binds = vec!["db:pg.default".parse().expect("a bind")];
    let mut world = World::with_spec(spec, Script::new(plan("web", &[])), Settings::default());
    world.pass(100);
    assert_eq!(count(&world, Kind::ServiceBlocked), 0, "what it waits for is not known yet");
    let bind = |state| {
        MachineEvent::Binds(vec![BindReport {
            name: "db".into(),
            group: "pg.default".into(),
            state,
        }])
    };
    world.tell(bind(BindState::Absent));
    let blocked = last(&world, Kind::ServiceBlocked);
    assert_eq!(blocked.fact.data["reason"], "waiting_for_binds");
    assert_eq!(chain(&world, blocked)[1], Kind::BindMissing);
    because(&mut world, bind(BindState::Satisfied));
    let satisfied = last(&world, Kind::BindSatisfied);
    assert_eq!(satisfied.cause, request());
    assert_eq!(
        (&satisfied.fact.data["bind"], &satisfied.fact.data["group"]),
        (&"db".into(), &"pg.default".into())
    );
    world.pass(100);
    let kinds = chain(&world, last(&world, Kind::ServiceUp));
    assert!(kinds.contains(&Kind::BindSatisfied), "{kinds:?}");
}

#[test]
fn a_restart_for_a_changed_configuration_follows_from_the_change() {
    let mut world = world(&[], |script| {
        script.renderings =
            vec![Default::default(), rendering(RenderedKind::ConfigModified), Default::default()];
    });
    world.pass(2_000);
    because(&mut world, MachineEvent::ContextChanged);
    world.pass(2_000);
    assert_eq!(last(&world, Kind::ServiceStopping).cause, request());
    assert_eq!(count(&world, Kind::ProcessStarted), 2);
}

#[test]
fn a_reconfigure_hook_that_fails_follows_from_the_change() {
    let mut world = world(&[Hook::Reconfigure], |script| {
        script.renderings = vec![Default::default(), rendering(RenderedKind::ConfigModified)];
        script.hooks.insert(Hook::Reconfigure, (Some(1), HookOutcome::Signal(9)));
    });
    world.pass(2_000);
    because(&mut world, MachineEvent::ContextChanged);
    world.pass(2_000);
    let failed = last(&world, Kind::HookFailed);
    assert_eq!((failed.cause, &failed.fact.data["signal"]), (request(), &9.into()));
}

#[test]
fn options_that_cannot_be_used_are_rejected_once_for_their_request() {
    let mut world = world(&[], |script| script.check = Err("no release".into()));
    world.pass(100);
    let mut other = spec("web");
    other.shutdown_timeout_s = Some(3);
    let group = world.machine.group().clone();
    because(&mut world, MachineEvent::SpecChanged { spec: other, group });
    world.pass(1_000_000);
    assert_eq!(count(&world, Kind::ConfigRejected), 1);
    let rejected = last(&world, Kind::ConfigRejected);
    assert_eq!(rejected.cause, request());
    assert_eq!(rejected.fact.data["what"], "release_or_options");
    assert_eq!(rejected.fact.severity, Severity::Error);
}

#[test]
fn a_user_toml_with_an_error_is_rejected() {
    let mut world = world(&[], |_| {});
    world.pass(100);
    for _ in 0..2 {
        world.tell(MachineEvent::UserConfig { refused: Some("user.toml: bad".into()) });
    }
    assert_eq!(count(&world, Kind::ConfigRejected), 1);
    assert_eq!(last(&world, Kind::ConfigRejected).fact.data["what"], "user_toml");
}
