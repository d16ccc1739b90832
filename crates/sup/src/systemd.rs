//! What systemd learns (`sd_notify(3)`): ready, status line, stopping. The launcher sends it,
//! because systemd takes such messages from the process it started only. Its watchdog watches the
//! launcher.
//!
//! Without systemd nothing of this does anything.

use std::sync::OnceLock;

use roost_launch::wire::Request;

use crate::launcher::Launcher;

/// The way to systemd, once there is a launcher.
static LAUNCHER: OnceLock<Launcher> = OnceLock::new();

/// From now on messages go to this launcher. There is one in the life of a Supervisor.
pub(crate) fn through(launcher: &Launcher) {
    // A second one would be the same.
    let _ = LAUNCHER.set(launcher.clone());
}

/// Everything is started as far as the Supervisor decides it.
pub(crate) fn ready() {
    send(&Request::Ready(()));
}

/// One line for `systemctl status`.
pub(crate) fn status(status: &str) {
    send(&Request::Status(status.into()));
}

/// An orderly shutdown has begun.
pub(crate) fn stopping() {
    send(&Request::Stopping(()));
}

fn send(request: &Request) {
    if let Some(launcher) = LAUNCHER.get() {
        launcher.send(request);
    }
}
