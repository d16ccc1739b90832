//! Why a service is not healthy, and how much of that the next Supervisor knows.

use roost_ident::{BindState, HealthStatus, Hook};
use roost_service::{
    BindReport, BuildFailure, ExitCause, ExitStatus, HookOutcome, Machine, MachineEvent, Printed,
    ReasonCode, Remembered, RenderFailure, Rendering, ServiceState, Settings,
};

use crate::support::{EPOCH_MS, Script, World, group, has_line, now, plan, spec, world};

fn why(world: &World) -> (ServiceState, Option<ReasonCode>, String) {
    let status = world.machine.status();
    let line = status.why.as_ref().map(roost_service::Reason::line).unwrap_or_default();
    (status.state, status.why.map(|reason| reason.code), line)
}

#[test]
fn a_process_that_dies_every_two_seconds_is_a_crash_loop_from_the_second_end_on() {
    let mut world = world(&[Hook::Run], |script| script.runs_ms = Some(2_000));
    world.pass(3_000);
    assert_eq!(why(&world), (ServiceState::Up, None, String::new()), "once is not a loop");
    assert_eq!(
        has_line(
            &world,
            "web.default(SR): The process exited with code 1 after 2.0 s; starting again"
        ),
        1
    );
    world.pass(2_000);
    let line = "the process exited with code 1 after 2.0 s: cannot bind";
    assert_eq!(why(&world), (ServiceState::Up, Some(ReasonCode::RunExits), line.into()));
    world.script.runs_ms = None;
    world.pass(1_000);
    assert_eq!(why(&world).1, Some(ReasonCode::RunExits));
    world.pass(61_000);
    assert_eq!(why(&world), (ServiceState::Up, None, String::new()), "it runs");
    assert_eq!(has_line(&world, "web.default(SR): Stopping service, will restart immediately"), 0);
    let exit = world.machine.status().account.exit.expect("it has ended before");
    assert_eq!((exit.status, exit.cause), (ExitStatus::Code(1), ExitCause::Unexpected));
}

#[test]
fn a_process_that_dies_at_once_backs_off_with_the_reason() {
    let mut world = world(&[Hook::Run], |script| script.runs_ms = Some(100));
    world.pass(200);
    let line = "the process exited with code 1 after 0.1 s: cannot bind";
    assert_eq!(why(&world), (ServiceState::BackingOff, Some(ReasonCode::RunExits), line.into()));
}

#[test]
fn a_failing_init_names_the_hook_its_exit_code_and_its_output() {
    let mut world = world(&[Hook::Init, Hook::Run], |script| {
        script.hooks.insert(Hook::Init, (Some(5), HookOutcome::Exit(4)));
        script.printed = Printed::of("trying\n", "no database\n");
    });
    world.pass(500);
    let line = "the init hook exited with code 4: no database";
    assert_eq!(why(&world), (ServiceState::BackingOff, Some(ReasonCode::InitFailed), line.into()));
    world.script.hooks.clear();
    world.pass(2_000);
    assert_eq!(why(&world).1, None);
    assert_eq!(world.machine.status().account.hook, None);
}

#[test]
fn a_missing_bind_is_named_with_what_it_lacks() {
    let mut spec = spec("web");
    spec.binds = vec!["database:db.default".parse().expect("a bind")];
    let script = Script::new(plan("web", &[Hook::Run]));
    let mut world = World::with_spec(spec, script, Settings::default());
    let report = |state| {
        MachineEvent::Binds(vec![BindReport {
            name: "database".into(),
            group: "db.default".into(),
            state,
        }])
    };
    world.pass(100);
    world.tell(report(BindState::Absent));
    let line = "bind 'database' waits for db.default, which is not in the ring";
    assert_eq!(
        why(&world),
        (ServiceState::Blocked, Some(ReasonCode::WaitingForBinds), line.into())
    );
    world.tell(report(BindState::MissingExports(["port".into()].into())));
    let line = "bind 'database' waits for db.default, which does not export port";
    assert_eq!(
        why(&world),
        (ServiceState::Blocked, Some(ReasonCode::BindFieldMissing), line.into())
    );
    world.tell(report(BindState::Satisfied));
    world.pass(100);
    assert_eq!(why(&world), (ServiceState::Up, None, String::new()));
}

#[test]
fn failed_builds_renderings_and_starts_have_a_reason() {
    type Case = (fn(&mut Script), ServiceState, ReasonCode, &'static str);
    let cases: [Case; 4] = [
        (
            |script| script.build = Err(BuildFailure::NotInstalled("no such package".into())),
            ServiceState::Failed,
            ReasonCode::PackageMissing,
            "no such package",
        ),
        (
            |script| {
                let failure = RenderFailure::Hook(Hook::Run, "bad helper".into());
                script.renderings = vec![Rendering::failed(failure)];
            },
            ServiceState::Failed,
            ReasonCode::TemplateError,
            "Failed to compile run hook: bad helper",
        ),
        (
            |script| script.spawn = Err("run: Permission denied".into()),
            ServiceState::BackingOff,
            ReasonCode::StartFailed,
            "run: Permission denied",
        ),
        (
            |script| {
                script.plan.installs = true;
                script.install = Err("install exited with 3".into());
            },
            ServiceState::BackingOff,
            ReasonCode::InstallFailed,
            "install exited with 3",
        ),
    ];
    for (change, state, code, line) in cases {
        let mut world = world(&[Hook::Run], change);
        world.pass(500);
        assert_eq!(why(&world), (state, Some(code), line.into()));
    }
}

#[test]
fn a_stopped_service_shows_that_it_was_killed() {
    let mut world = world(&[Hook::Run], |script| script.ends_ms = None);
    world.pass(500);
    world.tell(MachineEvent::Stop { timeout_s: Some(2) });
    assert_eq!(why(&world).1, Some(ReasonCode::Stopping));
    world.pass(10_000);
    let line = "it was stopped (killed, because it did not end within 2 s); 'hab svc start \
                example/web' starts it";
    assert_eq!(why(&world), (ServiceState::Down, Some(ReasonCode::DesiredDown), line.into()));
    let told =
        "web.default(ST): Service has not ended within 2 secs of TERM (PID: 1001); killing it";
    assert_eq!(has_line(&world, told), 1, "{:?}", world.lines);
    let exit = world.machine.status().account.exit.expect("it has ended");
    assert_eq!(exit.cause, ExitCause::StopTimeout { after_ms: 2_000 });
}

#[test]
fn each_change_of_health_is_one_line() {
    let mut world = world(&[Hook::Run, Hook::HealthCheck], |script| {
        script.hooks.insert(Hook::HealthCheck, (Some(1), HookOutcome::Exit(2)));
        script.printed = Printed::of("refused\nmore\n", "");
    });
    world.pass(2_000);
    let line = "web.default(HK): Health changed from UNKNOWN to CRITICAL, exit code 2: refused";
    assert_eq!(has_line(&world, line), 1, "{:?}", world.lines);
    let line = "the last health check was critical (exit code 2): more";
    assert_eq!(why(&world), (ServiceState::Up, Some(ReasonCode::HealthCritical), line.into()));
    world.script.hooks.clear();
    world.script.printed = Printed::default();
    world.pass(2_000);
    let line = "web.default(HK): Health changed from CRITICAL to OK, exit code 0";
    assert_eq!(has_line(&world, line), 1, "{:?}", world.lines);
    assert_eq!(why(&world).1, None);
}

/// The service after the next Supervisor has taken over, without a process.
fn restarted(world: &mut World) -> Machine {
    world.machine.handle(now(world.now_ms), MachineEvent::Detach);
    let bytes = world.machine.remember().encode();
    let remembered = Remembered::decode(&bytes).expect("our own");
    let mut later = now(world.now_ms + 5_000);
    // The clock of another process has another origin.
    later.mono_ms -= 90_000;
    let spec = world.machine.spec().clone();
    Machine::resume(later, group("web"), spec, Settings::default(), 7, &remembered, None)
}

#[test]
fn a_service_that_is_down_is_shown_by_the_next_supervisor_as_before() {
    let mut failing = world(&[Hook::Init, Hook::Run], |script| {
        script.hooks.insert(Hook::Init, (Some(5), HookOutcome::Exit(4)));
        script.printed = Printed::of("", "no database\n");
    });
    failing.pass(14_500);
    let before = failing.machine.status();
    assert!(before.restart_count >= 14);
    let after = restarted(&mut failing).status();
    assert_eq!(after.restart_count, before.restart_count);
    assert_eq!(after.process.state_entered_ms, before.process.state_entered_ms);
    assert_eq!(after.last_process_state, before.last_process_state);
    assert_eq!(after.why, before.why);
    assert_eq!(after.account, before.account);

    let mut stopped = world(&[Hook::Run], |_| {});
    stopped.pass(5_000);
    stopped.tell(MachineEvent::Stop { timeout_s: None });
    stopped.pass(5_000);
    let before = stopped.machine.status();
    assert_eq!(before.process.state_entered_ms, EPOCH_MS + 5_010);
    let after = restarted(&mut stopped).status();
    assert_eq!(after.process, before.process);
    assert_eq!(after.health_since_unix_ms, before.health_since_unix_ms);
    assert_eq!(after.why, before.why);
    assert_eq!(after.account, before.account);
}

#[test]
fn an_end_without_a_supervisor_is_shown() {
    let mut stopped = spec("web");
    stopped.desired_state = roost_ident::DesiredState::Down;
    let remembered =
        Remembered { state_entered_unix_ms: Some(EPOCH_MS - 9_000), ..Remembered::default() };
    let ended = Some((77, crate::support::end()));
    let later = now(200_000);
    let machine =
        Machine::resume(later, group("web"), stopped, Settings::default(), 7, &remembered, ended);
    let status = machine.status();
    let exit = status.account.exit.expect("one");
    assert_eq!((exit.pid, exit.ran_ms, exit.cause), (77, 9_000, ExitCause::Stopped));
    assert_eq!(status.process.state_entered_ms, EPOCH_MS);
    assert_eq!(status.health, HealthStatus::Unknown);
}

#[test]
fn what_else_is_the_matter_does_not_hide_that_a_newer_release_was_refused() {
    let mut world = world(&[Hook::Run, Hook::HealthCheck], |_| {});
    world.pass(2_000);
    world.tell(MachineEvent::ReleaseRefused("plan.sh:3: an unclosed quote".into()));
    let refused =
        MachineEvent::UserConfig { refused: Some("user.toml:1:5: expected a value".into()) };
    world.tell(refused.clone());
    world.tell(refused);
    assert_eq!(has_line(&world, "web.default(SR): user.toml:1:5: expected a value"), 1);
    let both = "plan.sh:3: an unclosed quote; user.toml:1:5: expected a value";
    assert_eq!(why(&world), (ServiceState::Up, Some(ReasonCode::ConfigError), both.into()));
    world.script.hooks.insert(Hook::HealthCheck, (Some(1), HookOutcome::Exit(2)));
    world.script.printed = Printed::of("refused\n", "");
    world.pass(40_000);
    let line = format!("the last health check was critical (exit code 2): refused; {both}");
    assert_eq!(why(&world), (ServiceState::Up, Some(ReasonCode::HealthCritical), line));
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(10_000);
    let (state, code, line) = why(&world);
    assert_eq!((state, code), (ServiceState::Down, Some(ReasonCode::DesiredDown)));
    assert!(line.ends_with(&format!("'hab svc start example/web' starts it; {both}")), "{line}");
    world.tell(MachineEvent::UserConfig { refused: None });
    world.tell(MachineEvent::ReleaseFit);
    assert!(!why(&world).2.contains("plan.sh"));
}
