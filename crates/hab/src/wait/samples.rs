//! Statuses for tests.

use roost_ctl::{ServiceStatus, reply::StatusExtra};
use roost_ident::{DesiredState, ProcessState};

use super::facts::RUNNING;

/// A service that has just started, with a change.
pub(super) fn status(change: impl FnOnce(&mut ServiceStatus)) -> ServiceStatus {
    let mut status = ServiceStatus {
        ident: "acme/web".parse().expect("an identifier"),
        group: "web.default".parse().expect("a group"),
        desired: Some(DesiredState::Up),
        state: ProcessState::Up,
        elapsed_s: 0,
        pid: Some(7),
        extra: StatusExtra {
            health: Some("OK".into()),
            restarts: Some(0),
            phase: Some(RUNNING.into()),
            pending: Some(false),
            has_check: Some(false),
            up_ms: Some(500),
            ..StatusExtra::default()
        },
    };
    change(&mut status);
    status
}
