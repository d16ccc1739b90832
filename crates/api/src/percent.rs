//! Percent-encoding (RFC 3986 section 2.1).

/// The byte that the two digits after `%` stand for.
pub(crate) fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*text.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}
