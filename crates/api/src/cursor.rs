//! Cursors: where the next page of a list begins. Each names its list and its Supervisor, so that
//! one of another list, or one that was changed, is refused instead of giving a wrong page.

use sha2::{Digest, Sha256};

use crate::{
    problem::{Code, Problem},
    version::hex,
};

/// Longest cursor, in bytes.
pub const CURSOR_BYTES_MAX: usize = 1024;

/// Hexadecimal digits of the check.
const CHECK_DIGITS: usize = 16;

/// The cursor behind a position of a list; `owner` is the member id of the Supervisor.
#[must_use]
pub fn encode(list: &str, owner: &str, position: &str) -> String {
    format!("{}{}", check(list, owner, position), hex(position.as_bytes()))
}

/// The position of a cursor.
///
/// # Errors
/// When it does not come from this list of this Supervisor.
pub fn decode(list: &str, owner: &str, cursor: &str) -> Result<String, Problem> {
    let position = || {
        let (digits, rest) = cursor.split_at_checked(CHECK_DIGITS)?;
        let bytes = rest.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let position = String::from_utf8(bytes.collect::<Option<_>>()?).ok()?;
        (digits == check(list, owner, &position)).then_some(position)
    };
    position().ok_or_else(|| Code::BadCursor.into())
}

fn check(list: &str, owner: &str, position: &str) -> String {
    let text = [list, owner, position].join("\0");
    hex(&Sha256::digest(text)[..CHECK_DIGITS / 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_foreign_or_damaged_cursor_is_refused() {
        let cursor = encode("services", "member", "web.default");
        assert_eq!(decode("services", "member", &cursor), Ok("web.default".into()));
        assert!(decode("events", "member", &cursor).is_err());
        assert!(decode("services", "other", &cursor).is_err());
        for index in 0..cursor.len() {
            let mut damaged = cursor.clone();
            let other = if &damaged[index..=index] == "0" { "1" } else { "0" };
            damaged.replace_range(index..=index, other);
            assert!(decode("services", "member", &damaged).is_err(), "{damaged}");
            assert!(decode("services", "member", &cursor[..index]).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_cursor_makes_it_panic(cursor in "\\PC{0,60}|[0-9a-f+é]{0,60}") {
            prop_assert!(decode("services", "member", &cursor).is_err());
        }
    }
}
