//! What a member knows about another one besides its record: since when it has its health, from
//! whom that is known, and how it answers.
//!
//! One [`Standing`] per member of the list, in 16 bytes: rings of thousands are simulated in one
//! process. Times are kept in tenths of a second, which last for 13 years.

use crate::{table::Place, time::Now};

const TICK_US: u64 = 100_000;
/// Weight of a new round trip in the smoothed one, as its divisor (RFC 6298).
const SMOOTHING: u32 = 8;

/// From where this member has its opinion of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The other member itself.
    Direct,
    /// This member probed it.
    Probe,
    /// Another member reported it: its place in the member list, if it is there.
    News(Option<Place>),
    /// It was worse for too long.
    Timeout,
    /// A departure by hand.
    Command,
    /// A new member took its place in a group without quorum.
    Replaced,
    /// An earlier process of this member.
    DataFile,
}

impl Source {
    /// The word in events and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Probe => "probe",
            Self::News(_) => "news",
            Self::Timeout => "timeout",
            Self::Command => "command",
            Self::Replaced => "replaced",
            Self::DataFile => "data_file",
        }
    }
}

/// How a member answers this one. Not part of a view: it changes with each datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contact {
    /// Smoothed time from pings of this member to direct answers, in microseconds.
    pub round_trip_us: Option<u32>,
    /// When a datagram of it arrived last, to a tenth of a second.
    pub heard: Option<Now>,
}

/// What is known about one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    since: u32,
    /// 0 when never.
    heard: u32,
    /// 0 when unknown.
    round_trip_us: u32,
    /// See [`pack`].
    source: u32,
}

fn ticks(now: Now) -> u32 {
    u32::try_from(now.0 / TICK_US).unwrap_or(u32::MAX)
}

const fn time(ticks: u32) -> Now {
    Now(ticks as u64 * TICK_US)
}

/// The kind in three bits; above them the place of the author of news plus 1.
fn pack(source: Source) -> u32 {
    match source {
        Source::DataFile => 0,
        Source::Direct => 1,
        Source::Probe => 2,
        Source::Timeout => 3,
        Source::Command => 4,
        Source::Replaced => 5,
        // places are far below 2^29: `members_max`
        Source::News(author) => 6 | author.map_or(0, |place| (place + 1) << 3),
    }
}

const fn unpack(packed: u32) -> Source {
    match packed & 7 {
        0 => Source::DataFile,
        1 => Source::Direct,
        2 => Source::Probe,
        3 => Source::Timeout,
        4 => Source::Command,
        5 => Source::Replaced,
        _ => Source::News((packed >> 3).checked_sub(1)),
    }
}

impl Standing {
    /// It has another health from now on.
    pub(crate) fn turn(&mut self, now: Now, source: Source) {
        self.since = ticks(now);
        self.source = pack(source);
    }

    /// A datagram of it arrived. True when that is news for a reader of contacts.
    pub(crate) fn hear(&mut self, now: Now) -> bool {
        let heard = ticks(now).max(1);
        std::mem::replace(&mut self.heard, heard) != heard
    }

    /// It answered a ping directly.
    pub(crate) fn measure(&mut self, took_us: u64) {
        let took = u32::try_from(took_us).unwrap_or(u32::MAX).max(1);
        self.round_trip_us = match self.round_trip_us {
            0 => took,
            old => old - old / SMOOTHING + took / SMOOTHING,
        };
    }

    pub(crate) const fn since(&self) -> Now {
        time(self.since)
    }

    pub(crate) const fn source(&self) -> Source {
        unpack(self.source)
    }

    pub(crate) fn contact(&self) -> Contact {
        Contact {
            round_trip_us: Some(self.round_trip_us).filter(|us| *us > 0),
            heard: Some(self.heard).filter(|ticks| *ticks > 0).map(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_is_small_and_keeps_what_it_is_given() {
        assert_eq!(size_of::<Standing>(), 16);
        for source in [
            Source::Direct,
            Source::Probe,
            Source::News(None),
            Source::News(Some(0)),
            Source::News(Some(1_000_000)),
            Source::Timeout,
            Source::Command,
            Source::Replaced,
            Source::DataFile,
        ] {
            let mut standing = Standing::default();
            standing.turn(Now(1_234_567), source);
            assert_eq!((standing.source(), standing.since()), (source, Now(1_200_000)));
        }
        assert_eq!(Standing::default().contact(), Contact::default());
    }

    #[test]
    fn round_trips_are_smoothed() {
        let mut standing = Standing::default();
        standing.measure(800);
        assert_eq!(standing.contact().round_trip_us, Some(800));
        standing.measure(1_600);
        assert_eq!(standing.contact().round_trip_us, Some(900), "an eighth of the difference");
        standing.measure(u64::MAX);
        standing.measure(u64::MAX);
        assert!(standing.contact().round_trip_us.is_some_and(|us| us > 500_000_000));
    }

    #[test]
    fn contacts_are_news_ten_times_a_second() {
        let mut standing = Standing::default();
        assert!(standing.hear(Now(0)));
        assert!(standing.contact().heard.is_some(), "also at the start of the clock");
        assert!(standing.hear(Now(5_000_000)));
        assert!(!standing.hear(Now(5_050_000)));
        assert_eq!(standing.contact().heard, Some(Now(5_000_000)));
    }
}
