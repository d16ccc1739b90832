//! Talk with systemd (`sd_notify(3)`): ready, status line, stopping. Its watchdog watches the
//! launcher.
//!
//! Without `NOTIFY_SOCKET` in the environment nothing of this does anything.

use sd_notify::NotifyState;

/// Everything is started as far as the Supervisor decides it.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// One line for `systemctl status`.
pub(crate) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// An orderly shutdown has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    // systemd that does not listen is no reason to stop.
    let _ = sd_notify::notify(false, states);
}
