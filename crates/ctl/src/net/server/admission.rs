//! Which connections may stay, and how long a wrong secret waits.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::Notify, task::AbortHandle};

/// Most connections without a valid secret.
const MAX_STRANGERS: usize = 64;
/// Wrong secrets that are answered immediately; further answers are delayed more and more.
const FREE_FAILURES: u32 = 5;
/// Greatest delay of the answer to a wrong secret.
const MAX_FAILURE_DELAY: Duration = Duration::from_secs(4);
/// Without a wrong secret for this long, the count is reset.
const FAILURE_MEMORY: Duration = Duration::from_secs(60);

/// Connections without a valid secret, oldest first.
#[derive(Default)]
pub(super) struct Strangers(VecDeque<(Arc<AtomicBool>, AbortHandle)>);

impl Strangers {
    /// Adds one; true when the oldest was closed for it.
    pub(super) fn add(&mut self, known: Arc<AtomicBool>, task: AbortHandle) -> bool {
        self.0.retain(|(known, task)| !known.load(Ordering::Relaxed) && !task.is_finished());
        let full = self.0.len() >= MAX_STRANGERS;
        if full && let Some((_, oldest)) = self.0.pop_front() {
            oldest.abort();
        }
        self.0.push_back((known, task));
        full
    }

    pub(super) fn abort_all(&self) {
        let strangers = self.0.iter().filter(|(known, _)| !known.load(Ordering::Relaxed));
        strangers.for_each(|(_, task)| task.abort());
    }
}

/// Connections with a valid secret and no request yet, oldest first. Bounded by the number of
/// places.
#[derive(Default)]
pub(super) struct Idle(Mutex<VecDeque<Arc<Notify>>>);

impl Idle {
    fn list(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the oldest to free its place; false when there is none.
    pub(super) fn dismiss_oldest(&self) -> bool {
        let oldest = self.list().pop_front();
        if let Some(oldest) = &oldest {
            oldest.notify_one();
        }
        oldest.is_some()
    }

    pub(super) fn enter(&self) -> IdleSeat<'_> {
        let leave = Arc::new(Notify::new());
        self.list().push_back(Arc::clone(&leave));
        IdleSeat { idle: self, leave }
    }
}

/// Marks a connection as idle while it lives.
pub(super) struct IdleSeat<'a> {
    idle: &'a Idle,
    pub(super) leave: Arc<Notify>,
}

impl Drop for IdleSeat<'_> {
    fn drop(&mut self) {
        self.idle.list().retain(|other| !Arc::ptr_eq(other, &self.leave));
    }
}

/// Wrong secrets over all connections: guessing slows down whatever the number of clients. The
/// right secret never waits.
#[derive(Default)]
pub(super) struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    /// Counts one and returns the delay of its answer.
    pub(super) fn add(&mut self, now: Instant) -> Duration {
        if self.last.is_some_and(|last| now.duration_since(last) > FAILURE_MEMORY) {
            self.count = 0;
        }
        self.last = Some(now);
        self.count = self.count.saturating_add(1);
        let excess = self.count.saturating_sub(FREE_FAILURES).min(16);
        if excess == 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(100 << (excess - 1)).min(MAX_FAILURE_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_wrong_secrets_are_delayed_until_attempts_stop() {
        let start = Instant::now();
        let mut failures = Failures::default();
        let delays: Vec<_> = (0..13).map(|_| failures.add(start).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 4000, 4000]);
        assert_eq!(failures.add(start + Duration::from_secs(61)), Duration::ZERO);
    }
}
