//! Addresses of Builder.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An absolute URL, with `/` as path if it had none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct BldrUrl(String);

impl FromStr for BldrUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("relative URL without a base")?;
        let mut letters = scheme.chars();
        let fine = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
        if !fine {
            return Err("relative URL without a base".into());
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        if host.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("invalid URL: no host, or a blank".into());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        Ok(Self(format!("{scheme}://{host}{slash}{path}")))
    }
}

impl TryFrom<String> for BldrUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<BldrUrl> for String {
    fn from(url: BldrUrl) -> Self {
        url.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_url_gets_a_path() {
        for (text, expected) in [
            ("https://flag.example", "https://flag.example/"),
            ("HTTP://127.0.0.1:9/x", "http://127.0.0.1:9/x"),
            ("https://h?q", "https://h/?q"),
        ] {
            assert_eq!(text.parse::<BldrUrl>().map(String::from), Ok(expected.into()));
        }
        for text in ["bldr.example", "/x", "://x", "http://", "http:// x", ""] {
            assert!(text.parse::<BldrUrl>().is_err(), "{text}");
        }
    }
}
