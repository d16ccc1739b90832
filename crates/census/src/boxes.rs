//! Encrypted configurations and files of the ring on their way to be opened.
//!
//! Opening one reads key files, below a directory that may be on a disk that hangs, and decrypts up
//! to 2 MiB, so it is done elsewhere. At most [`BATCH_BYTES`] of messages are copied for it at
//! once, whatever the ring holds; the census offers the others again when those are open.

use std::collections::BTreeMap;

use crate::rebuild::Closed;

/// Messages that are opened at once, in bytes; one at least.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What each message holds, or why it cannot be opened.
pub type Opened = BTreeMap<Vec<u8>, Result<Vec<u8>, String>>;

/// Boxes on their way.
#[derive(Debug, Default)]
pub struct Boxes {
    /// Those that are to be opened next.
    wanted: Vec<Vec<u8>>,
    wanted_bytes: usize,
    under_way: bool,
    opened: Opened,
}

impl Boxes {
    /// What a message holds, if it is open.
    ///
    /// # Errors
    /// When it is not open yet, or cannot be opened.
    pub fn content(&mut self, message: &[u8]) -> Result<Vec<u8>, Closed> {
        if let Some(result) = self.opened.get(message) {
            return result.clone().map_err(Closed::Refused);
        }
        let fits = self.wanted.is_empty() || self.wanted_bytes + message.len() <= BATCH_BYTES;
        if !self.under_way && fits && !self.wanted.iter().any(|wanted| wanted == message) {
            self.wanted_bytes += message.len();
            self.wanted.push(message.into());
        }
        Err(Closed::Later)
    }

    /// The next batch, if none is under way.
    pub fn begin(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.under_way || self.wanted.is_empty() {
            return None;
        }
        self.under_way = true;
        self.wanted_bytes = 0;
        Some(std::mem::take(&mut self.wanted))
    }

    /// Takes what was opened of a batch.
    pub fn end(&mut self, opened: Opened) {
        self.under_way = false;
        self.opened = opened;
    }

    /// Drops what was opened: the census has taken it.
    pub fn clear(&mut self) {
        self.opened.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_is_opened_at_once_and_is_bounded() {
        let mut boxes = Boxes::default();
        let message = |byte: u8| vec![byte; BATCH_BYTES / 2];
        for byte in [1, 1, 2, 3] {
            assert_eq!(boxes.content(&message(byte)), Err(Closed::Later));
        }
        let batch = boxes.begin().expect("a batch");
        assert_eq!(batch.iter().map(|message| message[0]).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(boxes.content(&message(3)), Err(Closed::Later), "not while that is under way");
        assert!(boxes.begin().is_none());
        let results = [Ok(vec![7]), Err("no key".to_owned())];
        boxes.end(batch.into_iter().zip(results).collect());
        assert_eq!(boxes.content(&message(1)), Ok(vec![7]));
        assert_eq!(boxes.content(&message(2)), Err(Closed::Refused("no key".into())));
        assert_eq!(boxes.content(&message(3)), Err(Closed::Later));
        assert_eq!(boxes.begin().map(|batch| batch.len()), Some(1));
        boxes.end(Opened::new());
        assert_eq!(boxes.content(&vec![4; 3 * BATCH_BYTES]), Err(Closed::Later));
        assert_eq!(boxes.begin().map(|batch| batch.len()), Some(1), "one at least");
    }
}
