//! Stops of a service, and what follows.

use roost_ident::{DesiredState, HealthStatus, Hook, ProcessState, ShutdownSignal};
use roost_service::{BuildFailure, Effect, HookOutcome, MachineEvent, PhaseName, Settings};

use crate::support::{Script, World, group, has_line, is_build, plan, spec, world};

#[test]
fn a_stop_stops_hooks_signals_waits_and_runs_post_stop_last() {
    let mut world = world(&[Hook::Run, Hook::PostRun, Hook::PostStop], |script| {
        script.hooks.insert(Hook::PostRun, (None, HookOutcome::Exit(0)));
        script.plan.shutdown_signal = ShutdownSignal::Int;
        script.ends_ms = Some(3_000);
    });
    world.pass(2_000);
    world.tell(MachineEvent::Stop { timeout_s: None });
    assert_eq!(world.machine.status().phase, PhaseName::Stopping);
    assert_eq!(world.machine.status().process.state, ProcessState::Up);
    let before = world.effects.len();
    world.pass(5_000);
    assert_eq!(
        world.effects[before - 2..].iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>(),
        [
            Effect::EndHook(Hook::PostRun),
            Effect::Signal { pid: 1_001, signal: ShutdownSignal::Int },
            Effect::RemovePid,
            Effect::RunHook(Hook::PostStop),
            Effect::Stopped,
        ]
    );
    let status = world.machine.status();
    assert_eq!(status.phase, PhaseName::Stopped);
    assert_eq!(status.desired_state, DesiredState::Down);
    assert_eq!(status.health, HealthStatus::Unknown);
    assert_eq!(world.machine.next_wake_ms(), None);
}

#[test]
fn a_process_that_ignores_the_signal_is_killed_at_the_first_timeout_named() {
    let killed_after = |timeout_s: Option<u32>, spec_s: Option<u32>, package_s: Option<u32>| {
        let mut script = Script::new(plan("web", &[Hook::Run]));
        script.ends_ms = None;
        script.plan.shutdown_timeout_s = package_s;
        let mut spec = spec("web");
        spec.shutdown_timeout_s = spec_s;
        let mut world = World::with_spec(spec, script, Settings::default());
        world.pass(2_000);
        world.tell(MachineEvent::Stop { timeout_s });
        world.pass(60_000);
        assert_eq!(has_line(&world, "web.default(ST): Service killed (PID: 1001)"), 1);
        world.times(|effect| matches!(effect, Effect::Kill { .. }))[0] - 2_000
    };
    assert_eq!(killed_after(None, None, None), 8_000);
    assert_eq!(killed_after(None, None, Some(20)), 20_000);
    assert_eq!(killed_after(None, Some(5), Some(20)), 5_000);
    assert_eq!(killed_after(Some(0), Some(5), Some(20)), 0);
}

#[test]
fn a_second_stop_with_less_time_kills_sooner() {
    let mut world = world(&[Hook::Run], |script| script.ends_ms = None);
    world.pass(2_000);
    world.tell(MachineEvent::Stop { timeout_s: Some(100) });
    world.pass(1_000);
    world.tell(MachineEvent::Stop { timeout_s: Some(2) });
    world.pass(10_000);
    assert_eq!(world.times(|effect| matches!(effect, Effect::Kill { .. })), [5_000]);
}

#[test]
fn processes_left_behind_by_a_crash_are_stopped_before_the_next_start() {
    let mut world = world(&[Hook::Run], |_| {});
    world.pass(2_000);
    world.tell(MachineEvent::Exited { pid: 1_001, group_alive: true, end: crate::support::end() });
    world.script.ends_ms = None;
    assert_eq!(world.machine.status().process.state, ProcessState::Down);
    assert!(matches!(world.effects.last(), Some((_, Effect::Signal { pid: 1_001, .. }))));
    world.pass(12_000);
    assert!(matches!(world.effects.last(), Some((_, Effect::Kill { pid: 1_001 }))));
    assert_eq!(world.times(|effect| *effect == Effect::Spawn).len(), 1);
    world.tell(MachineEvent::GroupEnded { pid: 1_001 });
    assert!(is_build(&world.effects.last().expect("effects").1));
}

#[test]
fn a_post_stop_that_hangs_does_not_block_the_restart() {
    let mut world = world(&[Hook::Run, Hook::PostStop], |script| {
        script.hooks.insert(Hook::PostStop, (None, HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    world.tell(MachineEvent::Exited { pid: 1_001, group_alive: false, end: crate::support::end() });
    world.pass(299_000);
    assert_eq!(world.times(is_build).len(), 1);
    world.pass(2_000);
    assert_eq!(world.times(is_build).len(), 2);
    assert_eq!(has_line(&world, "web(HK): post-stop ran longer than 300 secs and was stopped"), 1);
}

#[test]
fn a_start_during_a_stop_starts_when_the_old_process_is_gone() {
    let mut world = world(&[Hook::Run], |script| script.ends_ms = Some(3_000));
    world.pass(2_000);
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(1_000);
    world.tell(MachineEvent::Start);
    world.pass(1_999);
    assert_eq!(world.times(is_build).len(), 1, "the old one still runs");
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.machine.status().desired_state, DesiredState::Up);
    assert_eq!(has_line(&world, "web.default(SR): Restarted"), 0);
}

#[test]
fn an_unload_while_building_waits_for_the_answer_and_is_gone() {
    let mut world = world(&[Hook::Run], |_| {});
    world.tell(MachineEvent::Unload { timeout_s: None });
    assert!(!world.effects.iter().any(|(_, effect)| *effect == Effect::Gone));
    world.pass(10);
    assert_eq!(
        world.effects.iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>(),
        [Effect::Build { pin: None }, Effect::Stopped, Effect::Gone]
    );
}

#[test]
fn a_stop_while_spawning_signals_the_process_as_soon_as_it_is_there() {
    let mut world = world(&[Hook::Run], |_| {});
    while !world.effects.iter().any(|(_, effect)| *effect == Effect::Spawn) {
        world.pass(1);
    }
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(1);
    assert!(matches!(world.effects.last(), Some((_, Effect::Signal { .. }))));
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Stopped);
}

#[test]
fn a_detached_machine_stops_hooks_and_leaves_the_process_alone() {
    let mut world = world(&[Hook::Run, Hook::PostRun], |script| {
        script.hooks.insert(Hook::PostRun, (None, HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    let before = world.effects.len();
    world.tell(MachineEvent::Detach);
    assert_eq!(
        world.effects[before..].iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>(),
        [Effect::EndHook(Hook::PostRun), Effect::Gone]
    );
    world.pass(10_000);
    world.tell(MachineEvent::Start);
    assert_eq!(world.effects.len(), before + 2, "nothing follows");
}

#[test]
fn a_shutdown_stops_but_does_not_change_the_desired_state() {
    let mut world = world(&[Hook::Run, Hook::PostStop], |_| {});
    world.pass(2_000);
    world.tell(MachineEvent::Shutdown);
    world.tell(MachineEvent::Start);
    world.tell(MachineEvent::SpecChanged { spec: spec("web"), group: group("web") });
    world.pass(1_000);
    assert_eq!(world.machine.status().desired_state, DesiredState::Up);
    let end: Vec<Effect> =
        world.effects.iter().rev().take(3).map(|(_, effect)| effect.clone()).collect();
    assert_eq!(end, [Effect::Gone, Effect::Stopped, Effect::RunHook(Hook::PostStop)]);
}

#[test]
fn a_weaker_command_does_not_cancel_an_unload_or_a_shutdown() {
    for (first, second) in [
        (MachineEvent::Unload { timeout_s: None }, MachineEvent::Stop { timeout_s: None }),
        (MachineEvent::Unload { timeout_s: None }, MachineEvent::Start),
        (MachineEvent::Shutdown, MachineEvent::Stop { timeout_s: None }),
        (MachineEvent::Stop { timeout_s: None }, MachineEvent::Unload { timeout_s: None }),
    ] {
        let mut world = world(&[Hook::Run], |_| {});
        world.pass(2_000);
        world.tell(first);
        world.tell(second);
        world.pass(1_000);
        assert!(matches!(world.effects.last(), Some((_, Effect::Gone))));
    }
}

#[test]
fn processes_that_survive_kill_do_not_keep_a_service_down() {
    let mut world = world(&[Hook::Run], |script| script.ends_ms = None);
    world.pass(2_000);
    world.tell(MachineEvent::Exited { pid: 1_001, group_alive: true, end: crate::support::end() });
    world.script.build = Err(BuildFailure::Refused("enough".into()));
    world.pass(20_000);
    assert_eq!(world.times(|effect| matches!(effect, Effect::Kill { .. })), [10_000]);
    assert_eq!(world.times(is_build)[1..], [15_000]);
}
