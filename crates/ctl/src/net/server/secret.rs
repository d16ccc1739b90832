//! The secret that clients and Supervisor share.

use std::fmt;

use subtle::ConstantTimeEq;

/// The shared secret; its text never shows in logs.
#[derive(Clone)]
pub struct Secret(String);

/// An empty secret would admit every client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty; write one with `hab sup secret generate`, or remove the file")]
pub struct EmptySecret;

impl Secret {
    /// Takes the content of a secret file; trailing white space is not part of the secret.
    ///
    /// # Errors
    /// When nothing remains.
    pub fn new(text: &str) -> Result<Self, EmptySecret> {
        let text = text.trim_end();
        if text.is_empty() { Err(EmptySecret) } else { Ok(Self(text.into())) }
    }

    /// Its length in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    pub(super) fn equals(&self, other: &str) -> bool {
        // Different lengths are unequal immediately; equal lengths take constant time.
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_refused_and_trailing_space_is_not_part_of_it() {
        assert!(Secret::new(" \r\n").is_err());
        let secret = Secret::new("abc\r\n").expect("a secret");
        assert!(secret.equals("abc"));
        assert!(!secret.equals("abd") && !secret.equals("ab") && !secret.equals(""));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
