//! The return of the services after a restart of their Supervisor.

use std::collections::BTreeMap;

use anyhow::bail;
use roost_ctl::ServiceStatus;
use roost_ident::{DesiredState, ProcessState};

use super::{
    facts::{FAILURES, STEADY_MS, is_failing, why_not_up},
    polls::Seen,
};

/// The services that were up before a restart of the Supervisor.
#[derive(Debug, Clone, Default)]
pub(crate) struct UpBefore(BTreeMap<String, u32>);

impl UpBefore {
    pub(super) fn of(statuses: &[ServiceStatus]) -> Self {
        // A crash-looping service was up only by chance.
        let steady = statuses.iter().filter(|status| !is_failing(status));
        Self(steady.filter_map(|it| Some((it.group.to_string(), it.pid?))).collect())
    }
}

/// Whether all services are up that were up before.
pub(super) fn are_up(before: &UpBefore, statuses: &[ServiceStatus]) -> anyhow::Result<Seen> {
    if statuses.iter().any(|status| status.extra.pending == Some(true)) {
        return Ok(Seen::unlisted("it has not read all services yet"));
    }
    for (group, pid) in &before.0 {
        let Some(status) = statuses.iter().find(|it| it.group.as_str() == group) else {
            return Ok(Seen::until_change(format!("{group} is not listed yet")));
        };
        if status.desired == Some(DesiredState::Down) {
            continue;
        }
        if is_failing(status) && status.extra.restarts >= Some(FAILURES) {
            bail!("{group} does not come up: {}.", why_not_up(status));
        }
        if status.state != ProcessState::Up {
            return Ok(Seen::until_change(format!("{group}: {}", why_not_up(status))));
        }
        let left_ms = STEADY_MS.saturating_sub(status.extra.up_ms.unwrap_or(STEADY_MS));
        if status.pid != Some(*pid) && left_ms > 0 {
            return Ok(Seen::for_ms(format!("{group} has only just started"), left_ms));
        }
    }
    Ok(Seen::There)
}

#[cfg(test)]
mod tests {
    use super::{super::samples::status, *};

    #[test]
    fn after_a_restart_of_the_supervisor_former_services_are_up() {
        let before = UpBefore([("web.default".to_owned(), 7)].into());
        let is = |statuses: &[ServiceStatus]| match are_up(&before, statuses) {
            Ok(Seen::There) => Some(true),
            Ok(Seen::NotYet { .. }) => Some(false),
            Err(_) => None,
        };
        assert_eq!(is(&[]), Some(false));
        assert_eq!(is(&[status(|_| {})]), Some(true), "the same process");
        assert_eq!(is(&[status(|it| it.pid = Some(8))]), Some(false), "another one");
        assert_eq!(is(&[status(|it| it.extra.pending = Some(true))]), Some(false));
    }
}
