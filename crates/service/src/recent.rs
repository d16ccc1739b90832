//! Restarts of the last hour, counted by spans of five minutes: a service that fails without a
//! pause has any number of them.

use std::collections::VecDeque;

const SPAN_MS: u64 = 5 * 60_000;
const HOUR_MS: u64 = 3_600_000;

/// Restarts in one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When the first of them was. The others followed within five minutes.
    pub since_ms: u64,
    /// How many there were.
    pub count: u32,
}

/// The last hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Recent {
    /// The oldest first; no more than an hour has.
    spans: VecDeque<Span>,
}

impl Recent {
    /// Restores what is not older than an hour.
    pub(crate) fn new(spans: impl IntoIterator<Item = Span>, now_ms: u64) -> Self {
        let most = usize::try_from(HOUR_MS / SPAN_MS).unwrap_or(usize::MAX);
        let mut recent = Self { spans: spans.into_iter().take(most).collect() };
        recent.forget(now_ms);
        recent
    }

    pub(crate) fn note(&mut self, now_ms: u64) {
        self.forget(now_ms);
        match self.spans.back_mut() {
            Some(last) if now_ms.saturating_sub(last.since_ms) < SPAN_MS => {
                last.count = last.count.saturating_add(1);
            }
            _ => self.spans.push_back(Span { since_ms: now_ms, count: 1 }),
        }
    }

    /// Forgets spans that began an hour ago or earlier.
    pub(crate) fn forget(&mut self, now_ms: u64) {
        while self.next_ms().is_some_and(|due_ms| due_ms <= now_ms) {
            self.spans.pop_front();
        }
    }

    /// When the oldest span is to be forgotten.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.spans.front().map(|span| span.since_ms.saturating_add(HOUR_MS))
    }

    pub(crate) fn count(&self) -> u64 {
        self.spans.iter().map(|span| u64::from(span.count)).sum()
    }

    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.spans.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_of_restarts_takes_twelve_entries_and_is_forgotten() {
        let mut recent = Recent::default();
        for second in 0..2 * 3600 {
            recent.note(second * 1000);
            recent.note(second * 1000);
        }
        assert_eq!((recent.spans.len(), recent.count()), (12, 2 * 3600));
        assert_eq!(recent.next_ms(), Some(2 * HOUR_MS));
        let restored = Recent::new(recent.spans(), 2 * HOUR_MS + HOUR_MS / 2);
        assert_eq!(restored.count(), 2 * 1500, "five spans of the second half hour");
        recent.forget(3 * HOUR_MS);
        assert_eq!((recent.count(), recent.next_ms()), (0, None));
    }
}
