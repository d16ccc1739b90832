//! Changed specs, newer releases, restarts with back-off.

use roost_ident::{DesiredState, Hook};
use roost_service::{BackoffSettings, Effect, MachineEvent, PhaseName, Settings};

use crate::support::{Script, World, group, has_line, plan, spec, world};

#[test]
fn spec_changes_restart_swap_or_stop() {
    let mut world = world(&[Hook::Run], |_| {});
    world.pass(2_000);
    let announced = world.times(|effect| *effect == Effect::Announce).len();
    let mut changed = spec("web");
    changed.channel = "dev".into();
    world.tell(MachineEvent::SpecChanged { spec: changed.clone(), group: group("web") });
    world.pass(1_000);
    assert_eq!(world.times(|effect| *effect == Effect::Announce).len(), announced + 1);
    assert_eq!(world.machine.status().process.pid, Some(1_001));
    changed.group = "prod".into();
    let prod: roost_ident::ServiceGroup = "web.prod".parse().expect("a group");
    world.tell(MachineEvent::SpecChanged { spec: changed.clone(), group: prod.clone() });
    assert_eq!(world.machine.newest_spec(), &changed);
    assert_eq!(world.machine.group(), &group("web"), "until the old process is gone");
    world.pass(1_000);
    assert_eq!(world.machine.group(), &prod);
    assert_eq!(world.machine.status().process.pid, Some(1_002));
    assert_eq!(world.machine.status().last_process_state, None, "a fresh start");
    changed.desired_state = DesiredState::Down;
    world.tell(MachineEvent::SpecChanged { spec: changed, group: prod });
    world.pass(1_000);
    assert_eq!(world.machine.status().phase, PhaseName::Stopped);
}

#[test]
fn a_spec_that_comes_back_during_an_unload_starts_the_service_again() {
    let mut world = world(&[Hook::Run], |_| {});
    world.pass(2_000);
    world.tell(MachineEvent::Unload { timeout_s: None });
    world.tell(MachineEvent::SpecChanged { spec: spec("web"), group: group("web") });
    world.pass(1_000);
    assert_eq!(world.machine.status().process.pid, Some(1_002));
    assert!(!world.effects.iter().any(|(_, effect)| *effect == Effect::Gone));
}

#[test]
fn an_update_restarts_with_a_line_and_forgets_failures() {
    let mut world = world(&[Hook::Run], |script| script.runs_ms = Some(1_500));
    world.pass(4_000);
    assert_eq!(world.machine.status().restart_count, 2);
    world.script.runs_ms = None;
    world.pass(2_000);
    world.tell(MachineEvent::PackageUpdated("example/web/2.0/20260101000000".into()));
    world.pass(100);
    let line = "hab-sup(MR): Restarting example/web with package example/web/2.0/20260101000000";
    assert_eq!(has_line(&world, line), 1);
    let status = world.machine.status();
    assert_eq!((status.phase, status.restart_count), (PhaseName::Running, 0));
    let last = status.last_process_state.expect("marked");
    assert_eq!(last.reason.as_str(), "package_updated");
}

/// A service that crashed twice and waits; the second crash draws the next pause.
fn crashed() -> World {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.runs_ms = Some(1_500);
    let backoff = BackoffSettings { min_ms: 3_000, max_ms: 90_000, cooldown_ms: 20_000 };
    let mut world = World::new("web", script, Settings { backoff, ..Settings::default() });
    while world.machine.status().restart_count < 2 {
        world.pass(10);
    }
    world.script.runs_ms = None;
    world.pass(10_000);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    world
}

/// The line about the pause when the process of a running service ends now.
fn pause_after_exit(world: &mut World) -> String {
    let pid = world.machine.status().process.pid.expect("it runs");
    world.tell(MachineEvent::Exited { pid, group_alive: false, end: crate::support::end() });
    let line = world.lines.iter().rfind(|line| line.contains("Stopping service"));
    line.expect("it was marked").clone()
}

const FIRST_PAUSE: &str = "web.default(SR): Stopping service, will restart after 3.00 secs";

#[test]
fn the_backoff_grows_until_a_cooldown_a_restart_on_purpose_or_a_stop() {
    let mut world = crashed();
    assert_ne!(pause_after_exit(&mut world), FIRST_PAUSE, "it grows");

    let mut world = crashed();
    world.pass(20_000);
    assert_eq!(pause_after_exit(&mut world), FIRST_PAUSE, "after the cooldown");
    assert_eq!(world.machine.status().restart_count, 3, "which does not reset the count");

    let mut world = crashed();
    world.tell(MachineEvent::PackageUpdated("example/web/2/3".into()));
    world.pass(2_000);
    assert_eq!(pause_after_exit(&mut world), FIRST_PAUSE, "after a restart on purpose");
    assert_eq!(world.machine.status().restart_count, 1);

    for change_spec in [true, false] {
        let mut world = crashed();
        if change_spec {
            let mut changed = spec("web");
            changed.shutdown_timeout_s = Some(3);
            world.tell(MachineEvent::SpecChanged { spec: changed, group: group("web") });
        } else {
            world.tell(MachineEvent::Stop { timeout_s: None });
            world.pass(1_000);
            world.tell(MachineEvent::Start);
        }
        world.pass(2_000);
        let status = world.machine.status();
        assert_eq!((status.restart_count, status.last_process_state), (0, None));
        assert_eq!(pause_after_exit(&mut world), FIRST_PAUSE);
    }
}

#[test]
fn a_stop_during_the_backoff_is_done_at_once() {
    let mut world = crashed();
    pause_after_exit(&mut world);
    assert_eq!(world.machine.status().phase, PhaseName::Waiting);
    world.tell(MachineEvent::Stop { timeout_s: None });
    let status = world.machine.status();
    assert_eq!((status.phase, status.next_restart_at_s), (PhaseName::Stopped, None));
    let wake_ms = world.machine.next_wake_ms().expect("the failure is an hour old");
    assert!(wake_ms > world.now_ms + 3_000_000, "{wake_ms}");
}
