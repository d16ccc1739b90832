//! Checks and thresholds of `monitor.toml`.

use std::sync::Arc;

use roost_ident::{HealthStatus, Hook};
use roost_service::{
    Effect, HookOutcome, MachineEvent, MonitorRead, ReasonCode, Rendering, Settings, monitor::Layer,
};

use crate::support::{Script, World, has_line, plan, world};

const PORT: &str = "[[check]]\nname = \"port\"\ntcp = \"h:1\"\n";

fn read(text: &str) -> Rendering {
    let monitor = Some(Arc::new(Layer::parse(text).expect("fine").monitor()));
    Rendering { monitor: Some(MonitorRead { monitor, fault: None }), ..Rendering::default() }
}

fn refused(fault: &str) -> Rendering {
    let monitor = MonitorRead { monitor: None, fault: Some(fault.into()) };
    Rendering { monitor: Some(monitor), ..Rendering::default() }
}

fn monitored(hooks: &[Hook], text: &str) -> World {
    world(hooks, |script| script.renderings = vec![read(text)])
}

fn health(world: &World) -> HealthStatus {
    world.machine.status().health
}

fn shown(world: &World) -> Vec<&Vec<String>> {
    let effects = world.effects.iter().map(|(_, effect)| effect);
    effects
        .filter_map(|effect| match effect {
            Effect::Checked(lines) => Some(lines),
            _ => None,
        })
        .collect()
}

#[test]
fn a_check_without_a_hook_decides_the_health() {
    let mut world = monitored(&[Hook::Run], PORT);
    world.pass(3_000);
    assert_eq!(health(&world), HealthStatus::Ok);
    assert!(world.machine.status().has_check);
    assert_eq!(shown(&world), [&vec!["port: Ok".to_owned()]]);
    world.script.probe = (1, HealthStatus::Critical);
    world.pass(60_000);
    assert_eq!(health(&world), HealthStatus::Critical);
    let line = "web.default(HK): Health changed from OK to CRITICAL: port: Critical";
    assert_eq!(has_line(&world, line), 1, "{:?}", world.lines);
}

#[test]
fn the_worst_of_hook_and_checks_counts() {
    for (code, probe, expected) in [
        (0, HealthStatus::Ok, HealthStatus::Ok),
        (1, HealthStatus::Ok, HealthStatus::Warning),
        (0, HealthStatus::Critical, HealthStatus::Critical),
        (2, HealthStatus::Ok, HealthStatus::Critical),
        (3, HealthStatus::Critical, HealthStatus::Critical),
        (3, HealthStatus::Ok, HealthStatus::Unknown),
    ] {
        for hook_ms in [1, 50] {
            let mut script = Script::new(plan("web", &[Hook::Run, Hook::HealthCheck]));
            script.renderings = vec![read(PORT)];
            script.probe = (20, probe);
            script.hooks.insert(Hook::HealthCheck, (Some(hook_ms), HookOutcome::Exit(code)));
            let mut world = World::new("web", script, Settings::default());
            world.pass(200);
            assert_eq!(health(&world), expected, "{code} {probe}");
        }
    }
}

#[test]
fn failures_warn_first_and_enough_of_them_restart_the_service() {
    let text = format!(
        "[health]\ninterval_s = 10\nfailures_before_critical = 2\nrestart_after = 2\n{PORT}"
    );
    let mut world = monitored(&[Hook::Run], &text);
    world.pass(60_000);
    world.script.probe = (1, HealthStatus::Critical);
    while health(&world) == HealthStatus::Ok {
        world.pass(10);
    }
    assert_eq!(health(&world), HealthStatus::Warning);
    world.pass(10_010);
    assert_eq!(health(&world), HealthStatus::Critical);
    world.script.renderings = vec![read(&text)];
    world.script.probe = (1, HealthStatus::Ok);
    // Too late: the next result is OK.
    world.pass(10_010);
    assert_eq!(health(&world), HealthStatus::Ok);
    world.script.probe = (1, HealthStatus::Critical);
    world.pass(45_000);
    assert_eq!(world.machine.status().restart_count, 1, "{:?}", world.lines);
    let line = "web.default(SR): 2 health checks in a row were critical: port: Critical; starting \
                again";
    assert_eq!(has_line(&world, line), 1, "{:?}", world.lines);
}

#[test]
fn an_error_in_the_file_is_a_condition_and_the_former_checks_go_on() {
    let mut world = monitored(&[Hook::Run], PORT);
    world.pass(3_000);
    world.script.renderings = vec![refused("monitor.toml:3: bad"), refused("monitor.toml:3: bad")];
    world.tell(MachineEvent::ContextChanged);
    world.pass(10);
    world.tell(MachineEvent::ContextChanged);
    world.pass(10);
    let status = world.machine.status();
    assert_eq!(status.health, HealthStatus::Ok);
    let why = status.why.expect("a condition");
    assert_eq!((why.code, why.message.as_str()), (ReasonCode::ConfigError, "monitor.toml:3: bad"));
    assert_eq!(has_line(&world, "web.default(SR): monitor.toml:3: bad"), 1);
    world.script.probe = (1, HealthStatus::Critical);
    world.pass(60_000);
    assert_eq!(health(&world), HealthStatus::Critical, "the former check runs");
    world.script.renderings = vec![read("")];
    world.tell(MachineEvent::ContextChanged);
    world.pass(10);
    let status = world.machine.status();
    assert_eq!((status.health, status.why), (HealthStatus::Ok, None));
}

#[test]
fn checks_that_were_never_readable_do_not_count_as_healthy() {
    let mut world =
        world(&[Hook::Run], |script| script.renderings = vec![refused("monitor.toml:3: bad")]);
    world.pass(3_000);
    assert_eq!(health(&world), HealthStatus::Unknown);
    world.script.renderings = vec![read("")];
    world.tell(MachineEvent::ContextChanged);
    world.pass(10);
    assert_eq!(health(&world), HealthStatus::Ok);
}

#[test]
fn checks_end_with_a_stop_and_late_results_count_for_nothing() {
    let mut world = monitored(&[Hook::Run], PORT);
    world.script.probe = (700_000, HealthStatus::Ok);
    world.pass(3_000);
    let rounds: Vec<u64> = world
        .effects
        .iter()
        .filter_map(|(_, effect)| match effect {
            Effect::RunProbe { round, .. } => Some(*round),
            _ => None,
        })
        .collect();
    assert_eq!(rounds.len(), 1, "never two runs of a check at once");
    world.tell(MachineEvent::Stop { timeout_s: None });
    assert_eq!(world.places(|effect| *effect == Effect::EndProbes).len(), 1);
    world.pass(1_000_000);
    assert_eq!(health(&world), HealthStatus::Unknown);
}

#[test]
fn a_hook_that_exceeds_the_limit_of_the_file_is_critical() {
    let mut world = world(&[Hook::Run, Hook::HealthCheck], |script| {
        script.renderings = vec![read("[health]\ntimeout_s = 3\n")];
        script.hooks.insert(Hook::HealthCheck, (None, HookOutcome::Exit(0)));
    });
    world.pass(4_000);
    let status = world.machine.status();
    assert_eq!(status.health, HealthStatus::Critical);
    let check = status.account.check.expect("a result");
    assert_eq!(check.printed.first, "health-check ran longer than 3 secs and was stopped");
}
