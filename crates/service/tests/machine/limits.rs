//! Every hook has a time limit, after which the service continues.

use roost_ident::Hook;
use roost_service::{Effect, HookOutcome, HookTimeouts, MachineEvent, RenderedKind, Rendering};

use crate::support::{has_line, rendering, world};

#[test]
fn a_reconfigure_hook_that_hangs_is_stopped_and_the_next_change_is_delivered() {
    let mut world = world(&[Hook::Run, Hook::Reconfigure], |script| {
        let change = rendering(RenderedKind::ConfigModified);
        script.renderings = vec![Rendering::default(), change.clone(), change];
        script.hooks.insert(Hook::Reconfigure, (None, HookOutcome::Exit(0)));
    });
    world.pass(5_000);
    world.tell(MachineEvent::ContextChanged);
    world.pass(1_000);
    world.tell(MachineEvent::ContextChanged);
    world.pass(58_000);
    assert_eq!(world.times(|effect| *effect == Effect::RunHook(Hook::Reconfigure)).len(), 1);
    world.pass(2_000);
    assert_eq!(world.times(|effect| *effect == Effect::RunHook(Hook::Reconfigure)).len(), 2);
    assert_eq!(has_line(&world, "web(HK): reconfigure ran longer than 60 secs and was stopped"), 1);
    assert_eq!(world.machine.status().process.pid, Some(1_001));
}

#[test]
fn every_hook_that_the_machine_runs_is_stopped_at_its_limit() {
    for hook in [Hook::Init, Hook::PostRun, Hook::HealthCheck, Hook::FileUpdated, Hook::PostStop] {
        let mut world = world(&[Hook::Run, hook], |script| {
            script.hooks.insert(hook, (None, HookOutcome::Exit(0)));
        });
        world.pass(2_000);
        world.tell(MachineEvent::FilesUpdated(vec!["a".into()]));
        if hook == Hook::PostStop {
            world.tell(MachineEvent::Stop { timeout_s: None });
        }
        let limit_ms = HookTimeouts::default_ms(hook);
        world.pass(limit_ms + 100);
        assert_eq!(world.times(|effect| *effect == Effect::EndHook(hook)).len(), 1, "{hook}");
        let line =
            format!("web(HK): {hook} ran longer than {} secs and was stopped", limit_ms / 1_000);
        assert_eq!(has_line(&world, &line), 1, "{hook}");
    }
}

#[test]
fn a_stopped_init_hook_is_a_failure_with_its_reason() {
    let mut world = world(&[Hook::Init, Hook::Run], |script| {
        script.hooks.insert(Hook::Init, (None, HookOutcome::Exit(0)));
    });
    world.pass(3_600_100);
    assert_eq!(world.machine.status().restart_count, 1);
    let reason = Some("init ran longer than 3600 secs and was stopped");
    assert!(world.statuses.iter().any(|status| status.reason.as_deref() == reason));
}
