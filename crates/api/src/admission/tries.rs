//! How often a client may send a wrong token: an attacker who guesses is slowed to few guesses per
//! second, in constant memory.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::client::Peer;

/// Places for clients. Clients that share one by chance share its allowance.
const PLACES: usize = 1024;
/// Wrong tokens that a client may send in a row.
const BURST: u64 = 20;
/// After that it may send one in this time.
const INTERVAL_MS: u64 = 100;

/// Wrong tokens by client.
#[derive(Debug)]
pub(crate) struct Tries {
    start: Instant,
    hasher: RandomState,
    /// When the wrong tokens of a place are forgotten, in milliseconds since the start.
    forgotten_ms: Box<[AtomicU64]>,
}

impl Default for Tries {
    fn default() -> Self {
        let forgotten_ms = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { start: Instant::now(), hasher: RandomState::new(), forgotten_ms }
    }
}

impl Tries {
    /// True when a token of this client is checked, not refused unread.
    pub(crate) fn may_try(&self, peer: Peer) -> bool {
        self.may_try_after(peer, self.start.elapsed())
    }

    /// Counts a wrong token.
    pub(crate) fn count_wrong(&self, peer: Peer) {
        self.count_wrong_after(peer, self.start.elapsed());
    }

    fn may_try_after(&self, peer: Peer, since_start: Duration) -> bool {
        let forgotten_ms = self.place(peer).load(Ordering::Relaxed);
        forgotten_ms.saturating_sub(milliseconds(since_start)) <= (BURST - 1) * INTERVAL_MS
    }

    fn count_wrong_after(&self, peer: Peer, since_start: Duration) {
        let now_ms = milliseconds(since_start);
        let later = |forgotten_ms: u64| Some(forgotten_ms.max(now_ms) + INTERVAL_MS);
        // The closure always gives a value.
        let _ = self.place(peer).fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    fn place(&self, peer: Peer) -> &AtomicU64 {
        let hash = match peer {
            Peer::User(user) => self.hasher.hash_one(user),
            Peer::Address(address) => match address.ip().to_canonical() {
                IpAddr::V4(ip) => self.hasher.hash_one(ip),
                // A client has at least a network of this size.
                IpAddr::V6(ip) => self.hasher.hash_one(&ip.segments()[..4]),
            },
        };
        &self.forgotten_ms[usize::try_from(hash % PLACES as u64).unwrap_or_default()]
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_guesses_gets_few_tries_and_others_are_not_affected() {
        let tries = Tries::default();
        let guesser = Peer::Address("192.0.2.1:1000".parse().expect("an address"));
        let guessed = |from_ms: u64, to_ms: u64| {
            let mut looked_at = 0;
            for now in (from_ms..to_ms).map(Duration::from_millis) {
                if tries.may_try_after(guesser, now) {
                    looked_at += 1;
                    tries.count_wrong_after(guesser, now);
                }
            }
            looked_at
        };
        assert_eq!(guessed(0, 1), 1);
        assert_eq!(guessed(1, 2000), 19 + 19, "a burst, then one each 100 ms");
        let other = |ip: &str| Peer::Address(format!("{ip}:1").parse().expect("an address"));
        let others = ["192.0.2.2", "192.0.2.3", "192.0.2.4", "[2001:db8::1]"].map(other);
        let now = Duration::from_millis(1999);
        // Two clients share a place by chance once in a thousand times.
        assert!(others.into_iter().filter(|other| tries.may_try_after(*other, now)).count() >= 3);
        assert!(!tries.may_try_after(guesser, now));
        assert!(tries.may_try_after(guesser, Duration::from_secs(60)));
        let networks = ["[2001:db8::1]", "[2001:db8::ffff:2]"].map(other);
        assert!(std::ptr::eq(tries.place(networks[0]), tries.place(networks[1])));
    }
}
