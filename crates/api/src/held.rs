//! Bytes that answers hold until their clients have read them. Clients that read slowly while a
//! large document changes would each hold a version of their own. Beyond a bound the connections
//! that hold the oldest versions are closed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::limits::{HELD_BYTES_MAX, UNCOUNTED_BYTES_MAX};

/// All answers on their way.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last_ticket: u64,
    /// Bytes of all versions; each counts once, however many answers share it.
    total: usize,
    /// By the place of their bytes in memory, which stays theirs while they are held.
    versions: HashMap<usize, Version>,
    /// By the order in which they came.
    answers: BTreeMap<u64, (usize, CancellationToken)>,
}

#[derive(Debug)]
struct Version {
    bytes: usize,
    tickets: BTreeSet<u64>,
}

/// The bytes of one answer; gone when the last of them was handed to the system.
struct Ticket {
    bytes: Bytes,
    number: u64,
    held: Arc<Held>,
}

impl AsRef<[u8]> for Ticket {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.held.state().give_back(self.number);
    }
}

impl Held {
    /// Counts the bytes of an answer to the connection that `close` closes. Gives them back so that
    /// they are counted until they were sent, and how many connections had to be closed for them.
    pub(crate) fn hold(self: &Arc<Self>, bytes: Bytes, close: &CancellationToken) -> (Bytes, u64) {
        if bytes.len() <= UNCOUNTED_BYTES_MAX {
            return (bytes, 0);
        }
        let (number, closed) = self.state().take(&bytes, close);
        (Bytes::from_owner(Ticket { bytes, number, held: Arc::clone(self) }), closed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, bytes: &Bytes, close: &CancellationToken) -> (u64, u64) {
        self.last_ticket += 1;
        let (ticket, place) = (self.last_ticket, bytes.as_ptr() as usize);
        let total = &mut self.total;
        let version = self.versions.entry(place).or_insert_with(|| {
            *total += bytes.len();
            Version { bytes: bytes.len(), tickets: BTreeSet::new() }
        });
        version.tickets.insert(ticket);
        self.answers.insert(ticket, (place, close.clone()));
        // What is being closed counts no more: its bytes go within a turn of the runtime.
        let mut closed = 0;
        while self.total > HELD_BYTES_MAX
            && let Some((oldest, (oldest_place, close))) = self.answers.first_key_value()
            && *oldest_place != place
        {
            close.cancel();
            closed += 1;
            let oldest = *oldest;
            self.give_back(oldest);
        }
        (ticket, closed)
    }

    fn give_back(&mut self, ticket: u64) {
        let Some((place, _)) = self.answers.remove(&ticket) else { return };
        let Some(version) = self.versions.get_mut(&place) else { return };
        version.tickets.remove(&ticket);
        if version.tickets.is_empty() {
            self.total -= version.bytes;
            self.versions.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(megabytes: usize) -> Bytes {
        Bytes::from(vec![b' '; megabytes * 1024 * 1024])
    }

    #[test]
    fn versions_count_once_and_the_oldest_connections_go() {
        let held = Arc::new(Held::default());
        let shared = document(20);
        let tokens: Vec<_> = (0..5).map(|_| CancellationToken::new()).collect();
        let first: Vec<Bytes> =
            tokens[..3].iter().map(|token| held.hold(shared.clone(), token).0).collect();
        assert_eq!(held.state().total, shared.len(), "one version");
        let (_second, closed) = held.hold(document(30), &tokens[3]);
        assert_eq!((closed, tokens[0].is_cancelled()), (0, false));
        let (_third, closed) = held.hold(document(30), &tokens[4]);
        assert_eq!(closed, 3, "all that hold the oldest version");
        let cancelled: Vec<bool> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(cancelled, [true, true, true, false, false]);
        drop(first);
        assert_eq!(held.state().total, 60 * 1024 * 1024);
    }

    #[test]
    fn what_was_sent_is_held_no_more_and_one_document_may_be_of_any_size() {
        let held = Arc::new(Held::default());
        let token = CancellationToken::new();
        let (bytes, closed) = held.hold(document(100), &token);
        assert_eq!((closed, token.is_cancelled(), bytes.len()), (0, false, 100 << 20));
        drop(bytes);
        let state = held.state();
        assert!(state.total == 0 && state.versions.is_empty() && state.answers.is_empty());
    }

    #[test]
    fn answers_that_are_not_counted_are_few_bytes_even_on_all_streams() {
        let connections = crate::Limits::default().connections * 5 / 4;
        let streams = connections * crate::limits::HTTP2_STREAMS as usize;
        assert!(streams * UNCOUNTED_BYTES_MAX <= HELD_BYTES_MAX);
    }
}
