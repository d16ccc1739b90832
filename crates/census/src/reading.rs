//! TOML from the ring: kept as received bytes, parsed once when needed.
//!
//! Foreign text of any length must not be parsed where others wait. [`Content::read`] parses it, on
//! a thread of the caller's choice; see [`crate::Census::read_beside`].

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::measure::{LIMITS, Limits, weigh};

/// Memory for parsed exports of other members. Beyond it, exports count as empty.
const BUDGET_BYTES: usize = 64 * 1024 * 1024;

/// A TOML text from the ring.
pub struct Content {
    bytes: Arc<[u8]>,
    limits: Limits,
    /// `None` for a config of the group's operator: there is only one per group.
    budget: Option<Budget>,
    /// [`Content::read`] parses it before its table is requested.
    beside: bool,
    read: OnceLock<Reading>,
}

#[derive(Debug)]
struct Reading {
    table: Arc<toml::Table>,
    error: Option<String>,
    /// Bytes charged to the budget.
    charged: usize,
}

/// Memory shared by the contents of a census.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let grown = |used: usize| used.checked_add(bytes).filter(|used| *used <= BUDGET_BYTES);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok()
    }
}

impl Content {
    /// Stores unparsed bytes. Text beyond the limit is not kept.
    pub(crate) fn new(bytes: &[u8], limits: Limits, budget: Option<Budget>) -> Self {
        let read = OnceLock::new();
        if bytes.len() > limits.bytes {
            let error = format!("it has {} bytes, the limit is {}", bytes.len(), limits.bytes);
            let reading = Reading { table: Arc::default(), error: Some(error), charged: 0 };
            // It was just created, so the cell is empty.
            let _ = read.set(reading);
            return Self { bytes: Arc::default(), limits, budget: None, beside: false, read };
        }
        Self { bytes: bytes.into(), limits, budget, beside: false, read }
    }

    /// The same content, but requesting its table must not parse it.
    pub(crate) fn beside(mut self) -> Self {
        self.beside = true;
        self
    }

    /// Parses it, unless it is parsed already.
    pub fn read(&self) {
        self.reading();
    }

    /// True when its table is available without parsing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.read.get().is_some()
    }

    /// The table, parsed now if necessary. Invalid text gives an empty table.
    pub fn table(&self) -> &Arc<toml::Table> {
        &self.asked().table
    }

    /// Why it is invalid.
    pub fn error(&self) -> Option<&str> {
        self.asked().error.as_deref()
    }

    fn asked(&self) -> &Reading {
        // Without debug assertions, parsing here is better than no answer.
        debug_assert!(!self.beside || self.is_read(), "parsed where others wait");
        self.reading()
    }

    /// The table for a caller that does not keep it: contents of an invisible group do not stay
    /// parsed.
    #[must_use]
    pub fn peek(&self) -> Arc<toml::Table> {
        match self.read.get() {
            Some(reading) => Arc::clone(&reading.table),
            None => self.parse().map(|(table, _)| Arc::new(table)).unwrap_or_default(),
        }
    }

    /// The exports of a member, for a caller that does not keep them.
    #[must_use]
    pub fn peek_exports(bytes: &[u8]) -> Arc<toml::Table> {
        Self::new(bytes, LIMITS, None).peek()
    }

    pub(crate) fn is_of(&self, bytes: &[u8]) -> bool {
        *self.bytes == *bytes && (!bytes.is_empty() || self.read.get().is_none())
    }

    fn reading(&self) -> &Reading {
        self.read.get_or_init(|| {
            let read = self.parse().and_then(|(table, weight)| match &self.budget {
                Some(budget) if !budget.take(weight) => {
                    Err("members of the ring export too much altogether".to_owned())
                }
                budget => Ok((table, if budget.is_some() { weight } else { 0 })),
            });
            match read {
                Ok((table, charged)) => Reading { table: Arc::new(table), error: None, charged },
                Err(error) => Reading { table: Arc::default(), error: Some(error), charged: 0 },
            }
        })
    }

    fn parse(&self) -> Result<(toml::Table, usize), String> {
        let text = std::str::from_utf8(&self.bytes).map_err(|error| error.to_string())?;
        let weight = weigh(text, self.limits)?;
        // The first line of the error has the position; the rest would show the content in the log.
        let table = text.parse().map_err(|error: toml::de::Error| {
            let place = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
            format!("invalid TOML, line {place}: {}", error.message())
        })?;
        Ok((table, weight))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let (Some(budget), Some(reading)) = (&self.budget, self.read.get()) {
            budget.0.fetch_sub(reading.charged, Ordering::Relaxed);
        }
    }
}

/// Two contents are equal when their bytes are, parsed or not.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Content").field(&String::from_utf8_lossy(&self.bytes)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_parsed_once_and_only_on_request() {
        let content = Content::new(b"a = 1", LIMITS, None);
        assert_eq!(content.peek().len(), 1);
        assert!(content.read.get().is_none(), "nothing stays");
        assert!(Arc::ptr_eq(content.table(), content.table()));
        assert!(Arc::ptr_eq(&content.peek(), content.table()));
    }

    #[test]
    fn parsed_memory_is_bounded_and_released() {
        let budget = Budget::default();
        let text = format!("a = [{}]", "1,".repeat(30_000));
        let content = || Content::new(text.as_bytes(), LIMITS, Some(budget.clone()));
        let many: Vec<Content> = (0..100).map(|_| content()).collect();
        let read = many.iter().filter(|content| content.error().is_none()).count();
        assert!((5..90).contains(&read), "{read}");
        assert!(budget.0.load(Ordering::Relaxed) <= BUDGET_BYTES);
        drop(many);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
        assert_eq!(content().error(), None);
    }

    #[test]
    fn too_long_text_is_not_kept() {
        let content = Content::new(&vec![b' '; LIMITS.bytes + 1], LIMITS, None);
        assert!(content.bytes.is_empty());
        assert_eq!(content.error(), Some("it has 1048577 bytes, the limit is 1048576"));
    }

    #[test]
    #[should_panic(expected = "parsed where others wait")]
    fn a_content_read_beside_is_not_parsed_on_request() {
        Content::new(b"a = 1", LIMITS, None).beside().table();
    }
}
