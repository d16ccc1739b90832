//! Starts of a service: the start floor, install hooks, failed builds.

use roost_ident::{DesiredState, HealthStatus, Hook, ProcessState};
use roost_service::{BuildFailure, Effect, HookOutcome, MachineEvent, PhaseName};

use crate::support::{Script, has_line, is_build, world};

#[test]
fn a_process_that_ran_a_second_is_started_again_in_the_same_instant() {
    let mut world = world(&[Hook::Run], |script| script.runs_ms = Some(1_000));
    world.pass(3_500);
    let exits = world.times(|effect| *effect == Effect::RemovePid);
    let builds = world.times(is_build);
    assert_eq!(builds[1..], exits[..], "each exit is followed by a build at once");
    assert!(builds.len() >= 3);
}

#[test]
fn a_process_that_dies_at_once_is_started_once_a_second() {
    let mut world = world(&[Hook::Run], |script| script.runs_ms = Some(1));
    world.pass(10_000);
    let spawns = world.times(|effect| *effect == Effect::Spawn);
    assert!(spawns.len() >= 9, "{spawns:?}");
    assert!(spawns.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{spawns:?}");
    let status = world.machine.status();
    assert_eq!(status.restart_count, spawns.len() as u64);
}

#[test]
fn failing_spawns_init_and_install_hooks_keep_the_floor() {
    type Case = (fn(&mut Script), fn(&Effect) -> bool);
    let cases: [Case; 3] = [
        (|script| script.spawn = Err("No such file".into()), |effect| *effect == Effect::Spawn),
        (
            |script| {
                script.hooks.insert(Hook::Init, (Some(0), HookOutcome::Signal(11)));
            },
            |effect| *effect == Effect::RunHook(Hook::Init),
        ),
        (
            |script| {
                script.plan.installs = true;
                script.install = Err("exit 1".into());
            },
            |effect| *effect == Effect::RunInstallHooks,
        ),
    ];
    for (change, is_wanted) in cases {
        let mut world = world(&[Hook::Init, Hook::Run], change);
        world.pass(10_000);
        let times = world.times(is_wanted);
        assert!(times.len() >= 9, "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
        assert_eq!(world.machine.status().process.state, ProcessState::Down);
    }
}

#[test]
fn a_failing_install_hook_is_logged_once_and_shown_as_the_reason() {
    let mut world = world(&[Hook::Run], |script| {
        script.plan.installs = true;
        script.install = Err("exit 1".into());
    });
    world.pass(5_000);
    let line = "hab-sup(MR): Failed to run install hook for example/web, exit 1";
    assert_eq!(has_line(&world, line), 1, "{:?}", world.lines);
    assert_eq!(
        world.machine.status().reason.as_deref(),
        Some("Failed to run install hook for example/web, exit 1")
    );
    world.script.install = Ok(());
    world.pass(1_500);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.machine.status().reason, None);
}

#[test]
fn a_failed_spawn_counts_as_a_failed_run() {
    let mut world = world(&[Hook::Run], |script| script.spawn = Err("No such file".into()));
    world.pass(500);
    let status = world.machine.status();
    assert_eq!(status.restart_count, 1);
    let last = status.last_process_state.expect("marked");
    assert_eq!((last.pid, last.reason.as_str()), (None, "run_hook_failed"));
    assert_eq!(has_line(&world, "web.default(SR): Service start failed: No such file"), 1);
}

#[test]
fn post_run_is_repeated_a_second_apart_until_it_succeeds() {
    let mut world = world(&[Hook::Run, Hook::PostRun], |script| {
        script.hooks.insert(Hook::PostRun, (Some(10), HookOutcome::Exit(1)));
    });
    world.pass(3_500);
    let times = world.times(|effect| *effect == Effect::RunHook(Hook::PostRun));
    assert_eq!(times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), [1_000; 3]);
    world.script.hooks.clear();
    world.pass(10_000);
    let after = world.times(|effect| *effect == Effect::RunHook(Hook::PostRun));
    assert_eq!(after.len(), times.len() + 1);
}

#[test]
fn a_service_that_cannot_be_built_keeps_its_spec_and_recovers_when_a_file_changes() {
    let mut world = world(&[Hook::Run], |script| {
        script.build = Err(BuildFailure::Refused("bad template".into()));
    });
    world.pass(100_000);
    let line = "hab-sup(MR): Unable to start example/web, bad template";
    assert_eq!(has_line(&world, line), 1, "logged once, though retried");
    assert_eq!(world.times(is_build).len(), 4, "every 30 s");
    let status = world.machine.status();
    assert_eq!((status.phase, status.health), (PhaseName::Broken, HealthStatus::Unknown));
    assert_eq!(status.reason.as_deref(), Some("Unable to start example/web, bad template"));
    assert_eq!((status.restart_count, status.desired_state), (0, DesiredState::Up));
    world.script.build = Ok(());
    world.tell(MachineEvent::FilesChanged);
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.machine.status().reason, None);
    let starting = "hab-sup(MR): Starting example/web (example/web/1.0.0/20250101000000)";
    assert_eq!(has_line(&world, starting), 1);
}

#[test]
fn the_reason_of_a_failed_build_is_gone_while_init_runs() {
    let mut world = world(&[Hook::Init, Hook::Run], |script| {
        script.build = Err(BuildFailure::Refused("bad template".into()));
        script.hooks.insert(Hook::Init, (None, HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    world.script.build = Ok(());
    world.tell(MachineEvent::FilesChanged);
    world.pass(2_000);
    let status = world.machine.status();
    assert_eq!((status.phase, status.reason), (PhaseName::Initializing, None));
}
