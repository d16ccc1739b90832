//! How many events of one kind are recorded one by one: a large ring that falls apart, or a
//! stranger who invents members, must not push everything else out of the record.

use crate::time::Now;

/// Events that are recorded one by one, in a burst.
pub(crate) const BURST: u32 = 64;
/// After this time one more is.
const REFILL_MS: u64 = 60_000;
/// Further ones within this time become one event.
pub(crate) const FOLD_MS: u64 = 60_000;
/// Examples that such an event names.
pub(crate) const EXAMPLES_MAX: usize = 16;

/// The budget of one kind of events.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u32,
    refilled: Now,
    fold: Option<Fold>,
}

/// Events that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fold {
    since: Now,
    /// How many there were.
    pub(crate) count: u64,
    /// What the first ones were about.
    pub(crate) examples: Vec<String>,
}

impl Budget {
    pub(crate) const fn new(now: Now) -> Self {
        Self { left: BURST, refilled: now, fold: None }
    }

    /// True when the next event is to be recorded by itself; otherwise it has to be folded.
    pub(crate) fn spend(&mut self, now: Now) -> bool {
        let earned = now.micros_since(self.refilled) / (REFILL_MS * 1000);
        if earned > 0 {
            let more = u32::try_from(earned).unwrap_or(BURST);
            self.left = self.left.saturating_add(more).min(BURST);
            self.refilled = self.refilled.plus_ms(earned.saturating_mul(REFILL_MS));
        }
        if self.left == 0 || self.fold.is_some() {
            return false;
        }
        self.left -= 1;
        true
    }

    /// Counts an event that is not recorded by itself.
    pub(crate) fn fold(&mut self, now: Now, example: impl FnOnce() -> String) {
        let fold =
            self.fold.get_or_insert_with(|| Fold { since: now, count: 0, examples: Vec::new() });
        fold.count += 1;
        if fold.examples.len() < EXAMPLES_MAX {
            fold.examples.push(example());
        }
    }

    /// When what was folded is to be recorded.
    pub(crate) fn due(&self) -> Option<Now> {
        self.fold.as_ref().map(|fold| fold.since.plus_ms(FOLD_MS))
    }

    /// What was folded, if it is time.
    pub(crate) fn take_due(&mut self, now: Now) -> Option<Fold> {
        self.fold.take_if(|fold| fold.since.plus_ms(FOLD_MS) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(s: u64) -> Now {
        Now(s * 1_000_000)
    }

    /// Seconds in which an event came, and whether it was recorded by itself.
    fn see(budget: &mut Budget, second: u64) -> bool {
        let alone = budget.spend(at(second));
        if !alone {
            budget.fold(at(second), || second.to_string());
        }
        alone
    }

    #[test]
    fn what_exceeds_a_burst_becomes_one_event_with_the_exact_number() {
        let mut budget = Budget::new(at(0));
        let alone = (0..10_000).filter(|_| see(&mut budget, 1)).count();
        assert_eq!(alone, 64);
        assert_eq!(budget.due(), Some(at(61)));
        assert_eq!(budget.take_due(at(60)), None);
        assert!(!see(&mut budget, 60), "it comes after those that wait");
        let fold = budget.take_due(at(61)).unwrap();
        assert_eq!((fold.count, fold.examples.len()), (9_937, 16));
        assert_eq!(budget.due(), None);
    }

    #[test]
    fn events_without_end_are_recorded_about_twice_a_minute() {
        let mut budget = Budget::new(at(0));
        let mut recorded = 0;
        for second in 0..3600 {
            recorded += u32::from(see(&mut budget, second));
            recorded += u32::from(budget.take_due(at(second)).is_some());
        }
        assert!((BURST..BURST + 125).contains(&recorded), "{recorded}");
        for _ in 0..BURST {
            assert!(see(&mut budget, 20_000), "a calm time gives the whole burst back");
        }
        assert!(!see(&mut budget, 20_000));
    }
}
