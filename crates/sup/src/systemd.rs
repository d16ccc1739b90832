//! What systemd is told (`sd_notify(3)`): ready, status line, stopping. The launcher sends it,
//! because systemd takes such messages from the process it started only. Its watchdog watches the
//! launcher.
//!
//! Without a systemd nothing of this does anything.

use std::{env, sync::OnceLock};

use roost_launch::wire::{Notice, Request};
use sd_notify::NotifyState;

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
    tell(Notice::Ready);
}

/// One line for `systemctl status`.
pub(crate) fn status(status: &str) {
    tell(Notice::Status(status.into()));
}

/// An orderly shutdown has begun.
pub(crate) fn stopping() {
    tell(Notice::Stopping);
}

fn tell(notice: Notice) {
    // A launcher of an older release leaves it to the Supervisor, and the socket in its
    // environment.
    if env::var_os("NOTIFY_SOCKET").is_some() {
        let state = match &notice {
            Notice::Ready => NotifyState::Ready,
            Notice::Stopping => NotifyState::Stopping,
            Notice::Status(text) => NotifyState::Status(text),
        };
        // systemd that does not listen is no reason to stop.
        let _ = sd_notify::notify(false, &[state]);
    } else if let Some(launcher) = LAUNCHER.get() {
        launcher.send(&Request::Notify(notice));
    }
}
