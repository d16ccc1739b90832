//! Talk with systemd (`sd_notify(3)`): ready, status line, watchdog, stopping.
//!
//! Without `NOTIFY_SOCKET` in the environment nothing of this does anything.

use std::{env, time::Duration};

use sd_notify::NotifyState;

/// How often the watchdog wants a sign of life: half of `WATCHDOG_USEC`, as systemd advises.
/// `WATCHDOG_PID` names the launcher, whose child this process is, and is not looked at.
pub(crate) fn watchdog_period() -> Option<Duration> {
    env::var_os("NOTIFY_SOCKET")?;
    let microseconds: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (microseconds > 0).then(|| Duration::from_micros(microseconds) / 2)
}

/// Everything is started as far as the Supervisor decides it.
pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// One line for `systemctl status`.
pub(crate) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// The main task still handles events.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// An orderly shutdown has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    // systemd that does not listen is no reason to stop.
    let _ = sd_notify::notify(false, states);
}
