//! The sentence.

use roost_ident::{HealthStatus, time::rfc3339_ms};

use super::{Facts, chain::Link};
use crate::status::{PhaseName, ServiceState, Status};

pub(super) fn sentence(facts: &Facts<'_>, links: &[Link<'_>], redact: bool) -> String {
    let (group, status) = (facts.group, facts.status);
    let since = rfc3339_ms(status.process.state_entered_ms);
    let causes = || said(links, redact);
    let causes_but_first = || said(&links[1.min(links.len())..], redact);
    let mut text = match status.state {
        ServiceState::Up if links.is_empty() => {
            format!("{group} is up since {since}, {}", health(status, redact))
        }
        ServiceState::Up => format!("{group} is up since {since}, but {}", causes()),
        ServiceState::Down => format!("{group} is down since {since}: {}", causes()),
        ServiceState::BackingOff => {
            let wait = links.first().map_or("", |link| link.step.message.as_str());
            match causes_but_first() {
                causes if causes.is_empty() => format!("{group} is down, and {wait}"),
                causes => format!("{group} is down, and {wait}: {causes}"),
            }
        }
        ServiceState::Blocked => format!("{group} is not started yet: {}", causes()),
        ServiceState::Failed => format!("{group} cannot start: {}", causes()),
        ServiceState::Stopping if links.is_empty() => {
            format!("{group} is being stopped, to start again")
        }
        ServiceState::Stopping => format!("{group} is being stopped: {}", causes()),
        ServiceState::Starting => {
            let doing = doing(status.phase);
            match causes() {
                causes if causes.is_empty() => format!("{group} is starting: {doing}"),
                causes => format!("{group} is starting again ({doing}): {causes}"),
            }
        }
    };
    text.push_str(&restarts(status));
    text
}

/// How often it was restarted after failures. Those of the last hour are named where they are not
/// all of them, or all that happened before a user started it.
fn restarts(status: &Status) -> String {
    let times = |count: u64| match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    };
    let (total, hour) = (status.restart_count, status.restarts_last_hour);
    match (total, hour) {
        (0, 0) => String::new(),
        (0, hour) => format!("; it failed and was restarted {} in the last hour", times(hour)),
        (1, _) => "; it was restarted once after a failure".into(),
        (total, hour) if hour == 0 || hour == total => {
            format!("; it was restarted {} after failures", times(total))
        }
        (total, hour) => format!(
            "; it was restarted {} after failures, {} in the last hour",
            times(total),
            times(hour)
        ),
    }
}

/// Messages of all causes, each with the last line of its output.
fn said(links: &[Link<'_>], redact: bool) -> String {
    let said = links.iter().map(|link| match link.step.output.last() {
        Some(last) if !redact && !link.step.message.contains(last) => {
            format!("{}: {last}", link.step.message)
        }
        _ => link.step.message.clone(),
    });
    said.collect::<Vec<_>>().join("; ")
}

/// The health of a service that has no cause to complain.
fn health(status: &Status, redact: bool) -> String {
    let since = rfc3339_ms(status.health_since_unix_ms);
    if !status.has_check {
        return "and has no health check".into();
    }
    match (status.health, &status.account.check) {
        (HealthStatus::Ok, _) => format!("healthy since {since}"),
        (HealthStatus::Warning, Some(check)) => {
            let code = check.exit_code.map_or(String::new(), |code| format!(" (exit code {code})"));
            let printed = match check.printed.end().last() {
                Some(last) if !redact => format!(": {last}"),
                _ => String::new(),
            };
            format!("with a warning from its health check{code} since {since}{printed}")
        }
        (HealthStatus::Unknown, None) => "and its first health check has not ended yet".into(),
        (health, _) => format!("health {} since {since}", health.as_str().to_lowercase()),
    }
}

/// What a starting service is doing.
const fn doing(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Waiting => "it waits a moment before the start",
        PhaseName::Building => "its package and templates are being read",
        PhaseName::Installing => "its install hooks run",
        PhaseName::WaitingForBinds => "it waits for its binds",
        PhaseName::WaitingForElection => "it waits for a leader",
        PhaseName::Rendering => "its files are being rendered",
        PhaseName::Initializing => "its init hook runs",
        PhaseName::Stopped
        | PhaseName::Broken
        | PhaseName::Starting
        | PhaseName::Running
        | PhaseName::Stopping
        | PhaseName::Gone => "its process is being started",
    }
}
