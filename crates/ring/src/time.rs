//! Time of the ring: a monotonic number of microseconds from the caller.

/// A point on the caller's monotonic clock, in microseconds since any fixed origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Now(pub u64);

impl Now {
    /// Later than any event: the value of [`crate::Ring::next_wake`] when nothing is planned.
    pub const NEVER: Self = Self(u64::MAX);

    /// The point `ms` milliseconds after this one.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1000)))
    }

    /// Microseconds from `earlier` to here, 0 when `earlier` is later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
