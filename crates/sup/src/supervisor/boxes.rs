//! Encrypted configurations and files of the ring, opened beside the Supervisor's task.
//!
//! Opening one reads key files, below a directory that may be on a disk that hangs, and decrypts up
//! to 2 MiB. At most [`BATCH_BYTES`] of messages are copied for it at once, whatever the ring holds;
//! the census offers the others again when those are open.

use std::collections::BTreeMap;

use roost_census::Closed;
use roost_fleet::Glance;

use super::{Supervisor, event::Event};
use crate::vital::guarded;

/// Messages that are opened at once, in bytes; one at least.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// What each message holds, or why it cannot be opened.
pub(crate) type Opened = BTreeMap<Vec<u8>, Result<Vec<u8>, String>>;

/// Boxes on their way.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    /// Those that are to be opened next.
    wanted: Vec<Vec<u8>>,
    wanted_bytes: usize,
    under_way: bool,
    opened: Opened,
}

impl Boxes {
    /// What a message holds, if it is open.
    pub(super) fn content(&mut self, message: &[u8]) -> Result<Vec<u8>, Closed> {
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
    fn begin(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.under_way || self.wanted.is_empty() {
            return None;
        }
        self.under_way = true;
        self.wanted_bytes = 0;
        Some(std::mem::take(&mut self.wanted))
    }

    fn end(&mut self, opened: Opened) {
        self.under_way = false;
        self.opened = opened;
    }

    /// The census has taken what was opened.
    fn clear(&mut self) {
        self.opened.clear();
    }
}

impl Supervisor {
    /// Opens what the census has asked for.
    pub(super) fn open_boxes(&mut self) {
        let Some(messages) = self.outlook.boxes.begin() else { return };
        let keys = self.outlook.keys.clone();
        self.beside(move || {
            let open = |message: &[u8]| {
                let opened = guarded(|| keys.decrypt(message).map_err(|error| error.to_string()));
                opened.unwrap_or_else(Err)
            };
            let opened = messages.into_iter().map(|message| {
                let content = open(&message);
                (message, content)
            });
            Event::BoxesOpened(opened.collect())
        });
    }

    /// The census takes what was opened, and services look again.
    pub(super) fn boxes_opened(&mut self, opened: Opened) {
        self.outlook.boxes.end(opened);
        self.look_again(Glance::Opened);
        self.outlook.boxes.clear();
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
