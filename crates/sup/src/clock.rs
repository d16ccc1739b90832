//! The only place that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use roost_service::Now;

/// Time since the start of the Supervisor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    started_unix_ms: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), started_unix_ms: unix_ms() }
    }

    /// When the Supervisor started, in milliseconds since 1970.
    pub(crate) fn started_unix_ms(&self) -> u64 {
        self.started_unix_ms
    }

    /// The current time, for state machines.
    pub(crate) fn now(&self) -> Now {
        Now { mono_ms: milliseconds(self.start.elapsed()), unix_ms: unix_ms() }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant of a time since the start.
    pub(crate) fn at(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    /// The instant of a state machine's time.
    pub(crate) fn instant(&self, mono_ms: u64) -> Instant {
        // Far enough for "never" without overflow.
        self.start + Duration::from_millis(mono_ms.min(u64::from(u32::MAX) * 1000))
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
