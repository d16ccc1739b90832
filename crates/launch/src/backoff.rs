//! Pauses before restarts of the Supervisor.

use std::time::Duration;

/// Pauses before the first, second, ... restart after a failure; the last one repeats.
const WAITS_S: [u64; 7] = [0, 1, 2, 4, 8, 16, 30];
/// After a run of this length the count is reset.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// Counts consecutive failures of the Supervisor.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: usize,
}

impl Backoff {
    /// Another failure, of a Supervisor that had run for `ran`: returns the pause.
    pub(crate) fn failed(&mut self, ran: Duration) -> Duration {
        if ran >= WELL_AFTER {
            self.failures = 0;
        }
        let at = self.failures.min(WAITS_S.len() - 1);
        self.failures += 1;
        Duration::from_secs(WAITS_S[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_reset_after_a_good_run() {
        let mut backoff = Backoff::default();
        let short = Duration::from_secs(1);
        let waits: Vec<u64> = (0..9).map(|_| backoff.failed(short).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(backoff.failed(WELL_AFTER).as_secs(), 0);
        assert_eq!(backoff.failed(short).as_secs(), 1);
    }
}
