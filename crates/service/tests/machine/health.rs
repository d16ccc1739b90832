//! Results of health checks.

use roost_ident::{HealthStatus, Hook, TerminationReason};
use roost_service::{
    BackoffSettings, Effect, HookOutcome, PhaseName, Printed, ReasonCode, Remembered, ServiceSpec,
    ServiceState, Settings, Survivor,
};

use crate::support::{Script, World, has_line, plan, spec, world};

#[test]
fn a_hung_health_check_is_stopped_and_unknown_with_a_reason() {
    let mut world = world(&[Hook::Run, Hook::HealthCheck], |script| {
        script.hooks.insert(Hook::HealthCheck, (None, HookOutcome::Exit(0)));
    });
    world.pass(200_000);
    let status = world.machine.status();
    assert_eq!(status.health, HealthStatus::Unknown);
    let reason = "health-check ran longer than 60 secs and was stopped";
    assert_eq!(status.reason.as_deref(), Some(reason));
    assert_eq!(has_line(&world, &format!("web(HK): {reason}")), 1, "logged once");
    let ends = world.times(|effect| *effect == Effect::EndHook(Hook::HealthCheck));
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert_eq!(status.phase, PhaseName::Running, "health does not restart a service");
}

#[test]
fn health_results_are_those_of_exit_codes_signals_and_failures_to_run() {
    for (outcome, health) in [
        (HookOutcome::Exit(0), HealthStatus::Ok),
        (HookOutcome::Exit(1), HealthStatus::Warning),
        (HookOutcome::Exit(2), HealthStatus::Critical),
        (HookOutcome::Exit(3), HealthStatus::Unknown),
        (HookOutcome::Exit(7), HealthStatus::Unknown),
        (HookOutcome::Signal(9), HealthStatus::Unknown),
        (HookOutcome::CouldNotRun("no".into()), HealthStatus::Unknown),
    ] {
        let mut world = world(&[Hook::Run, Hook::HealthCheck], |script| {
            script.hooks.insert(Hook::HealthCheck, (Some(5), outcome.clone()));
        });
        world.pass(1_000);
        assert_eq!(world.machine.status().health, health, "{outcome:?}");
    }
}

/// A service whose check was OK, and has turned critical just now.
fn turned_critical(restart_when_critical: u32, settings: Settings) -> World {
    let spec = ServiceSpec { restart_when_critical, ..spec("web") };
    let mut script = Script::new(plan("web", &[Hook::Run, Hook::HealthCheck]));
    script.printed = Printed::of("no answer\n", "");
    let mut world = World::with_spec(spec, script, settings);
    world.pass(120_000);
    assert_eq!(world.machine.status().health, HealthStatus::Ok);
    world.script.hooks.insert(Hook::HealthCheck, (Some(5), HookOutcome::Exit(2)));
    while world.machine.status().health == HealthStatus::Ok {
        world.pass(10);
    }
    world
}

const THREE: &str =
    "web.default(SR): 3 health checks in a row were critical: no answer; starting again";

#[test]
fn critical_checks_in_a_row_restart_the_service_with_a_reason() {
    let mut world = turned_critical(3, Settings::default());
    let is_spawn = |effect: &Effect| *effect == Effect::Spawn;
    world.pass(59_000);
    assert_eq!(world.times(is_spawn).len(), 1, "two in a row are not three");
    world.pass(2_000);
    assert_eq!(world.times(is_spawn).len(), 2);
    assert_eq!(has_line(&world, THREE), 1, "{:?}", world.lines);
    let status = world.machine.status();
    assert_eq!(status.restart_count, 1);
    let last = status.last_process_state.expect("one");
    assert_eq!(last.reason, TerminationReason::HealthCheckCritical);
    // It is critical from its start, and has time for that.
    world.pass(299_000);
    assert_eq!(world.times(is_spawn).len(), 2);
    world.pass(120_000);
    assert_eq!(world.times(is_spawn).len(), 3);
}

#[test]
fn without_the_option_a_critical_service_runs_on() {
    let mut world = turned_critical(0, Settings::default());
    world.pass(1_000_000);
    assert_eq!(world.times(|effect| *effect == Effect::Spawn).len(), 1);
}

#[test]
fn the_wait_of_a_critical_service_is_that_of_a_crash_and_shows_why() {
    let backoff = BackoffSettings { min_ms: 20_000, max_ms: 60_000, cooldown_ms: 300_000 };
    let mut world = turned_critical(1, Settings { backoff, ..Settings::default() });
    world.pass(5_000);
    let status = world.machine.status();
    assert_eq!(status.state, ServiceState::BackingOff);
    let why = status.why.expect("a reason");
    assert_eq!(why.code, ReasonCode::HealthCritical);
    assert_eq!(why.message, "the last health check was critical");
    assert_eq!(why.line(), "the last health check was critical: no answer");
    // What the check printed is hidden where the API is redacted.
    assert!(!why.line_without_output().contains("no answer"));
}

#[test]
fn the_next_supervisor_goes_on_counting() {
    let mut world = turned_critical(3, Settings::default());
    world.pass(40_000);
    let remembered = world.machine.remember().encode();
    let remembered = Remembered::decode(&remembered).expect("our own");
    assert_eq!(remembered.streak.criticals, 2);
    let status = world.machine.status();
    let survivor = Survivor {
        pid: status.process.pid.expect("up"),
        started_unix_ms: status.process.state_entered_ms,
        remembered,
        is_gone: false,
        unseen_end: None,
    };
    let spec = ServiceSpec { restart_when_critical: 3, ..spec("web") };
    let mut world = World::adopted_with(spec, world.script.clone(), survivor);
    world.pass(1_000);
    assert_eq!(has_line(&world, THREE), 1, "{:?}", world.lines);
}
