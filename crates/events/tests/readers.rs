//! No change is missed: whatever readers do, each gets every number once, as an event or in a gap.

use proptest::prelude::*;
use roost_events::{Fact, Kind, Position, Seq, Stream};

#[derive(Debug, Clone)]
enum Step {
    Publish(usize),
    Read {
        reader: usize,
        most: usize,
    },
    /// The connection of a reader breaks: it comes back with the last number that it took.
    Reconnect(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..12_usize).prop_map(Step::Publish),
        (0..4_usize, 0..6_usize).prop_map(|(reader, most)| Step::Read { reader, most }),
        (0..4_usize).prop_map(Step::Reconnect),
    ]
}

#[derive(Debug)]
struct Reader {
    position: Position,
    /// Every number that it took, as an event or as a part of a gap.
    seen: Vec<u64>,
}

impl Reader {
    fn read(&mut self, stream: &Stream, most: usize) -> usize {
        let batch = stream.read(&mut self.position, most);
        if let Some(gap) = batch.gap {
            self.seen.extend(gap.first.0..=gap.last.0);
        }
        self.seen.extend(batch.events.iter().map(|event| event.seq.0));
        batch.events.len()
    }
}

proptest! {
    #[test]
    fn every_number_reaches_every_reader_once(
        first in 0..50_u64,
        capacity in 1..10_usize,
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut stream = Stream::new(Seq(first), capacity);
        let reader = || Reader { position: Position::after(Seq(first)), seen: Vec::new() };
        let mut readers: Vec<Reader> = (0..4).map(|_| reader()).collect();
        for step in steps {
            match step {
                Step::Publish(count) => {
                    for _ in 0..count {
                        stream.push(0, None, Fact::new(Kind::ServiceUp, "up"));
                    }
                }
                Step::Read { reader, most } => {
                    readers[reader].read(&stream, most);
                }
                Step::Reconnect(reader) => {
                    let last = readers[reader].seen.last().copied().unwrap_or(first);
                    readers[reader].position = Position::after(Seq(last));
                }
            }
        }
        let all: Vec<u64> = (first + 1..=stream.last().0).collect();
        for reader in &mut readers {
            while reader.read(&stream, 3) > 0 {}
            prop_assert_eq!(&reader.seen, &all);
        }
    }
}
