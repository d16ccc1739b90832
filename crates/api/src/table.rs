//! The open connections. When there are too many the oldest has to leave, so that a flood of
//! idle connections does not lock out the operator who comes last.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// All connections, oldest first.
#[derive(Debug)]
pub(crate) struct Table {
    /// Above this the oldest is asked to leave.
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    staying: BTreeMap<u64, CancellationToken>,
    /// Connections whose requests wait for something to happen. They have a limit of their own:
    /// the others neither count them nor drive them out.
    waiting: BTreeMap<u64, Waiting>,
    leaving: usize,
    next: u64,
}

/// A connection in [`State::waiting`].
#[derive(Debug)]
struct Waiting {
    leave: CancellationToken,
    requests: usize,
}

/// A place in the table, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    table: Arc<Table>,
    number: u64,
}

impl Table {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity: capacity.max(1), state: Mutex::default() })
    }

    /// Takes a seat. `leave` is cancelled when this connection has to go.
    pub(crate) fn enter(self: &Arc<Self>, leave: CancellationToken) -> Seat {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.staying.insert(number, leave);
        Seat { table: Arc::clone(self), number }
    }

    /// True when a quarter more than the capacity is open, because some of those who were asked
    /// to leave have not left yet.
    pub(crate) fn is_crowded(&self) -> bool {
        let state = self.lock();
        state.staying.len() + state.leaving > self.capacity + self.capacity / 4
    }

    /// Asks the oldest connection to leave if there are too many; returns whether it did.
    pub(crate) fn make_room(&self) -> bool {
        let mut state = self.lock();
        state.staying.len() > self.capacity && state.ask_oldest()
    }

    /// Asks the oldest connection to leave, whatever their number.
    pub(crate) fn dismiss_oldest(&self) -> bool {
        self.lock().ask_oldest()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask_oldest(&mut self) -> bool {
        let Some((_, leave)) = self.staying.pop_first() else { return false };
        leave.cancel();
        self.leaving += 1;
        true
    }
}

impl Seat {
    /// One more request of this connection waits.
    pub(crate) fn begin_waiting(&self) {
        let mut state = self.table.lock();
        if let Some(waiting) = state.waiting.get_mut(&self.number) {
            waiting.requests += 1;
        } else if let Some(leave) = state.staying.remove(&self.number) {
            state.waiting.insert(self.number, Waiting { leave, requests: 1 });
        }
    }

    /// One of them waits no longer.
    pub(crate) fn end_waiting(&self) {
        let mut state = self.table.lock();
        let Some(waiting) = state.waiting.get_mut(&self.number) else { return };
        waiting.requests -= 1;
        if waiting.requests == 0
            && let Some(Waiting { leave, .. }) = state.waiting.remove(&self.number)
        {
            state.staying.insert(self.number, leave);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.table.lock();
        let known = state.staying.remove(&self.number).is_some()
            || state.waiting.remove(&self.number).is_some();
        if !known {
            state.leaving -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_asked_to_leave_when_there_are_too_many() {
        let table = Table::new(4);
        let tokens: Vec<_> = (0..5).map(|_| CancellationToken::new()).collect();
        let seats: Vec<_> = tokens.iter().map(|token| table.enter(token.clone())).collect();
        assert!(table.make_room());
        assert!(!table.make_room());
        let asked: Vec<_> = tokens.iter().map(CancellationToken::is_cancelled).collect();
        assert_eq!(asked, [true, false, false, false, false]);
        drop(seats);
        let state = table.lock();
        assert_eq!((state.staying.len(), state.leaving), (0, 0));
    }

    #[test]
    fn those_who_do_not_leave_make_it_crowded_until_they_do() {
        let table = Table::new(4);
        let mut seats = Vec::new();
        while !table.is_crowded() {
            seats.push(table.enter(CancellationToken::new()));
            table.make_room();
            assert!(seats.len() < 100, "it has to become crowded");
        }
        assert_eq!(seats.len(), 6);
        seats.remove(0);
        assert!(!table.is_crowded());
    }
}
