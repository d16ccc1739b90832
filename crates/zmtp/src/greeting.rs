//! The greeting: the first 64 bytes in each direction (RFC 37, "greeting").
//!
//! ```text
//! ff, 8 bytes of padding, 7f      signature
//! 03 01                           version
//! "NULL" and 16 zero bytes        mechanism
//! 00                              as-server
//! 31 zero bytes                   filler
//! ```

use crate::error::ProtocolError;

/// Length of a greeting.
pub const GREETING_BYTES: usize = 64;

const MECHANISM: &[u8; 20] = b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// Our greeting. The eight bytes of padding are those that libzmq sends for ZMTP 2 peers.
#[must_use]
pub fn greeting() -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    (bytes[0], bytes[8], bytes[9]) = (0xff, 1, 0x7f);
    (bytes[10], bytes[11]) = (3, 1);
    bytes[12..32].copy_from_slice(MECHANISM);
    bytes
}

/// Checks the received part of the peer's greeting; true once it is complete. Wrong bytes are
/// detected immediately.
///
/// # Errors
/// When the peer does not speak ZMTP 3 with mechanism NULL.
pub fn check_greeting(received: &[u8]) -> Result<bool, ProtocolError> {
    let at = |index: usize| received.get(index).copied();
    if at(0).is_some_and(|byte| byte != 0xff) || at(9).is_some_and(|byte| byte != 0x7f) {
        return Err(ProtocolError::NotZmtp);
    }
    if let Some(major) = at(10).filter(|major| *major < 3) {
        return Err(ProtocolError::OldVersion(major));
    }
    let mechanism = received.get(12..received.len().min(32)).unwrap_or_default();
    if !MECHANISM.starts_with(mechanism) {
        return Err(ProtocolError::OtherMechanism);
    }
    Ok(received.len() >= GREETING_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_checked_byte_by_byte() {
        let ours = greeting();
        for length in 0..GREETING_BYTES {
            assert_eq!(check_greeting(&ours[..length]), Ok(false));
        }
        assert_eq!(check_greeting(&ours), Ok(true));
        for (index, byte, expected) in [
            (0, 0, ProtocolError::NotZmtp),
            (9, 0, ProtocolError::NotZmtp),
            (10, 1, ProtocolError::OldVersion(1)),
            (12, b'P', ProtocolError::OtherMechanism),
            (16, b'X', ProtocolError::OtherMechanism),
        ] {
            let mut theirs = ours;
            theirs[index] = byte;
            assert_eq!(check_greeting(&theirs[..=index]), Err(expected));
        }
    }

    #[test]
    fn later_versions_and_any_padding_are_fine() {
        let mut theirs = greeting();
        (theirs[10], theirs[11], theirs[4], theirs[32], theirs[63]) = (4, 9, 7, 1, 1);
        assert_eq!(check_greeting(&theirs), Ok(true));
    }
}
