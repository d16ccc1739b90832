//! Notifications of systemd (`sd_notify(3)`): ready, status line, stopping. The launcher sends
//! them, because systemd accepts such messages only from the process it started. Its watchdog
//! monitors the launcher.
//!
//! Without systemd these functions do nothing.

use std::sync::OnceLock;

use roost_launch::wire::Request;

use crate::launcher::Launcher;

/// The launcher that forwards the messages.
static LAUNCHER: OnceLock<Launcher> = OnceLock::new();

/// Sets the launcher that forwards the messages; there is one per Supervisor process.
pub(crate) fn through(launcher: &Launcher) {
    // A second one would be the same.
    let _ = LAUNCHER.set(launcher.clone());
}

/// Everything that the Supervisor decides is started.
pub(crate) fn ready() {
    send(&Request::Ready(()));
}

/// One line for `systemctl status`.
pub(crate) fn status(status: &str) {
    send(&Request::Status(status.into()));
}

/// A clean shutdown has begun.
pub(crate) fn stopping() {
    send(&Request::Stopping(()));
}

fn send(request: &Request) {
    if let Some(launcher) = LAUNCHER.get() {
        launcher.send(request);
    }
}
