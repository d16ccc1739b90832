//! The subject of a certificate as one text without ambiguity: two subjects that differ never have
//! the same text, whatever characters their values contain.

use std::{fmt, str::FromStr};

use x509_parser::{
    objects::{oid_registry, oid2abbrev},
    prelude::X509Name,
    x509::AttributeTypeAndValue,
};

/// Longest subject that is read from text, in bytes.
const BYTES_MAX: usize = 1024;

/// `O=Acme, CN=prometheus`: the attributes in the order of the certificate, as OpenSSL prints
/// them. Special characters in values have a backslash before them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject(Box<str>);

/// Text that is not a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// No `=` in a part.
    #[error("it takes parts like CN=name with commas between them")]
    Form,
    /// A quote without its partner, or a backslash at the end.
    #[error("a quote or backslash has nothing after it")]
    Open,
    /// Longer than 1024 bytes.
    #[error("it is longer than 1024 bytes")]
    TooLong,
}

impl Subject {
    /// The subject of a certificate; `None` if it is empty.
    pub(crate) fn of(name: &X509Name<'_>) -> Option<Self> {
        let parts = name.iter_rdn().map(|rdn| {
            let attributes: Vec<String> = rdn.iter().map(attribute).collect();
            attributes.join(" + ")
        });
        let text = parts.collect::<Vec<_>>().join(", ");
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// Its text. It is foreign: its values are those of the certificate.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    /// Reads what people write: also `CN = a`, values in quotes, and escapes of RFC 4514.
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if text.len() > BYTES_MAX {
            return Err(SubjectError::TooLong);
        }
        let mut subject = String::new();
        let mut rest = text;
        loop {
            let (kind, behind) = rest.split_once('=').ok_or(SubjectError::Form)?;
            let kind = kind.trim();
            let fine = |c: char| c.is_ascii_alphanumeric() || ".- ".contains(c);
            if kind.is_empty() || !kind.chars().all(fine) {
                return Err(SubjectError::Form);
            }
            let Value { text: value, separator, rest: behind } = value(behind)?;
            subject.push_str(&format!("{kind}={value}"));
            let Some(separator) = separator else { return Ok(Self(subject.into())) };
            subject.push_str(if separator == '+' { " + " } else { ", " });
            rest = behind;
        }
    }
}

/// A value at the beginning of a text.
struct Value<'a> {
    /// In its canonical form.
    text: String,
    separator: Option<char>,
    rest: &'a str,
}

fn value(text: &str) -> Result<Value<'_>, SubjectError> {
    let text = text.trim_start();
    let (mut bytes, mut kept, mut quoted) = (Vec::new(), 0, false);
    let is_hex = text.starts_with('#');
    let mut chars = text.char_indices();
    let mut end = (None, "");
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => {
                let rest = &text[at + 1..];
                let pair =
                    rest.get(..2).filter(|pair| pair.bytes().all(|it| it.is_ascii_hexdigit()));
                let pair = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
                if let Some(byte) = pair {
                    bytes.push(byte);
                    chars.nth(1);
                } else {
                    let (_, c) = chars.next().ok_or(SubjectError::Open)?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                kept = bytes.len();
            }
            ',' | '+' if !quoted => {
                end = (Some(c), &text[at + 1..]);
                break;
            }
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        if quoted || !c.is_whitespace() {
            kept = bytes.len();
        }
    }
    if quoted {
        return Err(SubjectError::Open);
    }
    // White space before a separator does not count.
    bytes.truncate(kept);
    let value = String::from_utf8(bytes).map_err(|_| SubjectError::Form)?;
    let text = if is_hex { value.to_ascii_lowercase() } else { escaped(&value) };
    Ok(Value { text, separator: end.0, rest: end.1 })
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type();
    let kind = oid2abbrev(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned);
    let value = match attribute.as_str() {
        Ok(text) => escaped(text),
        Err(_) => {
            let hex = attribute.as_slice().iter().map(|byte| format!("{byte:02x}"));
            format!("#{}", hex.collect::<String>())
        }
    };
    format!("{kind}={value}")
}

/// The value with a backslash before each character that has a meaning of its own.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let at_an_end = at == 0 || at == last;
        if "\\,+\"".contains(c) || (c == '#' && at == 0) || (c.is_whitespace() && at_an_end) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn subject_of(values: &[(DnType, &str)]) -> Subject {
        let mut params = CertificateParams::new(["a".to_owned()]).expect("valid");
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in values {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        crate::owner(certificate.der()).expect("a subject").subject
    }

    #[test]
    fn a_subject_is_read_back_from_its_text() {
        for value in ["prom", "a, O=Acme", " a ", "#b", "a\\b", "\"q\"", "a+b", "ä", "a = b"] {
            let subject =
                subject_of(&[(DnType::OrganizationName, "Acme"), (DnType::CommonName, value)]);
            assert_eq!(subject.as_str().parse(), Ok(subject.clone()), "{subject}");
        }
    }

    #[test]
    fn a_value_cannot_pose_as_another_attribute() {
        let honest = subject_of(&[(DnType::OrganizationName, "Acme"), (DnType::CommonName, "x")]);
        let forged = subject_of(&[(DnType::OrganizationName, "Acme, CN=x")]);
        assert_eq!(honest.as_str(), "O=Acme, CN=x");
        assert_eq!(forged.as_str(), "O=Acme\\, CN=x");
    }

    #[test]
    fn what_people_write_is_read() {
        for text in
            ["O=Acme, CN=a b", "O = Acme,CN = a b ", "O=\"Acme\", CN=\"a b\"", "O=Acme,CN=a\\20b"]
        {
            assert_eq!(
                text.parse::<Subject>().expect("valid").as_str(),
                "O=Acme, CN=a b",
                "{text}"
            );
        }
        assert_eq!("CN=\"a, b\"".parse::<Subject>().expect("valid").as_str(), "CN=a\\, b");
        assert_eq!("CN=a+OU=b".parse::<Subject>().expect("valid").as_str(), "CN=a + OU=b");
        for text in ["", "prom", "/CN=prom/O=x", "CN=a,", "=x", "CN=\"a", "CN=a\\"] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
        assert_eq!(
            format!("CN={}", "a".repeat(2000)).parse::<Subject>(),
            Err(SubjectError::TooLong)
        );
    }
}
