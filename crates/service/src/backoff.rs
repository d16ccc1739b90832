//! The wait of a failed service before its next start (reference: services §9).

use rand::Rng;

use crate::settings::BackoffSettings;

/// Restart back-off of one service: grows with each consecutive failure, with jitter, and resets
/// after a period without failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    settings: BackoffSettings,
    /// The last duration drawn; `None` before the first of consecutive failures.
    previous_ms: Option<u64>,
    /// Start of the last restart.
    restarted_at_ms: Option<u64>,
}

impl Backoff {
    /// A back-off without failures.
    #[must_use]
    pub fn new(settings: BackoffSettings) -> Self {
        Self { settings, previous_ms: None, restarted_at_ms: None }
    }

    /// Restores the state of a former Supervisor, with times on the clock of this one.
    pub fn restore(&mut self, previous_ms: Option<u64>, restarted_at_ms: Option<u64>) {
        self.previous_ms = previous_ms;
        self.restarted_at_ms = restarted_at_ms;
    }

    /// The last duration drawn.
    #[must_use]
    pub fn previous_ms(&self) -> Option<u64> {
        self.previous_ms
    }

    /// Start of the last restart.
    #[must_use]
    pub fn restarted_at_ms(&self) -> Option<u64> {
        self.restarted_at_ms
    }

    /// The duration after the first of consecutive failures.
    #[must_use]
    pub fn first_ms(&self) -> u64 {
        self.settings.min_ms.min(self.settings.max_ms)
    }

    /// A failure at `now_ms`: draws the wait before the next start.
    pub fn fail(&mut self, now_ms: u64, rng: &mut impl Rng) -> u64 {
        let cooled_down = self
            .restarted_at_ms
            .is_some_and(|at| now_ms.saturating_sub(at) > self.settings.cooldown_ms);
        let first_ms = self.first_ms();
        let drawn_ms = match self.previous_ms {
            Some(previous_ms) if !cooled_down => {
                let high_ms = previous_ms.saturating_mul(3).max(first_ms);
                rng.random_range(first_ms..=high_ms).min(self.settings.max_ms)
            }
            Some(_) | None => first_ms,
        };
        self.previous_ms = Some(drawn_ms);
        drawn_ms
    }

    /// The wait is over and the service starts.
    pub fn restarted(&mut self, now_ms: u64) {
        self.restarted_at_ms = Some(now_ms);
    }

    /// Forgets every failure.
    pub fn reset(&mut self) {
        self.previous_ms = None;
        self.restarted_at_ms = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn settings(min_ms: u64, max_ms: u64, cooldown_ms: u64) -> BackoffSettings {
        BackoffSettings { min_ms, max_ms, cooldown_ms }
    }

    #[test]
    fn without_settings_nothing_waits() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(BackoffSettings::default());
        for now_ms in 0..20 {
            assert_eq!(backoff.fail(now_ms, &mut rng), 0);
        }
    }

    #[test]
    fn a_time_without_failure_starts_over() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(settings(1_000, 100_000, 5_000));
        backoff.fail(0, &mut rng);
        backoff.restarted(1_000);
        let second_ms = backoff.fail(6_000, &mut rng);
        assert_ne!(second_ms, 1_000, "exactly the cooldown is not more than it");
        backoff.restarted(10_000);
        assert_eq!(backoff.fail(15_001, &mut rng), 1_000);
    }

    #[test]
    fn a_minimum_above_the_maximum_is_the_maximum() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(settings(9_000, 2_000, 5_000));
        assert_eq!((0..9).map(|_| backoff.fail(0, &mut rng)).max(), Some(2_000));
    }

    proptest! {
        #[test]
        fn each_wait_is_at_most_thrice_the_last_and_within_bounds(
            min_ms in 0..10_000u64, max_ms in 0..100_000u64, seed: u64,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut backoff = Backoff::new(settings(min_ms, max_ms, u64::MAX));
            let low_ms = min_ms.min(max_ms);
            let mut previous_ms = backoff.fail(0, &mut rng);
            prop_assert_eq!(previous_ms, low_ms);
            for now_ms in 1..20 {
                backoff.restarted(now_ms);
                let drawn_ms = backoff.fail(now_ms, &mut rng);
                prop_assert!((low_ms..=max_ms.min(3 * previous_ms.max(low_ms))).contains(&drawn_ms));
                previous_ms = drawn_ms;
            }
        }
    }
}
