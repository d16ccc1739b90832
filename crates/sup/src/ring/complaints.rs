//! Log lines about peers whose messages this ring cannot use: one per peer and minute, so that a
//! wrong ring key is noticed, and a flood does not fill the log.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use roost_ring::Dropped;

/// Time in which each peer gets one line.
const PERIOD: Duration = Duration::from_mins(1);
/// Most peers that are tracked. Senders of datagrams can be forged; further ones are counted only
/// in the metrics.
const PEERS_MAX: usize = 64;

/// Time of the last line about each peer.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    peers: HashMap<IpAddr, LastLine>,
}

#[derive(Debug)]
struct LastLine {
    at: Instant,
    /// Messages dropped since then without a line.
    unlogged: u64,
}

impl Complaints {
    /// The log line about a dropped message, if one is due.
    pub(super) fn about(
        &mut self,
        now: Instant,
        peer: IpAddr,
        dropped: &Dropped,
    ) -> Option<String> {
        if !is_the_senders_fault(dropped) {
            return None;
        }
        let is_recent = |last: &LastLine| now.duration_since(last.at) < PERIOD;
        let mut unlogged = 0;
        if let Some(last) = self.peers.get_mut(&peer) {
            if is_recent(last) {
                last.unlogged += 1;
                return None;
            }
            unlogged = last.unlogged;
        } else if self.peers.len() >= PEERS_MAX {
            self.peers.retain(|_, last| is_recent(last));
            if self.peers.len() >= PEERS_MAX {
                return None;
            }
        }
        self.peers.insert(peer, LastLine { at: now, unlogged: 0 });
        let more = match unlogged {
            0 => String::new(),
            unlogged => format!(" ({unlogged} more since the last such line)"),
        };
        Some(format!("Dropped a message of the ring from {peer}: {dropped}{more}"))
    }
}

/// False for messages that a healthy ring drops too.
fn is_the_senders_fault(dropped: &Dropped) -> bool {
    !matches!(
        dropped,
        Dropped::UnknownTarget
            | Dropped::ForeignTerm
            | Dropped::NoOwnService
            | Dropped::ForeignAddress
            | Dropped::OutputsFull
            | Dropped::TooManyDeferred
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

    #[test]
    fn a_peer_gets_one_line_per_minute_with_its_address() {
        let mut complaints = Complaints::default();
        let start = Instant::now();
        let line = complaints.about(start, PEER, &Dropped::Undecryptable).unwrap();
        assert!(line.contains("10.0.0.3") && line.contains("could not decrypt"), "{line}");
        for second in 1..60 {
            let now = start + Duration::from_secs(second);
            assert_eq!(complaints.about(now, PEER, &Dropped::MissingNonce), None);
        }
        let line = complaints.about(start + PERIOD, PEER, &Dropped::MissingNonce).unwrap();
        assert!(line.contains("59 more"), "{line}");
        assert_eq!(complaints.about(start + PERIOD, PEER, &Dropped::MissingNonce), None);
    }

    #[test]
    fn forged_senders_neither_fill_the_log_nor_silence_it() {
        let mut complaints = Complaints::default();
        let start = Instant::now();
        let mut lines = 0;
        for number in 0..10_000_u32 {
            let peer = IpAddr::from(number.to_be_bytes());
            lines += usize::from(complaints.about(start, peer, &Dropped::TestRumor).is_some());
        }
        assert_eq!(lines, PEERS_MAX);
        assert!(complaints.about(start + PERIOD, PEER, &Dropped::TestRumor).is_some());
    }

    #[test]
    fn a_late_question_causes_no_line() {
        let mut complaints = Complaints::default();
        assert_eq!(complaints.about(Instant::now(), PEER, &Dropped::UnknownTarget), None);
    }
}
