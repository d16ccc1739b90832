//! Results of health checks.

use roost_ident::{HealthStatus, Hook};
use roost_service::{Effect, HookOutcome, PhaseName};

use crate::support::{has_line, world};

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
