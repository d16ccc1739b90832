//! Rendered files: failures, effects of changes, waiting for an election.

use roost_ident::{ElectionStatus, Hook, Topology};
use roost_service::{
    Effect, HookOutcome, MachineEvent, PhaseName, RenderFailure, RenderedKind, Rendering, Settings,
};

use crate::support::{Script, World, has_line, plan, rendering, spec, world};

#[test]
fn a_run_hook_that_does_not_render_is_not_started_from_an_old_file() {
    let failure = RenderFailure::Hook(Hook::Run, "no such helper".into());
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![Rendering::failed(failure.clone()), Rendering::failed(failure)];
    });
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Broken);
    world.tell(MachineEvent::ContextChanged);
    world.pass(5_000);
    let line = "web.default(SR): Failed to compile run hook: no such helper";
    assert_eq!(has_line(&world, line), 1);
    world.tell(MachineEvent::ContextChanged);
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
}

#[test]
fn a_config_file_that_does_not_render_does_not_stop_the_start() {
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![Rendering::failed(RenderFailure::Config("no such helper".into()))];
    });
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    let line = "web.default(SR): Failed to compile configuration: no such helper";
    assert_eq!(has_line(&world, line), 1);
}

#[test]
fn changes_restart_or_reconfigure_by_the_first_rule_that_matches() {
    let what_follows = |hooks: &[Hook], kind: RenderedKind| {
        let mut world = world(hooks, |script| {
            script.renderings = vec![Rendering::default(), rendering(kind)];
        });
        world.pass(5_000);
        world.tell(MachineEvent::ContextChanged);
        world.pass(1_000);
        let status = world.machine.status();
        assert_eq!((status.phase, status.restart_count), (PhaseName::Running, 0));
        let reconfigured = world.times(|effect| *effect == Effect::RunHook(Hook::Reconfigure));
        (status.last_process_state.map(|last| last.reason.as_str()), reconfigured.len())
    };
    let plain = &[Hook::Run];
    let able = &[Hook::Run, Hook::Reconfigure];
    let hook = RenderedKind::Hook;
    assert_eq!(what_follows(able, hook(Hook::Init)), (Some("init_hook_updated"), 0));
    assert_eq!(what_follows(able, hook(Hook::Run)), (Some("run_hook_updated"), 0));
    assert_eq!(what_follows(able, hook(Hook::PostRun)), (Some("post_run_hook_updated"), 0));
    assert_eq!(what_follows(plain, RenderedKind::ConfigModified), (Some("app_config_updated"), 0));
    assert_eq!(what_follows(able, RenderedKind::ConfigCreated), (None, 1));
    assert_eq!(what_follows(able, hook(Hook::Reconfigure)), (None, 1));
    for silent in [Hook::HealthCheck, Hook::Suitability, Hook::PostStop, Hook::FileUpdated] {
        assert_eq!(what_follows(able, hook(silent)), (None, 0), "{silent}");
    }
}

#[test]
fn reconfigurations_run_one_at_a_time_and_the_last_change_is_not_lost() {
    let mut world = world(&[Hook::Run, Hook::Reconfigure, Hook::HealthCheck], |script| {
        let change = rendering(RenderedKind::ConfigModified);
        script.renderings =
            vec![Rendering::default(), change.clone(), change.clone(), change.clone(), change];
        script.hooks.insert(Hook::Reconfigure, (Some(500), HookOutcome::Exit(3)));
    });
    world.pass(5_000);
    for _ in 0..4 {
        world.tell(MachineEvent::ContextChanged);
        world.pass(10);
    }
    world.pass(5_000);
    let times = world.times(|effect| *effect == Effect::RunHook(Hook::Reconfigure));
    assert_eq!(times, [5_001, 5_501]);
    let checks = world.times(|effect| *effect == Effect::RunHook(Hook::HealthCheck));
    assert!(checks.contains(&5_501) && checks.contains(&6_001), "{checks:?}");
}

#[test]
fn a_context_that_changes_while_init_runs_is_rendered_before_the_process_starts() {
    let mut world = world(&[Hook::Init, Hook::Run], |script| {
        script.renderings = vec![Rendering::default(), rendering(RenderedKind::ConfigModified)];
        script.hooks.insert(Hook::Init, (Some(1_000), HookOutcome::Exit(0)));
    });
    world.pass(500);
    world.tell(MachineEvent::ContextChanged);
    assert_eq!(world.times(|effect| matches!(effect, Effect::Render { .. })).len(), 1);
    world.pass(5_000);
    let renders = world.places(|effect| matches!(effect, Effect::Render { .. }));
    let spawns = world.places(|effect| *effect == Effect::Spawn);
    assert_eq!((renders.len(), spawns.len()), (2, 1), "no restart: it starts with the new files");
    assert!(renders[1] < spawns[0]);
}

fn leader_world(renderings: Vec<Rendering>) -> World {
    let mut script = Script::new(plan("web", &[Hook::Init, Hook::Run]));
    script.renderings = renderings;
    let mut spec = spec("web");
    spec.topology = Topology::Leader;
    World::with_spec(spec, script, Settings::default())
}

fn finished(leader: Option<&str>) -> MachineEvent {
    MachineEvent::Election { status: ElectionStatus::Finished, leader: leader.map(Into::into) }
}

#[test]
fn a_leader_topology_service_acts_only_under_a_known_leader() {
    let mut world = leader_world(Vec::new());
    world.pass(1_000);
    assert!(world.effects.iter().any(|(_, effect)| *effect == Effect::StartElection));
    assert_eq!(world.machine.status().phase, PhaseName::WaitingForElection);
    world.tell(MachineEvent::Election { status: ElectionStatus::NoQuorum, leader: None });
    world.tell(finished(None));
    world.pass(1_000);
    assert_eq!(world.machine.status().phase, PhaseName::WaitingForElection);
    assert!(!world.effects.iter().any(|(_, effect)| matches!(effect, Effect::RunHook(_))));
    world.tell(finished(Some("abc")));
    world.pass(100);
    let status = world.machine.status();
    assert_eq!(status.phase, PhaseName::Running);
    assert_eq!(status.last_election_status, ElectionStatus::Finished);
    let told: Vec<&String> = world.lines.iter().filter(|line| line.contains("xecut")).collect();
    assert_eq!(
        told,
        [
            "web.default(SR): Waiting to execute hooks; election in progress, and we have no quorum.",
            "web.default(SR): Waiting to execute hooks; election in progress.",
            "web.default(SR): Executing hooks; abc is the leader",
        ]
    );
}

#[test]
fn changes_during_an_election_are_acted_on_when_it_has_finished() {
    let change = rendering(RenderedKind::ConfigModified);
    let mut world = leader_world(vec![Rendering::default(), change]);
    world.tell(finished(Some("abc")));
    world.pass(2_000);
    world.tell(MachineEvent::Election { status: ElectionStatus::InProgress, leader: None });
    world.tell(MachineEvent::ContextChanged);
    world.pass(2_000);
    assert_eq!(world.machine.status().process.pid, Some(1_001), "not touched while voting");
    world.tell(finished(Some("def")));
    world.pass(100);
    assert_eq!(world.machine.status().process.pid, Some(1_002));
}

#[test]
fn gossiped_files_run_file_updated_once_more_when_they_come_while_it_runs() {
    let mut world = world(&[Hook::Run, Hook::FileUpdated], |script| {
        script.hooks.insert(Hook::FileUpdated, (Some(100), HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    for _ in 0..5 {
        world.tell(MachineEvent::FilesUpdated(vec!["a.txt".into()]));
    }
    world.pass(2_000);
    assert_eq!(world.times(|effect| *effect == Effect::RunHook(Hook::FileUpdated)).len(), 2);
    assert_eq!(has_line(&world, "web.default(SR): Service file updated, a.txt"), 5);
}

#[test]
fn a_rendering_that_does_not_end_starts_nothing_and_is_tried_again_when_it_has_ended() {
    let unfinished = RenderFailure::Unfinished("no answer".into());
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![Rendering::failed(unfinished)];
    });
    world.pass(5_000);
    let status = world.machine.status();
    assert_eq!(status.phase, PhaseName::Broken);
    assert_eq!(status.reason.as_deref(), Some("Rendering has not ended, no answer"));
    world.tell(MachineEvent::ContextChanged);
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
}

#[test]
fn nothing_starts_while_a_rendering_is_unfinished_after_init() {
    let unfinished = RenderFailure::Unfinished("no answer".into());
    let mut world = world(&[Hook::Init, Hook::Run], |script| {
        script.hooks.insert(Hook::Init, (Some(1_000), HookOutcome::Exit(0)));
        let unfinished = Rendering::failed(unfinished);
        script.renderings = vec![Rendering::default(), unfinished];
    });
    world.pass(500);
    assert_eq!(world.machine.status().phase, PhaseName::Initializing);
    world.tell(MachineEvent::ContextChanged);
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.times(|effect| matches!(effect, Effect::Render { .. })).len(), 3);
}

#[test]
fn a_partial_change_of_the_configuration_is_not_applied() {
    let mut half = rendering(RenderedKind::ConfigModified);
    half.failures.push(RenderFailure::Config("no space left".into()));
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![Rendering::default(), half, Rendering::default()];
    });
    world.pass(5_000);
    world.tell(MachineEvent::ContextChanged);
    world.pass(20_000);
    assert_eq!(world.machine.status().last_process_state, None, "it keeps running");
    world.pass(15_000);
    let last = world.machine.status().last_process_state.expect("a restart");
    assert_eq!(last.reason.as_str(), "app_config_updated");
}

#[test]
fn a_failed_rendering_of_a_running_service_is_retried() {
    let failure = RenderFailure::Config("no space left".into());
    let failed = Rendering::failed(failure);
    let mut world = world(&[Hook::Run, Hook::Reconfigure], |script| {
        script.renderings = vec![
            Rendering::default(),
            failed.clone(),
            failed,
            rendering(RenderedKind::ConfigModified),
        ];
    });
    world.pass(5_000);
    world.tell(MachineEvent::ContextChanged);
    world.pass(59_000);
    let reconfigured =
        |world: &World| world.times(|effect| *effect == Effect::RunHook(Hook::Reconfigure)).len();
    assert_eq!(reconfigured(&world), 0);
    world.pass(2_000);
    assert_eq!(reconfigured(&world), 1);
    let line = "web.default(SR): Failed to compile configuration: no space left";
    assert_eq!(has_line(&world, line), 1);
    world.pass(120_000);
    assert_eq!(
        world.times(|effect| matches!(effect, Effect::Render { .. })).len(),
        4,
        "then it is done"
    );
}
