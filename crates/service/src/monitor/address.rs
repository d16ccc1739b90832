//! Addresses that checks connect to.

use std::fmt;

/// Longest address and URL.
const LENGTH_MAX: usize = 2_048;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, without brackets.
    pub host: String,
    /// Port
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Whether a request is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text
    Http,
    /// TLS
    Https,
}

impl Scheme {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }

    /// The port of a URL that names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An `http://` or `https://` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is encrypted.
    pub scheme: Scheme,
    /// Where the server listens.
    pub address: Address,
    /// Path and query.
    pub target: String,
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.scheme.prefix(), self.address, self.target)
    }
}

impl Address {
    /// Reads `HOST:PORT` or `[IPv6]:PORT`; without a port the default one, if there is one.
    ///
    /// # Errors
    /// The reason and the remedy, for the user.
    pub fn parse(text: &str, default_port: Option<u16>) -> Result<Self, String> {
        let form = || format!("'{}' is not an address; use HOST:PORT", shown(text));
        if text.len() > LENGTH_MAX {
            return Err(format!("the address has more than {LENGTH_MAX} bytes"));
        }
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(form)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| form())?;
                (host, rest)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match (rest.strip_prefix(':'), default_port) {
            (Some(port), _) => {
                let port = port.parse().ok().filter(|port| *port > 0);
                port.ok_or_else(|| format!("'{}' has no port between 1 and 65535", shown(text)))?
            }
            (None, Some(port)) if rest.is_empty() => port,
            (None, _) => return Err(form()),
        };
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_fine) {
            return Err(form());
        }
        Ok(Self { host: host.into(), port })
    }
}

impl Url {
    /// Reads an `http://` or `https://` URL.
    ///
    /// # Errors
    /// The reason and the remedy, for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("the URL has more than {LENGTH_MAX} bytes"));
        }
        let schemes = [Scheme::Http, Scheme::Https].into_iter();
        let split = |scheme: Scheme| Some((scheme, text.strip_prefix(scheme.prefix())?));
        let Some((scheme, rest)) = schemes.filter_map(split).next() else {
            return Err(format!(
                "'{}' is not a URL; use http://HOST:PORT/PATH or https://HOST:PORT/PATH",
                shown(text)
            ));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a URL must not contain a user; use 'headers' with Authorization".into());
        }
        let address = Address::parse(authority, Some(scheme.default_port()))?;
        let target = target.split('#').next().unwrap_or_default();
        let is_fine = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\');
        if !target.chars().all(is_fine) {
            return Err(format!(
                "'{}' contains a character that does not belong into a URL; encode it with %",
                shown(text)
            ));
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self { scheme, address, target: format!("{slash}{target}") })
    }

    /// The URL that a redirect leads to, if it stays with the same scheme, host and port.
    #[must_use]
    pub fn redirected(&self, location: &str) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Self::parse(&format!("{}{}{location}", self.scheme.prefix(), self.address))
                .ok();
        }
        let is_same = |url: &Self| url.scheme == self.scheme && url.address == self.address;
        Self::parse(location).ok().filter(is_same)
    }
}

fn shown(text: &str) -> String {
    crate::excerpt::one_line(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, url) in [
            ("http://localhost", "http://localhost:80/"),
            ("http://127.0.0.1:8080/healthz?a=b#c", "http://127.0.0.1:8080/healthz?a=b"),
            ("http://[::1]:9?x", "http://[::1]:9/?x"),
            ("http://a_b.c-d:1/%20", "http://a_b.c-d:1/%20"),
            ("https://localhost", "https://localhost:443/"),
            ("https://[::1]:9?x", "https://[::1]:9/?x"),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()), Ok(url.into()));
        }
    }

    #[test]
    fn hostile_urls_are_refused_with_a_remedy() {
        for (text, part) in [
            ("", "use http://HOST:PORT/PATH"),
            ("file:///etc/passwd", "use http://HOST:PORT/PATH"),
            ("https:/x", "https://HOST:PORT/PATH"),
            ("HTTPS://x", "https://HOST:PORT/PATH"),
            ("http://", "use HOST:PORT"),
            ("http://:80/", "use HOST:PORT"),
            ("http://user:pass@x/", "must not contain a user"),
            ("http://x:0/", "no port between"),
            ("http://x:65536/", "no port between"),
            ("http://x:80:90/", "no port between"),
            ("http://[::1/", "use HOST:PORT"),
            ("http://[evil]:1/", "use HOST:PORT"),
            ("http://x y/", "use HOST:PORT"),
            ("http://x\r\ny/", "use HOST:PORT"),
            ("http://x/a b", "encode it with %"),
            ("http://x/\r\nHost: y", "encode it with %"),
            ("http://x/\u{e9}", "encode it with %"),
        ] {
            let error = Url::parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let long = format!("http://x/{}", "a".repeat(LENGTH_MAX));
        assert!(Url::parse(&long).is_err_and(|error| error.contains("2048")));
    }

    #[test]
    fn redirects_stay_with_the_server() {
        let url = Url::parse("http://127.0.0.1:8080/a").expect("a URL");
        let to = |location| url.redirected(location).map(|url| url.target);
        assert_eq!(to("/b").as_deref(), Some("/b"));
        assert_eq!(to("http://127.0.0.1:8080/c").as_deref(), Some("/c"));
        for other in [
            "http://127.0.0.1:8081/",
            "https://127.0.0.1:8080/c",
            "http://169.254.169.254/",
            "//evil/",
            "b",
            "/\r\n",
        ] {
            assert_eq!(to(other), None, "{other}");
        }
    }

    #[test]
    fn addresses_need_a_port() {
        assert_eq!(Address::parse("[::1]:5", None).map(|it| it.to_string()), Ok("[::1]:5".into()));
        assert!(Address::parse("localhost", None).is_err());
        assert!(Address::parse("a/b:5", None).is_err());
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "(https?://)?\\PC{0,40}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.to_string()), Ok(url));
            }
        }
    }
}
