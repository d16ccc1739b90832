//! The address of a NATS server: `[nats://][USER:PASSWORD@ or TOKEN@]HOST[:PORT]` (reference:
//! event-stream §1).

use std::{fmt, str::FromStr};

/// The port when the address has none.
const PORT: u16 = 4222;
/// Longest address that is read, in bytes.
const LENGTH_MAX: usize = 1024;

/// How the Supervisor identifies itself to the server.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A token.
    Token(String),
    /// A user and its password.
    Password {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
}

/// Never shows the secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(***)"),
            Self::Password { user, .. } => write!(f, "Password({user:?}, ***)"),
        }
    }
}

/// The address of a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Host name or IP address; an IPv6 address is in brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Credentials in the address; they count before the token of the options.
    pub credentials: Option<Credentials>,
}

/// `HOST:PORT`, without credentials.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another protocol.
    #[error("invalid scheme '{0}' only 'nats' is supported")]
    Scheme(String),
    /// Anything else.
    #[error("invalid address {0:?}")]
    Address(String),
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let invalid = || AddressError::Address(masked(text));
        let rest = match text.split_once("://") {
            Some(("nats", rest)) => rest,
            Some((scheme, _)) if is_scheme(scheme) => {
                return Err(AddressError::Scheme(scheme.into()));
            }
            Some(_) => return Err(invalid()),
            None => text,
        };
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let credentials = credentials.map(|text| match text.split_once(':') {
            Some((user, password)) => {
                Credentials::Password { user: user.into(), password: password.into() }
            }
            None => Credentials::Token(text.into()),
        });
        let (host, port) = host_and_port(place).ok_or_else(invalid)?;
        let is_empty = match &credentials {
            Some(Credentials::Token(token)) => token.is_empty(),
            Some(Credentials::Password { user, .. }) => user.is_empty(),
            None => false,
        };
        let address = Self { host: host.into(), port, credentials };
        // The library reads the place once more and must not fail later.
        let is_usable = address.to_string().parse::<async_nats::ServerAddr>().is_ok();
        if is_empty || !is_usable || text.len() > LENGTH_MAX {
            return Err(invalid());
        }
        Ok(address)
    }
}

fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// What people may see of a text that stands for an address: `***` in the place of all that can be
/// credentials.
#[must_use]
pub fn masked(text: &str) -> String {
    let Some((credentials, place)) = text.rsplit_once('@') else {
        return text.chars().take(LENGTH_MAX).collect();
    };
    let scheme = match credentials.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => format!("{scheme}://"),
        _ => String::new(),
    };
    format!("{scheme}***@{place}").chars().take(LENGTH_MAX).collect()
}

/// Splits `HOST[:PORT]`. `None` when the host is empty or the port is not a port.
fn host_and_port(place: &str) -> Option<(&str, u16)> {
    let end_of_host = match place.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => place.find(':').unwrap_or(place.len()),
    };
    let (host, port) = place.split_at(end_of_host);
    let is_name = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    if host.is_empty() || !is_name(host) {
        return None;
    }
    let port = match port.strip_prefix(':') {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        Some(_) => return None,
        None if port.is_empty() => PORT,
        None => return None,
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServerAddress, String> {
        text.parse().map_err(|error: AddressError| error.to_string())
    }

    #[test]
    fn parts_of_an_address() {
        let user = Credentials::Password { user: "u".into(), password: "p:w".into() };
        for (text, shown, credentials) in [
            ("127.0.0.1", "127.0.0.1:4222", None),
            ("nats://events.example:14222", "events.example:14222", None),
            ("[::1]:5", "[::1]:5", None),
            ("TOK@h", "h:4222", Some(Credentials::Token("TOK".into()))),
            ("nats://u:p:w@h:1", "h:1", Some(user)),
        ] {
            let address = read(text).expect(text);
            assert_eq!((address.to_string(), address.credentials), (shown.into(), credentials));
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_as_recorded() {
        assert_eq!(
            read("http://x:1").unwrap_err(),
            "invalid scheme 'http' only 'nats' is supported"
        );
        for text in ["", "nats://x:y:z", ":1", "h:70000", "h:-1", "h/path", "h i", "[::1"] {
            assert_eq!(read(text).unwrap_err(), format!("invalid address {text:?}"));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", read("nats://me:s3cret@h").unwrap());
        assert!(shown.contains("me") && !shown.contains("s3cret"), "{shown}");
        assert!(!format!("{:?}", read("s3cret@h").unwrap()).contains("s3cret"));
        for (text, problem) in [
            ("nats://me:s3cret@h:x", "invalid address \"nats://***@h:x\""),
            ("s3cret@", "invalid address \"***@\""),
            ("a:s3@cret@h i", "invalid address \"***@h i\""),
            ("me:s3cret@h://x", "invalid address \"***@h://x\""),
            ("http://me:s3cret@h", "invalid scheme 'http' only 'nats' is supported"),
        ] {
            assert_eq!(read(text).unwrap_err(), problem);
        }
    }
}
