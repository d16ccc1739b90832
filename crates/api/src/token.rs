//! The bearer token (reference: http-api §4).

use std::{ffi::OsString, fmt};

use http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

/// The token that reads all that Habitat shows. Never shown by `Debug`.
#[derive(Clone)]
pub struct Token(Box<str>);

/// A token that no request could match. The text does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Habitat would leave the API open.
    #[error("HAB_SUP_GATEWAY_AUTH_TOKEN is not valid UTF-8; use printable ASCII characters")]
    NotUtf8,
    /// Habitat would answer every request with 401.
    #[error(
        "HAB_SUP_GATEWAY_AUTH_TOKEN contains white space, so no request could match it; remove \
         the white space (also a line break at its end)"
    )]
    WhiteSpace,
    /// Habitat would answer every request with 401.
    #[error(
        "HAB_SUP_GATEWAY_AUTH_TOKEN contains a character that an HTTP header cannot carry, so no \
         request could match it; use printable ASCII characters"
    )]
    Unprintable,
}

impl Token {
    /// Reads the value of `HAB_SUP_GATEWAY_AUTH_TOKEN`. Not set, or empty: no token, and the
    /// API is open.
    ///
    /// # Errors
    /// When no request could match it.
    pub fn from_environment(value: Option<OsString>) -> Result<Option<Self>, TokenError> {
        let Some(value) = value else { return Ok(None) };
        let text = value.into_string().map_err(|_| TokenError::NotUtf8)?;
        if text.is_empty() {
            return Ok(None);
        }
        if text.contains(char::is_whitespace) {
            return Err(TokenError::WhiteSpace);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unprintable);
        }
        Ok(Some(Self(text.into())))
    }

    /// True for this token. Compared in constant time for its length.
    pub(crate) fn is(&self, presented: &str) -> bool {
        presented.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

/// The token of a request: its first `Authorization` header is exactly `Bearer`, white space and
/// the token.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let mut pieces = value.split_ascii_whitespace();
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some("Bearer"), Some(token), None) => Some(token),
        _ => None,
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use http::HeaderValue;

    use super::*;

    fn token() -> Token {
        Token::from_environment(Some("sekret".into())).expect("valid").expect("not empty")
    }

    fn admits(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).expect("fine"));
        }
        presented(&headers).is_some_and(|presented| token().is(presented))
    }

    #[test]
    fn the_table_of_accepted_and_refused_headers_holds() {
        for value in ["Bearer sekret", "Bearer\tsekret", "  Bearer    sekret  "] {
            assert!(admits(&[value]), "{value}");
        }
        for value in [
            "bearer sekret",
            "BEARER sekret",
            "Bearer sekret x",
            "Bearer",
            "sekret",
            "",
            "Bearer ",
            "Bearer sekre",
            "Bearer sekrett",
            "Bearer Sekret",
            "Basic c2VrcmV0",
            "Bearer sekrüt",
        ] {
            assert!(!admits(&[value]), "{value}");
        }
        assert!(!admits(&[]));
        assert!(admits(&["Bearer sekret", "Bearer no"]));
        assert!(!admits(&["Bearer no", "Bearer sekret"]));
    }

    #[test]
    fn tokens_that_nobody_could_send_are_refused() {
        let load = |bytes: &[u8]| {
            Token::from_environment(Some(OsString::from_vec(bytes.to_vec())))
                .map(|token| token.map(|token| token.0))
        };
        assert_eq!(load(b""), Ok(None));
        assert_eq!(Token::from_environment(None).map(|token| token.is_none()), Ok(true));
        assert_eq!(load(b"a b"), Err(TokenError::WhiteSpace));
        assert_eq!(load(b"sekret\n"), Err(TokenError::WhiteSpace));
        assert_eq!(load("a\u{a0}b".as_bytes()), Err(TokenError::WhiteSpace));
        assert_eq!(load(b"\xff\xfe"), Err(TokenError::NotUtf8));
        assert_eq!(load("sekrüt".as_bytes()), Err(TokenError::Unprintable));
        assert_eq!(load(b"a\x01b"), Err(TokenError::Unprintable));
    }

    #[test]
    fn debug_does_not_show_the_token() {
        assert_eq!(format!("{:?}", token()), "Token(..)");
    }
}
