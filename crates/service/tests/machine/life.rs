//! Stories of a service: what is done, in which order, and when.

use crate::support::{Script, World, group, plan, spec};
use roost_ident::{
    DesiredState, ElectionStatus, HealthStatus, Hook, ProcessState, ShutdownSignal, Topology,
};
use roost_service::{
    BackoffSettings, BuildFailure, Effect, Event, HookOutcome, PhaseName, RenderFailure,
    RenderedFile, RenderedKind, Rendering, Settings, Survivor,
};

fn rendering(kind: RenderedKind) -> Rendering {
    Rendering {
        files: vec![RenderedFile { kind, path: "/hab/svc/web/x".into() }],
        failures: Vec::new(),
    }
}

fn world(hooks: &[Hook], change: impl FnOnce(&mut Script)) -> World {
    let mut script = Script::new(plan("web", hooks));
    change(&mut script);
    World::new("web", script, Settings::default())
}

fn is_build(effect: &Effect) -> bool {
    matches!(effect, Effect::Build { .. })
}

fn has_line(world: &World, line: &str) -> usize {
    world.lines.iter().filter(|ours| *ours == line).count()
}

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
fn a_failing_install_hook_is_told_once_and_shown_as_the_reason() {
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
fn a_stop_ends_hooks_signals_waits_and_runs_post_stop_last() {
    let mut world = world(&[Hook::Run, Hook::PostRun, Hook::PostStop], |script| {
        script.hooks.insert(Hook::PostRun, (None, HookOutcome::Exit(0)));
        script.plan.shutdown_signal = ShutdownSignal::Int;
        script.ends_ms = Some(3_000);
    });
    world.pass(2_000);
    world.tell(Event::Stop { timeout_s: None });
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
        world.tell(Event::Stop { timeout_s });
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
    world.tell(Event::Stop { timeout_s: Some(100) });
    world.pass(1_000);
    world.tell(Event::Stop { timeout_s: Some(2) });
    world.pass(10_000);
    assert_eq!(world.times(|effect| matches!(effect, Effect::Kill { .. })), [5_000]);
}

#[test]
fn processes_left_behind_by_a_crash_are_stopped_before_the_next_start() {
    let mut world = world(&[Hook::Run], |_| {});
    world.pass(2_000);
    world.tell(Event::Exited { pid: 1_001, group_alive: true });
    world.script.ends_ms = None;
    assert_eq!(world.machine.status().process.state, ProcessState::Down);
    assert!(matches!(world.effects.last(), Some((_, Effect::Signal { pid: 1_001, .. }))));
    world.pass(12_000);
    assert!(matches!(world.effects.last(), Some((_, Effect::Kill { pid: 1_001 }))));
    assert_eq!(world.times(|effect| *effect == Effect::Spawn).len(), 1);
    world.tell(Event::GroupEnded { pid: 1_001 });
    assert!(is_build(&world.effects.last().expect("effects").1));
}

#[test]
fn a_post_stop_that_hangs_does_not_hold_up_the_restart_for_ever() {
    let mut world = world(&[Hook::Run, Hook::PostStop], |script| {
        script.hooks.insert(Hook::PostStop, (None, HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    world.tell(Event::Exited { pid: 1_001, group_alive: false });
    world.pass(299_000);
    assert_eq!(world.times(is_build).len(), 1);
    world.pass(2_000);
    assert_eq!(world.times(is_build).len(), 2);
    assert_eq!(has_line(&world, "web(HK): post-stop ran longer than 300 secs and was ended"), 1);
}

#[test]
fn a_start_during_a_stop_starts_when_the_old_process_is_gone() {
    let mut world = world(&[Hook::Run], |script| script.ends_ms = Some(3_000));
    world.pass(2_000);
    world.tell(Event::Stop { timeout_s: None });
    world.pass(1_000);
    world.tell(Event::Start);
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
    world.tell(Event::Unload { timeout_s: None });
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
    world.tell(Event::Stop { timeout_s: None });
    world.pass(1);
    assert!(matches!(world.effects.last(), Some((_, Effect::Signal { .. }))));
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Stopped);
}

#[test]
fn a_service_that_cannot_be_built_keeps_its_spec_and_recovers_when_a_file_changes() {
    let mut world = world(&[Hook::Run], |script| {
        script.build = Err(BuildFailure::Refused("bad template".into()));
    });
    world.pass(100_000);
    let line = "hab-sup(MR): Unable to start example/web, bad template";
    assert_eq!(has_line(&world, line), 1, "told once, though tried again");
    assert_eq!(world.times(is_build).len(), 4, "every 30 s");
    let status = world.machine.status();
    assert_eq!((status.phase, status.health), (PhaseName::Broken, HealthStatus::Unknown));
    assert_eq!(status.reason.as_deref(), Some("Unable to start example/web, bad template"));
    assert_eq!((status.restart_count, status.desired_state), (0, DesiredState::Up));
    world.script.build = Ok(());
    world.tell(Event::FilesChanged);
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.machine.status().reason, None);
    let starting = "hab-sup(MR): Starting example/web (example/web/1.0.0/20250101000000)";
    assert_eq!(has_line(&world, starting), 1);
}

#[test]
fn a_run_hook_that_does_not_render_is_not_started_from_an_old_file() {
    let failure = RenderFailure::Hook(Hook::Run, "no such helper".into());
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![
            Rendering { files: Vec::new(), failures: vec![failure.clone()] },
            Rendering { files: Vec::new(), failures: vec![failure] },
        ];
    });
    world.pass(5_000);
    assert_eq!(world.machine.status().phase, PhaseName::Broken);
    world.tell(Event::ContextChanged);
    world.pass(5_000);
    let line = "web.default(SR): Failed to compile run hook: no such helper";
    assert_eq!(has_line(&world, line), 1);
    world.tell(Event::ContextChanged);
    world.pass(100);
    assert_eq!(world.machine.status().phase, PhaseName::Running);
}

#[test]
fn a_config_file_that_does_not_render_does_not_stop_the_start() {
    let mut world = world(&[Hook::Run], |script| {
        script.renderings = vec![Rendering {
            files: Vec::new(),
            failures: vec![RenderFailure::Config("no such helper".into())],
        }];
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
        world.tell(Event::ContextChanged);
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
        world.tell(Event::ContextChanged);
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
    world.tell(Event::ContextChanged);
    assert_eq!(world.times(|effect| *effect == Effect::Render).len(), 1);
    world.pass(5_000);
    let renders = world.places(|effect| *effect == Effect::Render);
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

fn finished(leader: Option<&str>) -> Event {
    Event::Election { status: ElectionStatus::Finished, leader: leader.map(Into::into) }
}

#[test]
fn a_leader_topology_service_acts_only_under_a_known_leader() {
    let mut world = leader_world(Vec::new());
    world.pass(1_000);
    assert!(world.effects.iter().any(|(_, effect)| *effect == Effect::StartElection));
    assert_eq!(world.machine.status().phase, PhaseName::WaitingForElection);
    world.tell(Event::Election { status: ElectionStatus::NoQuorum, leader: None });
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
    world.tell(Event::Election { status: ElectionStatus::InProgress, leader: None });
    world.tell(Event::ContextChanged);
    world.pass(2_000);
    assert_eq!(world.machine.status().process.pid, Some(1_001), "not touched while voting");
    world.tell(finished(Some("def")));
    world.pass(100);
    assert_eq!(world.machine.status().process.pid, Some(1_002));
}

#[test]
fn a_hung_health_check_is_ended_and_unknown_with_a_reason() {
    let mut world = world(&[Hook::Run, Hook::HealthCheck], |script| {
        script.hooks.insert(Hook::HealthCheck, (None, HookOutcome::Exit(0)));
    });
    world.pass(200_000);
    let status = world.machine.status();
    assert_eq!(status.health, HealthStatus::Unknown);
    let reason = "health-check ran longer than 60 secs and was ended";
    assert_eq!(status.reason.as_deref(), Some(reason));
    assert_eq!(has_line(&world, &format!("web(HK): {reason}")), 1, "told once");
    let ends = world.times(|effect| *effect == Effect::EndHook(Hook::HealthCheck));
    assert_eq!(ends.len(), 2, "{ends:?}");
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

#[test]
fn spec_changes_restart_swap_or_stop() {
    let mut world = world(&[Hook::Run], |_| {});
    world.pass(2_000);
    let announced = world.times(|effect| *effect == Effect::Announce).len();
    let mut changed = spec("web");
    changed.channel = "dev".into();
    world.tell(Event::SpecChanged { spec: changed.clone(), group: group("web") });
    world.pass(1_000);
    assert_eq!(world.times(|effect| *effect == Effect::Announce).len(), announced + 1);
    assert_eq!(world.machine.status().process.pid, Some(1_001));
    changed.group = "prod".into();
    let prod: roost_ident::ServiceGroup = "web.prod".parse().expect("a group");
    world.tell(Event::SpecChanged { spec: changed.clone(), group: prod.clone() });
    assert_eq!(world.machine.spec(), &changed);
    assert_eq!(world.machine.group(), &group("web"), "until the old process is gone");
    world.pass(1_000);
    assert_eq!(world.machine.group(), &prod);
    assert_eq!(world.machine.status().process.pid, Some(1_002));
    assert_eq!(world.machine.status().last_process_state, None, "a fresh start");
    changed.desired_state = DesiredState::Down;
    world.tell(Event::SpecChanged { spec: changed, group: prod });
    world.pass(1_000);
    assert_eq!(world.machine.status().phase, PhaseName::Stopped);
}

#[test]
fn a_spec_that_comes_back_during_an_unload_starts_the_service_again() {
    let mut world = world(&[Hook::Run], |_| {});
    world.pass(2_000);
    world.tell(Event::Unload { timeout_s: None });
    world.tell(Event::SpecChanged { spec: spec("web"), group: group("web") });
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
    world.tell(Event::PackageUpdated("example/web/2.0/20260101000000".into()));
    world.pass(100);
    let line = "hab-sup(MR): Restarting example/web with package example/web/2.0/20260101000000";
    assert_eq!(has_line(&world, line), 1);
    let status = world.machine.status();
    assert_eq!((status.phase, status.restart_count), (PhaseName::Running, 0));
    let last = status.last_process_state.expect("marked");
    assert_eq!(last.reason.as_str(), "package_updated");
}

#[test]
fn gossiped_files_run_file_updated_once_more_when_they_come_while_it_runs() {
    let mut world = world(&[Hook::Run, Hook::FileUpdated], |script| {
        script.hooks.insert(Hook::FileUpdated, (Some(100), HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    for _ in 0..5 {
        world.tell(Event::FilesUpdated(vec!["a.txt".into()]));
    }
    world.pass(2_000);
    assert_eq!(world.times(|effect| *effect == Effect::RunHook(Hook::FileUpdated)).len(), 2);
    assert_eq!(has_line(&world, "web.default(SR): Service file updated, a.txt"), 5);
}

fn survivor(change: impl FnOnce(&mut roost_service::Remembered)) -> Survivor {
    let mut world = world(&[Hook::Run, Hook::HealthCheck, Hook::PostStop], |script| {
        script.runs_ms = Some(1_500);
    });
    world.pass(4_000);
    world.machine.handle(crate::support::now(world.now_ms), Event::Detach);
    let text = world.machine.remember().encode();
    let mut remembered = roost_service::Remembered::decode(&text).expect("our own text");
    change(&mut remembered);
    Survivor { pid: 1_003, started_unix_ms: crate::support::EPOCH_MS - 60_000, remembered }
}

#[test]
fn a_process_is_taken_back_without_init_run_or_post_run() {
    let hooks = &[Hook::Init, Hook::Run, Hook::PostRun, Hook::HealthCheck, Hook::PostStop];
    let script = Script::new(plan("web", hooks));
    let mut world = World::adopted("web", script, survivor(|_| {}));
    assert_eq!(world.machine.status().health, HealthStatus::Ok, "as it was");
    world.pass(100);
    assert_eq!(
        world.lines,
        ["hab-sup(SR): Reattaching to web.default", "web.default(UCW): Watching user.toml"]
    );
    let pin = Some("example/web/1.0.0/20250101000000".to_owned());
    assert_eq!(
        world.effects.iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>()[..5],
        [
            Effect::WritePid(1_003),
            Effect::Build { pin },
            Effect::Announce,
            Effect::RunHook(Hook::HealthCheck),
            Effect::Render,
        ]
    );
    let status = world.machine.status();
    assert_eq!((status.restart_count, status.process.pid), (2, Some(1_003)));
    assert_eq!(status.process.state_entered_s, crate::support::EPOCH_MS / 1_000 - 60);
    assert!(status.initialized && status.last_process_state.is_some());
    world.tell(Event::Exited { pid: 1_003, group_alive: false });
    world.pass(100);
    assert_eq!(world.machine.status().restart_count, 3);
    assert!(world.machine.status().process.pid.is_some_and(|pid| pid != 1_003));
}

#[test]
fn a_process_taken_back_in_the_middle_of_a_stop_is_stopped_to_the_end() {
    let script = Script::new(plan("web", &[Hook::Run, Hook::PostStop]));
    let mut world =
        World::adopted("web", script, survivor(|remembered| remembered.stopping = true));
    assert!(world.effects.iter().any(|(_, effect)| matches!(effect, Effect::Signal { .. })));
    world.pass(100);
    assert!(world.effects.iter().any(|(_, effect)| *effect == Effect::RunHook(Hook::PostStop)));
    assert_eq!(world.machine.status().phase, PhaseName::Running);
    assert_eq!(world.machine.status().restart_count, 2, "no failure");
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
    assert_eq!(status.health, HealthStatus::Unknown, "nobody checks it");
    world.script.build = Ok(());
    world.tell(Event::FilesChanged);
    world.pass(100);
    assert_eq!(world.machine.status().reason, None);
    assert_eq!(world.machine.status().health, HealthStatus::Ok);
}

#[test]
fn a_detached_machine_ends_hooks_and_leaves_the_process_alone() {
    let mut world = world(&[Hook::Run, Hook::PostRun], |script| {
        script.hooks.insert(Hook::PostRun, (None, HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    let before = world.effects.len();
    world.tell(Event::Detach);
    assert_eq!(
        world.effects[before..].iter().map(|(_, effect)| effect.clone()).collect::<Vec<_>>(),
        [Effect::EndHook(Hook::PostRun), Effect::Gone]
    );
    world.pass(10_000);
    world.tell(Event::Start);
    assert_eq!(world.effects.len(), before + 2, "nothing follows");
}

#[test]
fn a_shutdown_stops_but_does_not_change_what_the_user_wants() {
    let mut world = world(&[Hook::Run, Hook::PostStop], |_| {});
    world.pass(2_000);
    world.tell(Event::Shutdown);
    world.tell(Event::Start);
    world.tell(Event::SpecChanged { spec: spec("web"), group: group("web") });
    world.pass(1_000);
    assert_eq!(world.machine.status().desired_state, DesiredState::Up);
    let end: Vec<Effect> =
        world.effects.iter().rev().take(3).map(|(_, effect)| effect.clone()).collect();
    assert_eq!(end, [Effect::Gone, Effect::Stopped, Effect::RunHook(Hook::PostStop)]);
}

/// A service that crashed twice and waits; the next pause would be drawn by the second.
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

/// What is printed about the pause when the process of a running service ends now.
fn pause_after_exit(world: &mut World) -> String {
    let pid = world.machine.status().process.pid.expect("it runs");
    world.tell(Event::Exited { pid, group_alive: false });
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
    world.tell(Event::PackageUpdated("example/web/2/3".into()));
    world.pass(2_000);
    assert_eq!(pause_after_exit(&mut world), FIRST_PAUSE, "after a restart on purpose");
    assert_eq!(world.machine.status().restart_count, 1);

    for change_spec in [true, false] {
        let mut world = crashed();
        if change_spec {
            let mut changed = spec("web");
            changed.shutdown_timeout_s = Some(3);
            world.tell(Event::SpecChanged { spec: changed, group: group("web") });
        } else {
            world.tell(Event::Stop { timeout_s: None });
            world.pass(1_000);
            world.tell(Event::Start);
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
    world.tell(Event::Stop { timeout_s: None });
    let status = world.machine.status();
    assert_eq!((status.phase, status.next_restart_at_s), (PhaseName::Stopped, None));
    assert_eq!(world.machine.next_wake_ms(), None);
}

#[test]
fn a_weaker_wish_does_not_take_back_an_unload_or_a_shutdown() {
    for (first, second) in [
        (Event::Unload { timeout_s: None }, Event::Stop { timeout_s: None }),
        (Event::Unload { timeout_s: None }, Event::Start),
        (Event::Shutdown, Event::Stop { timeout_s: None }),
        (Event::Stop { timeout_s: None }, Event::Unload { timeout_s: None }),
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
fn the_reason_of_a_failed_build_is_gone_while_init_runs() {
    let mut world = world(&[Hook::Init, Hook::Run], |script| {
        script.build = Err(BuildFailure::Refused("bad template".into()));
        script.hooks.insert(Hook::Init, (None, HookOutcome::Exit(0)));
    });
    world.pass(2_000);
    world.script.build = Ok(());
    world.tell(Event::FilesChanged);
    world.pass(2_000);
    let status = world.machine.status();
    assert_eq!((status.phase, status.reason), (PhaseName::Initializing, None));
}

#[test]
fn a_process_taken_back_restarts_at_once_even_right_after_a_failed_build() {
    let mut script = Script::new(plan("web", &[Hook::Run]));
    script.build = Err(BuildFailure::Refused("no package".into()));
    let mut world = World::adopted("web", script, survivor(|_| {}));
    world.pass(30_300);
    let builds = world.times(is_build);
    assert_eq!(builds.len(), 2);
    world.tell(Event::Exited { pid: 1_003, group_alive: false });
    assert_eq!(world.times(is_build)[2..], [30_300]);
}

#[test]
fn what_even_kill_cannot_remove_does_not_keep_a_service_down() {
    let mut world = world(&[Hook::Run], |script| script.ends_ms = None);
    world.pass(2_000);
    world.tell(Event::Exited { pid: 1_001, group_alive: true });
    world.script.build = Err(BuildFailure::Refused("enough".into()));
    world.pass(20_000);
    assert_eq!(world.times(|effect| matches!(effect, Effect::Kill { .. })), [10_000]);
    assert_eq!(world.times(is_build)[1..], [15_000]);
}
