//! The machine against console output and documents recorded from Habitat 2.1.78.

use roost_ident::{BindState, Hook, ProcessState};
use roost_service::{
    BackoffSettings, BindReport, HookOutcome, MachineEvent, RenderedFile, RenderedKind, Rendering,
    Settings, Status,
};

use crate::support::{Script, World, plan, spec};

/// The log lines of one service that the machine produces, without process ids and immediate
/// repetitions.
fn recorded(console: &str, name: &str, key_filter: &[&str]) -> Vec<String> {
    let mine = [
        format!("{name}.default("),
        format!("{name}("),
        format!("hab-sup(MR): Starting example/{name} "),
    ];
    let mut lines: Vec<String> = Vec::new();
    for line in console.lines() {
        let is_mine = mine.iter().any(|start| line.starts_with(start));
        let is_left_out = key_filter.iter().any(|part| line.contains(part));
        let line = line.replace("(PID: ${PID})", "(PID: N)");
        let recent = &lines[lines.len().saturating_sub(2)..];
        if is_mine && !is_left_out && !recent.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Lines that Habitat does not have.
const OWN: [&str; 2] = ["(HK): Health changed from ", "(SR): The process exited with code "];

/// Our log lines in the same form, without those that Habitat does not have.
fn ours(world: &World) -> Vec<String> {
    world
        .lines
        .iter()
        .filter(|line| !OWN.iter().any(|own| line.contains(own)))
        .map(|line| match line.split_once("(PID: ") {
            Some((start, _)) => format!("{start}(PID: N)"),
            None => line.clone(),
        })
        .collect()
}

fn written(files: &[(RenderedKind, &str)]) -> Rendering {
    let path = |path: &str| format!("${{FS_ROOT}}/hab/svc/{path}");
    let file = |(kind, name): &(RenderedKind, &str)| RenderedFile { kind: *kind, path: path(name) };
    Rendering { files: files.iter().map(file).collect(), ..Rendering::default() }
}

/// Habitat logs `Health checking has been stopped` from a loop that outlives its service; ours
/// never does.
const OUTLIVING_LOOP: &str = "Health checking has been stopped";

#[test]
fn a_service_that_is_loaded_stopped_started_and_unloaded_prints_the_recorded_lines() {
    let console = include_str!("../fixtures/console-03-stopped.txt");
    let mut script = Script::new(plan("web", &[Hook::HealthCheck, Hook::Run]));
    script.renderings = vec![written(&[
        (RenderedKind::Hook(Hook::HealthCheck), "web/hooks/health-check"),
        (RenderedKind::Hook(Hook::Run), "web/hooks/run"),
    ])];
    let mut world = World::new("web", script, Settings::default());
    world.pass(5_000);
    world.tell(MachineEvent::Stop { timeout_s: None });
    world.pass(5_000);
    world.tell(MachineEvent::Start);
    world.pass(5_000);
    world.tell(MachineEvent::Unload { timeout_s: None });
    world.pass(5_000);
    assert_eq!(ours(&world), recorded(console, "web", &[OUTLIVING_LOOP]));
}

fn bind(state: BindState) -> MachineEvent {
    MachineEvent::Binds(vec![BindReport {
        name: "database".into(),
        group: "db.default".into(),
        state,
    }])
}

#[test]
fn a_strict_service_waits_for_its_bind_with_the_recorded_lines() {
    let console = include_str!("../fixtures/console-06-binds.txt");
    let mut script = Script::new(plan("app", &[Hook::Run]));
    script.renderings = vec![written(&[
        (RenderedKind::Hook(Hook::Run), "app/hooks/run"),
        (RenderedKind::ConfigCreated, "app/config/b.conf"),
    ])];
    let mut spec = spec("app");
    spec.binds = vec!["database:db.default".parse().expect("a bind")];
    let mut world = World::with_spec(spec, script, Settings::default());
    world.tell(bind(BindState::Absent));
    world.pass(3_000);
    for _ in 0..5 {
        world.tell(bind(BindState::Absent));
        world.tell(MachineEvent::ContextChanged);
        world.pass(1_000);
    }
    world.tell(bind(BindState::Satisfied));
    world.pass(1_000);
    let mut expected = recorded(console, "app", &[]);
    assert!(expected.pop().is_some_and(|line| line.contains("Terminating")), "the shutdown");
    assert_eq!(ours(&world), expected);
}

#[test]
fn a_relaxed_service_restarts_for_its_bind_with_the_recorded_lines() {
    let console = include_str!("../fixtures/console-06-binds.txt");
    let mut script = Script::new(plan("app2", &[Hook::Run]));
    script.renderings = vec![
        written(&[
            (RenderedKind::Hook(Hook::Run), "app2/hooks/run"),
            (RenderedKind::ConfigCreated, "app2/config/b.conf"),
        ]),
        written(&[(RenderedKind::ConfigModified, "app2/config/b.conf")]),
    ];
    let mut spec = spec("app2");
    spec.binds = vec!["database:db.default".parse().expect("a bind")];
    spec.binding_mode = roost_ident::BindingMode::Relaxed;
    let mut world = World::with_spec(spec, script, Settings::default());
    world.tell(bind(BindState::Absent));
    world.pass(5_000);
    world.tell(bind(BindState::Satisfied));
    world.tell(MachineEvent::ContextChanged);
    world.pass(5_000);
    let mut expected = recorded(console, "app2", &[OUTLIVING_LOOP]);
    assert!(expected.pop().is_some_and(|line| line.contains("Terminating")), "the shutdown");
    assert_eq!(ours(&world), expected);
    let status = world.machine.status();
    let last = status.last_process_state.expect("it was restarted");
    assert_eq!((last.pid, last.reason.as_str()), (Some(1_001), "app_config_updated"));
    assert_eq!((status.restart_count, status.process.pid), (0, Some(1_002)));
}

fn crash_settings() -> Settings {
    let backoff = BackoffSettings { min_ms: 3_000, max_ms: 12_000, cooldown_ms: 60_000 };
    Settings { backoff, ..Settings::default() }
}

/// A line of the table of settled states; `None` for a transient one.
fn settled(name: &str, status: &Status) -> Option<String> {
    let is_up = status.process.state == ProcessState::Up;
    if !is_up && status.next_restart_at_s.is_none() {
        return None;
    }
    let show = |pid: Option<u32>| {
        pid.map_or_else(|| "-".to_owned(), |pid| format!("${{PID_{}}}", pid - 1_000))
    };
    let last = status.last_process_state;
    Some(format!(
        "{name} {} {} {} {} {} {} {} {}",
        status.process.state,
        show(status.process.pid),
        status.initialized,
        status.health,
        show(last.and_then(|last| last.pid)),
        last.map_or("-", |last| last.reason.as_str()),
        if status.next_restart_at_s.is_some() { "waits" } else { "-" },
        status.restart_count,
    ))
}

fn settled_of(name: &str, world: &World) -> Vec<String> {
    let mut lines: Vec<String> =
        world.statuses.iter().filter_map(|status| settled(name, status)).collect();
    lines.dedup();
    lines
}

fn table(name: &str) -> Vec<&'static str> {
    include_str!("../fixtures/settled-08-crash-backoff.txt")
        .lines()
        .filter(|line| line.starts_with(&format!("{name} ")))
        .collect()
}

#[test]
fn a_crashing_service_passes_through_the_recorded_states() {
    let mut script = Script::new(plan("crash", &[Hook::Run]));
    script.runs_ms = Some(1_003);
    let mut world = World::new("crash", script, crash_settings());
    world.pass(120_000);
    let expected = table("crash");
    assert_eq!(settled_of("crash", &world)[..expected.len()], expected);
}

#[test]
fn a_failing_init_passes_through_the_recorded_states() {
    let mut script = Script::new(plan("badinit", &[Hook::Init, Hook::Run]));
    script.hooks.insert(Hook::Init, (Some(5), HookOutcome::Exit(4)));
    let mut world = World::new("badinit", script, crash_settings());
    world.pass(120_000);
    let expected = table("badinit");
    assert_eq!(settled_of("badinit", &world)[..expected.len()], expected);
    let line = "badinit(HK): Initialization failed! 'init' exited with status code 4";
    assert!(world.lines.iter().any(|ours| ours == line));
}

/// Replaces the drawn seconds, and returns them.
fn without_pauses(lines: Vec<String>) -> (Vec<String>, Vec<f64>) {
    let mut pauses = Vec::new();
    let lines = lines
        .into_iter()
        .map(|line| match line.split_once("will restart after ") {
            Some((start, rest)) => {
                let seconds = rest.trim_end_matches(" secs");
                pauses.push(seconds.parse().expect("a number"));
                format!("{start}will restart after N secs")
            }
            None => line,
        })
        .collect();
    (lines, pauses)
}

#[test]
fn a_crashing_service_prints_the_recorded_lines() {
    let console = include_str!("../fixtures/console-08-crash-backoff.txt");
    let mut script = Script::new(plan("crash", &[Hook::Run]));
    script.renderings = vec![written(&[(RenderedKind::Hook(Hook::Run), "crash/hooks/run")])];
    script.runs_ms = Some(1_003);
    let mut world = World::new("crash", script, crash_settings());
    while world.machine.status().restart_count < 6 {
        world.pass(1);
    }
    let (mut expected, recorded_pauses) =
        without_pauses(recorded(console, "crash", &[OUTLIVING_LOOP]));
    let (lines, pauses) = without_pauses(ours(&world));
    // The recording ends with a stop that we leave out.
    expected.retain(|line| !line.contains("(ST)"));
    assert_eq!(lines[..expected.len()], expected);
    for pauses in [recorded_pauses, pauses] {
        assert!((pauses[0] - 3.0).abs() < 0.001);
        for pair in pauses.windows(2) {
            assert!(pair[1] >= 3.0 && pair[1] <= (3.0 * pair[0]).min(12.0), "{pauses:?}");
        }
    }
}

#[test]
fn the_time_of_the_next_restart_is_the_end_of_the_pause() {
    let mut script = Script::new(plan("crash", &[Hook::Run]));
    script.runs_ms = Some(1_003);
    let mut world = World::new("crash", script, crash_settings());
    world.pass(1_500);
    let status = world.machine.status();
    let exit_ms = world.times(|effect| *effect == roost_service::Effect::RemovePid)[0];
    let exit_unix_ms = crate::support::EPOCH_MS + exit_ms;
    assert_eq!(status.next_restart_at_s, Some((exit_unix_ms + 3_000) / 1_000));
    assert_eq!(
        status.last_process_state.map(|last| last.terminated_at_s),
        Some(exit_unix_ms / 1_000)
    );
}
