//! Events that wait for the server.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::payload::Event;

/// Events that wait at most: with 50 services and a check of each in half a minute, 10 minutes.
pub const EVENTS_MAX: usize = 1_024;

/// A queue that never makes its writer wait: without room it drops the oldest event.
#[derive(Debug, Default)]
pub struct Buffer {
    state: Mutex<State>,
    arrival: Notify,
    sent: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Event>,
    /// Events that were taken out and may not have left this process.
    taken: usize,
}

impl Buffer {
    /// Adds an event. Returns true when another one was dropped for it.
    pub fn push(&self, event: Event) -> bool {
        let mut state = self.lock();
        let is_full = state.waiting.len() >= EVENTS_MAX;
        if is_full {
            state.waiting.pop_front();
        }
        state.waiting.push_back(event);
        drop(state);
        self.arrival.notify_one();
        is_full
    }

    /// The oldest event, which leaves the buffer; waits for one. For one reader, which calls
    /// [`Buffer::confirm`].
    pub async fn pop(&self) -> Event {
        loop {
            let arrival = self.arrival.notified();
            {
                let mut state = self.lock();
                if let Some(event) = state.waiting.pop_front() {
                    state.taken += 1;
                    return event;
                }
            }
            arrival.await;
        }
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// All events that were taken out have left this process, or are lost.
    pub fn confirm(&self) {
        self.lock().taken = 0;
        self.sent.notify_waiters();
    }

    /// Waits until every event was taken out and confirmed.
    pub async fn sent(&self) {
        loop {
            let sent = self.sent.notified();
            {
                let state = self.lock();
                if state.waiting.is_empty() && state.taken == 0 {
                    return;
                }
            }
            sent.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize) -> Event {
        Event { subject: "x", bytes: number.to_string().into_bytes() }
    }

    #[tokio::test]
    async fn the_oldest_are_dropped_and_counted_and_the_rest_comes_in_order() {
        let buffer = Buffer::default();
        let dropped = (0..EVENTS_MAX + 7).filter(|number| buffer.push(event(*number))).count();
        assert_eq!(dropped, 7);
        for number in 7..EVENTS_MAX + 7 {
            assert_eq!(buffer.pop().await, event(number));
        }
        assert!(buffer.is_empty());
    }

    #[tokio::test]
    async fn an_event_is_sent_when_it_was_taken_and_confirmed() {
        let buffer = Buffer::default();
        buffer.sent().await;
        buffer.push(event(1));
        let is_sent = std::cell::Cell::new(false);
        let wait = async {
            buffer.sent().await;
            is_sent.set(true);
        };
        let send = async {
            buffer.pop().await;
            tokio::task::yield_now().await;
            assert!(!is_sent.get(), "it may still be in this process");
            buffer.confirm();
        };
        tokio::join!(wait, send);
    }

    #[tokio::test]
    async fn a_reader_gets_what_comes_later() {
        let buffer = Buffer::default();
        let (read, ()) = tokio::join!(buffer.pop(), async {
            tokio::task::yield_now().await;
            buffer.push(event(1));
        });
        assert_eq!(read, event(1));
    }
}
