//! Which advice was logged. Much of it is about what came from the network, so a stranger can make
//! up texts: they must neither fill the log nor keep later advice out of it.

use std::collections::{BTreeSet, VecDeque};

/// Texts that are remembered. With more, the oldest is forgotten, and logged again when it is still
/// true.
const TEXTS_MAX: usize = 1_000;
/// New lines within a period. What is beyond counts as not logged: it is when it is heard again.
const LINES_MAX: usize = 30;
const PERIOD_MS: u64 = 60_000;

/// Texts that were logged, the last ones.
#[derive(Debug, Default)]
pub struct Heard {
    texts: BTreeSet<String>,
    /// The same in the order in which they were logged.
    order: VecDeque<String>,
    /// Times of the last lines, no more than are allowed in a period.
    lines: VecDeque<u64>,
}

impl Heard {
    /// True when the text is to be logged now.
    pub fn is_due(&mut self, now_ms: u64, text: &str) -> bool {
        if self.texts.contains(text) {
            return false;
        }
        let is_old = |at: &u64| at.saturating_add(PERIOD_MS) <= now_ms;
        if self.lines.len() >= LINES_MAX && !self.lines.front().is_some_and(is_old) {
            return false;
        }
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(now_ms);
        if self.order.len() >= TEXTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.texts.remove(&oldest);
        }
        self.texts.insert(text.into());
        self.order.push_back(text.into());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_logged_once() {
        let mut heard = Heard::default();
        assert!(heard.is_due(0, "a"));
        assert!(!heard.is_due(1, "a"));
        assert!(!heard.is_due(u64::MAX, "a"));
        assert!(heard.is_due(1, "b"));
    }

    #[test]
    fn however_many_were_logged_the_next_one_is_and_memory_is_bounded() {
        let mut heard = Heard::default();
        for number in 0..5_000_u64 {
            assert!(heard.is_due(number * PERIOD_MS, &number.to_string()), "{number}");
        }
        assert_eq!((heard.texts.len(), heard.order.len()), (TEXTS_MAX, TEXTS_MAX));
        assert!(!heard.is_due(u64::MAX, "4999"), "it is remembered");
        assert!(heard.is_due(u64::MAX, "0"), "the oldest are forgotten");
    }

    #[test]
    fn a_flood_is_held_back_and_what_was_held_back_is_logged_later() {
        let mut heard = Heard::default();
        let lines = (0..10_000).filter(|number| heard.is_due(5, &number.to_string())).count();
        assert_eq!(lines, LINES_MAX);
        assert!(!heard.is_due(PERIOD_MS, "true"));
        assert!(heard.is_due(PERIOD_MS + 5, "true"));
        assert!(heard.lines.len() <= LINES_MAX);
    }
}
