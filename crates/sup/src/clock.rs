//! The one place that asks what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use roost_service::Now;

/// Counts from the start of the Supervisor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Now, for state machines.
    pub(crate) fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: milliseconds(self.start.elapsed()), unix_ms: milliseconds(unix) }
    }

    /// When a time of a state machine comes.
    pub(crate) fn instant(&self, mono_ms: u64) -> Instant {
        // Far enough for "never" without running over.
        self.start + Duration::from_millis(mono_ms.min(u64::from(u32::MAX) * 1000))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
