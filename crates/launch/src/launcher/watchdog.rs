//! Two watchdogs: the launcher's over the Supervisor, systemd's over the launcher.
//!
//! A Supervisor that hangs is as bad as one that died, so it is treated alike: killed and started
//! anew while services run on. Were it left to systemd's watchdog, services would go down with it.

use std::time::{Duration, Instant};

use super::Launcher;
use super::supervising::kill;

/// After its time a Supervisor has so long to be heard after all: when the whole machine was
/// paused, the launcher may be the first to wake.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// No Supervisor may ask for more.
const LONGEST_PROMISE: Duration = Duration::from_secs(3600);

/// A Supervisor's word to be heard of again.
pub(crate) struct Promise {
    within: Duration,
    until: Instant,
    overdue: bool,
}

impl Promise {
    fn new(within: Duration) -> Promise {
        Promise { within, until: Instant::now() + within, overdue: false }
    }

    /// When [`Launcher::check_promise`] has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        self.until
    }
}

impl Launcher {
    /// The Supervisor handles events, and says when it will say so again.
    pub(super) fn on_alive(&mut self, within_ms: u64) {
        if let Some(link) = &mut self.link {
            let within = Duration::from_millis(within_ms).min(LONGEST_PROMISE);
            link.promise = Some(Promise::new(within));
        }
        self.check_age();
    }

    /// Kills a Supervisor that broke its word. Its end is handled like any other.
    pub(super) fn check_promise(&mut self, now: Instant) {
        let Some(link) = &mut self.link else { return };
        let Some(promise) = link.promise.as_mut().filter(|promise| now >= promise.until) else {
            return;
        };
        if !promise.overdue {
            promise.overdue = true;
            promise.until = now + LAST_CHANCE;
            return;
        }
        let silent_s = (promise.within + LAST_CHANCE).as_secs();
        self.printer.log_error(&format!(
            "The Supervisor has not handled anything for {silent_s} s; killing it"
        ));
        link.promise = None;
        kill(link);
    }
}
