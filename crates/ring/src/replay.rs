//! Detection of replayed datagrams. Under a ring key no two are equal, because each has a random
//! nonce; an exact copy comes from a network that duplicates, or from an attacker without the key
//! who replays recorded ones.

use std::collections::HashSet;

use roost_crypto::NONCE_BYTES;

/// Number of datagrams remembered in each of two generations, together about a day's worth of a
/// member.
const GENERATION: usize = 65_536;

/// The nonces of the last datagrams; only half of each, which is random enough.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl Replays {
    /// Records the nonce of a decrypted datagram. False when it was seen before.
    pub(crate) fn is_new(&mut self, nonce: [u8; NONCE_BYTES]) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = nonce;
        let nonce = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        if self.before.contains(&nonce) || !self.now.insert(nonce) {
            return false;
        }
        if self.now.len() >= GENERATION {
            self.before = std::mem::take(&mut self.now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded() {
        let mut replays = Replays::default();
        let nonce = |number: usize| {
            let mut nonce = [0; NONCE_BYTES];
            nonce[..8].copy_from_slice(&number.to_le_bytes());
            nonce
        };
        for number in 0..4 * GENERATION {
            assert!(replays.is_new(nonce(number)));
            assert!(!replays.is_new(nonce(number)));
        }
        assert!(!replays.is_new(nonce(3 * GENERATION)), "the last ones are known");
        assert!(replays.now.len() + replays.before.len() <= 2 * GENERATION);
    }
}
