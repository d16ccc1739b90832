//! Member ids.
//!
//! An id can be any text (reference: ring §12.1), but every Supervisor generates 32 lower-case hex
//! digits. Those are stored in 16 bytes without an allocation: the state of a large ring consists
//! mostly of ids.

use std::{cmp::Ordering, fmt, str::FromStr};

/// Identifies a member. Ordered like its text, byte by byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MemberId(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// 32 lower-case hex digits, packed.
    Hex([u8; 16]),
    /// Any other text.
    Text(Box<str>),
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn pack(text: &str) -> Option<[u8; 16]> {
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut packed = [0; 16];
    for (byte, pair) in packed.iter_mut().zip(digits.chunks_exact(2)) {
        let mut value = 0;
        for digit in pair {
            value = value << 4
                | match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
        }
        *byte = value;
    }
    Some(packed)
}

fn unpack(packed: [u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(packed) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    digits
}

impl MemberId {
    /// The id with the text `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(pack(text).map_or_else(|| Repr::Text(text.into()), Repr::Hex))
    }

    /// The id of 128 random bits, as 32 lower-case hex digits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(Repr::Hex(bits.to_be_bytes()))
    }

    /// Calls `use_text` with the text; avoids the allocation of `to_string`.
    pub fn with_text<T>(&self, use_text: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Repr::Text(text) => use_text(text),
            Repr::Hex(packed) => {
                let digits = unpack(*packed);
                use_text(std::str::from_utf8(&digits).expect("hex digits are ASCII"))
            }
        }
    }

    /// Heap memory of this id, in bytes.
    pub(crate) fn allocated_bytes(&self) -> usize {
        match &self.0 {
            Repr::Hex(_) => 0,
            Repr::Text(text) => text.len(),
        }
    }

    /// True when the text of this id is `text`.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.with_text(|own| own == text)
    }
}

impl Ord for MemberId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // packing keeps the order of digits
            (Repr::Hex(a), Repr::Hex(b)) => a.cmp(b),
            _ => self.with_text(|a| other.with_text(|b| a.cmp(b))),
        }
    }
}

impl PartialOrd for MemberId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| fmt::Debug::fmt(text, f))
    }
}

impl From<&str> for MemberId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl FromStr for MemberId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_takes_three_words() {
        assert_eq!(size_of::<MemberId>(), 24);
    }

    proptest! {
        #[test]
        fn ids_keep_their_text_and_order(a in "[0-9a-f]{31,33}|[0-9a-fA-G]{32}|.{0,3}", b in "[0-9a-f]{31,33}|.{0,3}") {
            let (id_a, id_b) = (MemberId::new(&a), MemberId::new(&b));
            prop_assert_eq!(id_a.to_string(), a.clone());
            prop_assert_eq!(id_a.cmp(&id_b), a.cmp(&b));
            prop_assert_eq!(id_a == id_b, a == b);
        }
    }
}
