//! Two watchdogs: the launcher's for the Supervisor, systemd's for the launcher.
//!
//! A hanging Supervisor is treated like one that died: killed and restarted while services keep
//! running. systemd's watchdog would stop the services too.

use std::time::{Duration, Instant};

use super::{Launcher, supervising::kill};

/// Grace period of a Supervisor after its deadline: when the whole machine was paused, the launcher
/// may be the first to run again.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// Longest accepted deadline.
const LONGEST_PROMISE: Duration = Duration::from_secs(3600);

/// A Supervisor's promise to report again.
pub(crate) struct Promise {
    within: Duration,
    until: Instant,
    overdue: bool,
}

impl Promise {
    fn new(within: Duration) -> Promise {
        Promise { within, until: Instant::now() + within, overdue: false }
    }

    /// Time when [`Launcher::check_promise`] is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.until
    }
}

impl Launcher {
    /// The Supervisor handles events, and announces its next report.
    pub(super) fn on_alive(&mut self, within_ms: u64) {
        if let Some(link) = &mut self.link {
            let within = Duration::from_millis(within_ms).min(LONGEST_PROMISE);
            link.promise = Some(Promise::new(within));
        }
        self.check_age();
    }

    /// Kills a Supervisor that missed its deadline. Its end is handled like any other.
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
