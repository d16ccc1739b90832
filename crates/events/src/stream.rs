//! The numbered stream: the latest events, and positions of readers in it.

use std::{collections::VecDeque, sync::Arc};

use crate::event::{Event, Fact, Seq};

/// Sequence numbers without an event for a reader, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first one.
    pub first: Seq,
    /// The last one.
    pub last: Seq,
}

/// Where a reader is: after the last event that it has taken.
///
/// It takes events with rising numbers, from wherever they come: a jump of the number is a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    after: Seq,
}

impl Position {
    /// After this event.
    #[must_use]
    pub fn after(after: Seq) -> Self {
        Self { after }
    }

    /// The last event that was taken.
    #[must_use]
    pub fn taken(&self) -> Seq {
        self.after
    }

    /// The number of the next event.
    #[must_use]
    pub fn next(&self) -> Seq {
        Seq(self.after.0.saturating_add(1))
    }

    /// Takes the event with this number. Returns the numbers that were skipped on the way to it.
    pub fn take(&mut self, seq: Seq) -> Option<Gap> {
        let gap = self.skip_to(seq);
        self.after = self.after.max(seq);
        gap
    }

    /// Goes on before the event with this number. Returns the numbers that were skipped.
    pub fn skip_to(&mut self, seq: Seq) -> Option<Gap> {
        let first = self.next();
        if seq <= first {
            return None;
        }
        self.after = Seq(seq.0 - 1);
        Some(Gap { first, last: self.after })
    }
}

/// What a reader takes from the stream at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// What is missing before the first event.
    pub gap: Option<Gap>,
    /// Events without a hole between them, the oldest first.
    pub events: Vec<Arc<Event>>,
}

/// The latest events, in order and without a hole.
///
/// Nothing waits for a reader: one that falls behind by more than the stream holds skips what it
/// has missed, and gets the gap.
#[derive(Debug)]
pub struct Stream {
    recent: VecDeque<Arc<Event>>,
    capacity: usize,
    last: Seq,
}

impl Stream {
    /// How many events the Supervisor holds.
    pub const CAPACITY: usize = 4096;

    /// An empty stream after an event of an earlier one.
    #[must_use]
    pub fn new(last: Seq, capacity: usize) -> Self {
        Self { recent: VecDeque::new(), capacity: capacity.max(1), last }
    }

    /// The number of the last event.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The number of the oldest event that is held, or of the next one.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.recent.front().map_or(Seq(self.last.0 + 1), |event| event.seq)
    }

    /// Appends an event.
    pub fn push(&mut self, time_ms: u64, cause: Option<Seq>, fact: Fact) -> Arc<Event> {
        self.last = Seq(self.last.0 + 1);
        let event = Arc::new(Event { seq: self.last, time_ms, cause, fact });
        if self.recent.len() == self.capacity {
            self.recent.pop_front();
        }
        self.recent.push_back(Arc::clone(&event));
        event
    }

    /// The next events of a reader, at most so many.
    ///
    /// A position behind the end belongs to another record, of which nothing is known here: all
    /// events up to the last one are its gap.
    pub fn read(&self, position: &mut Position, most: usize) -> Batch {
        if position.taken() > self.last {
            *position = Position::after(self.last);
            return Batch { gap: Some(Gap { first: Seq(1), last: self.last }), events: Vec::new() };
        }
        let gap = position.skip_to(self.first());
        let skip = usize::try_from(position.next().0 - self.first().0).unwrap_or(usize::MAX);
        let events: Vec<_> = self.recent.iter().skip(skip).take(most).cloned().collect();
        if let Some(last) = events.last() {
            position.take(last.seq);
        }
        Batch { gap, events }
    }

    /// The events that are held, the oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<Arc<Event>> {
        self.recent.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, Position, Stream};
    use crate::{
        event::{Fact, Seq},
        kind::Kind,
    };

    fn push(stream: &mut Stream, count: usize) {
        for _ in 0..count {
            stream.push(0, None, Fact::new(Kind::ServiceUp, "up"));
        }
    }

    #[test]
    fn events_follow_those_of_an_earlier_stream() {
        let mut stream = Stream::new(Seq(990), 4);
        assert_eq!((stream.first(), stream.last()), (Seq(991), Seq(990)));
        push(&mut stream, 1);
        assert_eq!((stream.first(), stream.last()), (Seq(991), Seq(991)));
        let mut position = Position::after(Seq(990));
        let batch = stream.read(&mut position, 10);
        assert_eq!((batch.gap, batch.events.len()), (None, 1));
        assert_eq!(stream.read(&mut position, 10), super::Batch::default());
    }

    #[test]
    fn a_slow_reader_gets_one_gap_with_the_numbers_that_it_lacks() {
        let mut stream = Stream::new(Seq(0), 4);
        let mut position = Position::after(Seq(0));
        push(&mut stream, 10);
        let batch = stream.read(&mut position, 2);
        assert_eq!(batch.gap, Some(Gap { first: Seq(1), last: Seq(6) }));
        let seqs: Vec<_> = batch.events.iter().map(|event| event.seq.0).collect();
        assert_eq!(seqs, [7, 8]);
        let batch = stream.read(&mut position, 10);
        assert_eq!((batch.gap, batch.events.len()), (None, 2));
    }

    #[test]
    fn a_position_of_another_record_is_a_gap_and_goes_on_at_the_end() {
        let mut stream = Stream::new(Seq(0), 4);
        push(&mut stream, 2);
        let mut position = Position::after(Seq(77));
        let batch = stream.read(&mut position, 10);
        assert_eq!(batch.gap, Some(Gap { first: Seq(1), last: Seq(2) }));
        push(&mut stream, 1);
        assert_eq!(stream.read(&mut position, 10).events.len(), 1);
    }

    #[test]
    fn a_position_takes_no_number_twice() {
        let mut position = Position::after(Seq(5));
        assert_eq!(position.take(Seq(6)), None);
        assert_eq!(position.take(Seq(6)), None);
        assert_eq!(position.take(Seq(9)), Some(Gap { first: Seq(7), last: Seq(8) }));
        assert_eq!(position.taken(), Seq(9));
    }
}
