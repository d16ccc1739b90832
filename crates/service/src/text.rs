//! Log lines about a service, identical to Habitat's where it has one (reference: services §16,
//! control §20).

use roost_ident::{ElectionStatus, HealthStatus, Hook};

use crate::{
    effect::{Effect, LogKey, Preamble},
    event::{BuildFailure, HookOutcome, RenderFailure, RenderedFile, RenderedKind},
};

/// A log line.
pub(crate) fn line(preamble: Preamble, key: LogKey, text: impl Into<String>) -> Effect {
    Effect::Log { preamble, key, text: text.into() }
}

/// A line about the service, key `SR`.
pub(crate) fn service(text: impl Into<String>) -> Effect {
    line(Preamble::Group, LogKey::Sr, text)
}

/// The lines about a hook that failed, or whose success means nothing.
pub(crate) fn hook_ended(hook: Hook, outcome: &HookOutcome) -> Vec<Effect> {
    let package = |text: String| vec![line(Preamble::Package, LogKey::Hk, text)];
    match (hook, outcome) {
        (hook, HookOutcome::CouldNotRun(error)) => {
            let text = format!("Hook failed to run, {hook}, {error}");
            let mut lines = vec![line(Preamble::Group, LogKey::Hk, text)];
            match hook {
                Hook::Init => {
                    lines.push(service(format!("Service initialization failed: {error}")));
                }
                Hook::PostStop => lines.push(service(format!("Service stop failed: {error}"))),
                Hook::Install
                | Hook::Uninstall
                | Hook::Run
                | Hook::PostRun
                | Hook::HealthCheck
                | Hook::Reconfigure
                | Hook::FileUpdated
                | Hook::Suitability => {}
            }
            lines
        }
        (Hook::Init, HookOutcome::Signal(_)) => {
            package("Initialization failed! 'init' exited without a status code".into())
        }
        (hook, HookOutcome::Signal(number)) => {
            package(format!("{hook} was terminated by signal {number}"))
        }
        (Hook::HealthCheck, HookOutcome::Exit(code)) => {
            if HealthStatus::from_exit_code(*code).is_some() {
                return Vec::new();
            }
            package(format!(
                "Health check exited with an unknown status code, Invalid health check result: \
                 {code}"
            ))
        }
        (_, HookOutcome::Exit(0)) => Vec::new(),
        (Hook::Init, HookOutcome::Exit(code)) => {
            package(format!("Initialization failed! 'init' exited with status code {code}"))
        }
        (Hook::PostStop, HookOutcome::Exit(code)) => {
            package(format!("Post stop failed! 'post-stop' exited with status code {code}"))
        }
        (Hook::PostRun, HookOutcome::Exit(code)) => {
            package(format!("'post-run' exited with status code {code}, will run again"))
        }
        (
            Hook::Install
            | Hook::Uninstall
            | Hook::Run
            | Hook::Reconfigure
            | Hook::FileUpdated
            | Hook::Suitability,
            HookOutcome::Exit(_),
        ) => Vec::new(),
    }
}

/// The lines about a failed build.
pub(crate) fn build_failed(ident: &str, failure: &BuildFailure) -> Vec<String> {
    match failure {
        BuildFailure::Directory { path, .. } => vec![
            failure.to_string(),
            format!(
                "A Supervisor that does not run as root needs leave to write there: create {path} \
                 and give it to the Supervisor's user"
            ),
            format!("{ident} failed to start"),
        ],
        BuildFailure::NotInstalled(_)
        | BuildFailure::NotRunnable(_)
        | BuildFailure::Binds(_)
        | BuildFailure::Refused(_)
        | BuildFailure::NoUser(_)
        | BuildFailure::Unread(_) => vec![format!("Unable to start {ident}, {failure}")],
    }
}

/// The line about a rendered file.
pub(crate) fn rendered(file: &RenderedFile) -> Effect {
    let path = &file.path;
    match file.kind {
        RenderedKind::Hook(_) => {
            line(Preamble::Group, LogKey::Hk, format!("Modified hook content in {path}"))
        }
        RenderedKind::ConfigCreated => {
            line(Preamble::Group, LogKey::Cf, format!("Created configuration file {path}"))
        }
        RenderedKind::ConfigModified => {
            line(Preamble::Group, LogKey::Cf, format!("Modified configuration file {path}"))
        }
    }
}

/// The failures of a rendering.
pub(crate) fn unrendered(failures: &[RenderFailure]) -> String {
    failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The reason when a newer candidate cannot start.
pub(crate) fn not_replaced(error: &str, running: Option<&str>) -> String {
    format!("{error}; not applied, {} keeps running", running.unwrap_or("the former release"))
}

/// The reason when an attempt failed and the fallback starts instead.
pub(crate) fn gone_back(error: &str, release: &str) -> String {
    format!("{error}; {release}, the former release, is started instead")
}

/// The line about a hook that exceeded its time limit.
pub(crate) fn too_long(hook: Hook, timeout_ms: u64) -> String {
    format!("{hook} ran longer than {} secs and was stopped", seconds(timeout_ms))
}

/// The line about a changed election status.
pub(crate) fn election(status: ElectionStatus, leader: Option<&str>) -> Effect {
    service(match status {
        ElectionStatus::None => "Waiting to execute hooks; election hasn't started".to_owned(),
        ElectionStatus::InProgress => "Waiting to execute hooks; election in progress.".to_owned(),
        ElectionStatus::NoQuorum => {
            "Waiting to execute hooks; election in progress, and we have no quorum.".to_owned()
        }
        ElectionStatus::Finished => {
            format!("Executing hooks; {} is the leader", leader.unwrap_or_default())
        }
    })
}

/// A time in seconds for the user, without decimals if it is whole.
pub(crate) fn seconds(ms: u64) -> String {
    if ms.is_multiple_of(1_000) {
        format!("{}", ms / 1_000)
    } else {
        format!("{}.{:03}", ms / 1_000, ms % 1_000)
    }
}

/// A time for people: two decimals if it is short, whole seconds if it is long.
pub(crate) fn rough_seconds(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{:.1}", ms as f64 / 1_000.0),
        _ => format!("{}", ms / 1_000),
    }
}

/// A signal with its name.
pub(crate) fn signal(number: i32) -> String {
    const NAMES: [&str; 15] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM",
    ];
    let name = usize::try_from(number).ok().and_then(|number| NAMES.get(number.wrapping_sub(1)));
    name.map_or_else(|| number.to_string(), |name| format!("{number} ({name})"))
}

/// The line about a change of health.
pub(crate) fn health_changed(
    from: HealthStatus,
    to: HealthStatus,
    exit_code: Option<i32>,
    first: &str,
) -> Effect {
    let mut text = format!("Health changed from {} to {}", from.upper(), to.upper());
    if let Some(code) = exit_code {
        text.push_str(&format!(", exit code {code}"));
    }
    if !first.is_empty() {
        text.push_str(&format!(": {first}"));
    }
    line(Preamble::Group, LogKey::Hk, text)
}

/// Why a service is restarted that was critical this many times in a row.
pub(crate) fn critical(times: u32) -> String {
    match times {
        1 => "the last health check was critical".to_owned(),
        times => format!("{times} health checks in a row were critical"),
    }
}

/// The lines about a failure with reason `what`. Habitat logs only the second one; without a pause
/// that one would announce the stop of a service that has already ended.
pub(crate) fn failed(what: Option<&str>, pause_ms: u64) -> Vec<Effect> {
    let mut lines = Vec::new();
    match (what, pause_ms) {
        (Some(what), 0) => lines.push(service(format!("{}; starting again", capital(what)))),
        (Some(what), _) => lines.push(service(capital(what))),
        (None, 0) => lines.push(service("Starting again")),
        (None, _) => {}
    }
    if pause_ms > 0 {
        lines.push(service(will_restart(pause_ms)));
    }
    lines
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The line about a stop before a restart.
pub(crate) fn will_restart(pause_ms: u64) -> String {
    if pause_ms == 0 {
        "Stopping service, will restart immediately".into()
    } else {
        // Two decimals, in whole numbers: 6 960 ms are 6.96 secs.
        let hundredths = pause_ms.saturating_add(5) / 10;
        format!(
            "Stopping service, will restart after {}.{:02} secs",
            hundredths / 100,
            hundredths % 100
        )
    }
}
