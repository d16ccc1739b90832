//! How far this member trusts its own observations (after the Lifeguard paper, arXiv 1707.00788).
//! Only its own observations count: its probes, and its delays. The wire format does not contain
//! the accuser of a member, so nothing else is known.

/// The worst score.
const SCORE_MAX: u32 = 3;
/// A longer delay than planned counts as lag, in microseconds.
const LAG_US: u64 = 500_000;

/// The score: 0 is healthy. Own suspicions last `1 + score` times as long.
#[derive(Debug, Default)]
pub(crate) struct Awareness {
    score: u32,
    /// The last probe failed. One failure counts against the other side, two in a row against this
    /// one.
    failed: bool,
}

impl Awareness {
    pub(crate) const fn score(&self) -> u32 {
        self.score
    }

    /// True when a delay of this length counts as lag.
    pub(crate) const fn is_lag(&self, late_us: u64) -> bool {
        late_us > LAG_US
    }

    pub(crate) const fn lagged(&mut self) {
        self.worse();
    }

    pub(crate) const fn probe_answered(&mut self) {
        self.failed = false;
        self.score = self.score.saturating_sub(1);
    }

    pub(crate) const fn probe_failed(&mut self) {
        if self.failed {
            self.worse();
        }
        self.failed = true;
    }

    /// Duration of a suspicion that would normally last `ms`.
    pub(crate) const fn stretch_ms(&self, ms: u64) -> u64 {
        ms * (1 + self.score as u64)
    }

    const fn worse(&mut self) {
        if self.score < SCORE_MAX {
            self.score += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_probe_blames_the_other_side_two_blame_this_one() {
        let mut awareness = Awareness::default();
        awareness.probe_failed();
        assert_eq!(awareness.stretch_ms(9300), 9300);
        awareness.probe_failed();
        assert_eq!(awareness.stretch_ms(9300), 18_600);
        awareness.probe_answered();
        assert_eq!(awareness.score(), 0);
    }
}
