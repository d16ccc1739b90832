//! Processes that outlived the former Supervisor.

use roost_ident::{HealthStatus, Hook};
use roost_service::{BuildFailure, Effect, MachineEvent, PhaseName, Survivor};

use crate::support::{Script, World, is_build, plan, world};

fn survivor(change: impl FnOnce(&mut roost_service::Remembered)) -> Survivor {
    let mut world = world(&[Hook::Run, Hook::HealthCheck, Hook::PostStop], |script| {
        script.runs_ms = Some(1_500);
    });
    world.pass(4_000);
    world.machine.handle(crate::support::now(world.now_ms), MachineEvent::Detach);
    let bytes = world.machine.remember().encode();
    let mut remembered = roost_service::Remembered::decode(&bytes).expect("our own");
    change(&mut remembered);
    let started_unix_ms = crate::support::EPOCH_MS - 60_000;
    Survivor { pid: 1_003, started_unix_ms, remembered, is_gone: false, unseen_end: None }
}

#[test]
fn a_process_is_reattached_without_init_run_or_post_run() {
    let hooks = &[Hook::Init, Hook::Run, Hook::PostRun, Hook::HealthCheck, Hook::PostStop];
    let script = Script::new(plan("web", hooks));
    let mut world = World::adopted("web", script, survivor(|_| {}));
    assert_eq!(world.machine.status().health, HealthStatus::Ok, "as it was");
    world.pass(100);
    assert_eq!(
        world.lines,
        ["hab-sup(SR): Reattaching to web.default", "web.default(UCW): Watching user.toml"]
    );
    let release = "example/web/1.0.0/20250101000000".to_owned();
    let pin = Some(release.clone());
    assert_eq!(
        world.effects.iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>()[..6],
        [
            Effect::WritePid(1_003),
            Effect::Ran { release },
            Effect::Build { pin },
            Effect::Announce,
            Effect::RunHook(Hook::HealthCheck),
            Effect::Render { whole: true },
        ]
    );
    let status = world.machine.status();
    assert_eq!((status.restart_count, status.process.pid), (2, Some(1_003)));
    assert_eq!(status.process.state_entered_s, crate::support::EPOCH_MS / 1_000 - 60);
    assert!(status.initialized && status.last_process_state.is_some());
    world.tell(MachineEvent::Exited { pid: 1_003, group_alive: false, end: crate::support::end() });
    world.pass(100);
    assert_eq!(world.machine.status().restart_count, 3);
    assert!(world.machine.status().process.pid.is_some_and(|pid| pid != 1_003));
}

#[test]
fn a_process_reattached_during_a_stop_is_stopped_completely() {
    let script = Script::new(plan("web", &[Hook::Run, Hook::PostStop]));
    let mut world =
        World::adopted("web", script, survivor(|remembered| remembered.stopping = true));
    assert!(world.effects.iter().any(|(_, effect)| matches!(effect, Effect::Signal { .. })));
    world.pass(100);
    assert!(world.effects.iter().any(|(_, effect)| *effect == Effect::RunHook(Hook::PostStop)));
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.machine.status().restart_count, 2, "not a failure");
}

#[test]
fn an_end_that_was_not_seen_is_known_after_the_stop_was_completed() {
    let script = Script::new(plan("web", &[Hook::Run, Hook::PostStop]));
    let unseen = crate::support::end();
    let at_ms = unseen.at_unix_ms;
    let gone = Survivor {
        is_gone: true,
        unseen_end: Some(unseen),
        ..survivor(|remembered| remembered.stopping = true)
    };
    let world = World::adopted("web", script, gone);
    let exit = world.machine.remember().account.exit.expect("it has ended");
    assert_eq!((exit.pid, exit.at_unix_ms), (1_003, at_ms));
    assert_eq!(world.machine.status().process.state_entered_ms, at_ms);
}

#[test]
fn a_process_whose_service_cannot_be_built_any_more_is_kept() {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.build = Err(BuildFailure::Refused("no package".into()));
    let mut world = World::adopted("web", script, survivor(|_| {}));
    world.pass(40_000);
    let status = world.machine.status();
    assert_eq!((status.phase, status.process.pid), (PhaseName::Running, Some(1_003)));
    assert_eq!(status.reason.as_deref(), Some("Unable to start example/web, no package"));
    assert_eq!(status.health, HealthStatus::Unknown, "it is not checked");
    world.script.build = Ok(());
    world.tell(MachineEvent::FilesChanged);
    world.pass(100);
    assert_eq!(world.machine.status().reason, None);
    assert_eq!(world.machine.status().health, HealthStatus::Ok);
}

#[test]
fn a_reattached_process_restarts_at_once_even_right_after_a_failed_build() {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.build = Err(BuildFailure::Refused("no package".into()));
    let mut world = World::adopted("web", script, survivor(|_| {}));
    world.pass(30_300);
    let builds = world.times(is_build);
    assert_eq!(builds.len(), 2);
    world.tell(MachineEvent::Exited { pid: 1_003, group_alive: false, end: crate::support::end() });
    assert_eq!(world.times(is_build)[2..], [30_300]);
}
