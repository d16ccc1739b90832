//! Versions of documents of the v1 API: the tag that names one by its content, and its compressed
//! form, each made once and shared by all answers.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, IF_NONE_MATCH},
};
use sha2::{Digest, Sha256};

use crate::limits::GZIP_BYTES_MIN;

/// Before the tag of a version that names no exact bytes.
const WEAK: &str = "W/";

/// What belongs to the bytes of one version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Version(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tag: OnceLock<String>,
    compressed: OnceLock<Option<Bytes>>,
}

impl Version {
    /// The version of a document with measurements in it: its tag is that of the facts alone, and
    /// weak, because equal versions may differ in bytes (RFC 9110 section 8.8.1).
    pub(crate) fn of_facts(facts: &[u8]) -> Self {
        let version = Self::default();
        let tag = format!("{WEAK}{}", hex(&Sha256::digest(facts)[..16]));
        version.0.tag.get_or_init(|| tag);
        version
    }

    /// The tag of these bytes, without quotes: the same content has the same one, whenever and
    /// wherever it was made.
    pub(crate) fn tag(&self, bytes: &[u8]) -> &str {
        self.0.tag.get_or_init(|| hex(&Sha256::digest(bytes)[..16]))
    }

    /// The bytes compressed; nothing where that is not worth it.
    pub(crate) fn compressed(&self, bytes: &[u8]) -> Option<&Bytes> {
        let compressed = self.0.compressed.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
            // Writing to memory does not fail.
            written.ok().filter(|made| made.len() < bytes.len()).map(Bytes::from)
        });
        compressed.as_ref().filter(|_| bytes.len() >= GZIP_BYTES_MIN)
    }
}

/// The header of a tag. The compressed form has one of its own, being other bytes.
pub(crate) fn etag(tag: &str, is_compressed: bool) -> HeaderValue {
    let suffix = if is_compressed { "-gzip" } else { "" };
    let text = match tag.strip_prefix(WEAK) {
        Some(tag) => format!("{WEAK}\"{tag}{suffix}\""),
        None => format!("\"{tag}{suffix}\""),
    };
    HeaderValue::from_str(&text).expect("hexadecimal digits")
}

/// True when the client has this version already, in either form (RFC 9110 section 13.1.2).
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tag = tag.strip_prefix(WEAK).unwrap_or(tag);
    let values = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|it| it.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|candidate| {
        let candidate = candidate.strip_prefix(WEAK).unwrap_or(candidate);
        let inner = candidate.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        candidate == "*" || inner.is_some_and(|it| it.strip_suffix("-gzip").unwrap_or(it) == tag)
    })
}

/// True when the client takes gzip (RFC 9110 section 12.5.3).
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|it| it.to_str().ok());
    let mut any = false;
    for coding in values.flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let quality = parameters.split_once('=').filter(|it| it.0.trim().eq_ignore_ascii_case("q"));
        let wanted = quality.is_none_or(|it| it.1.trim().parse::<f32>().is_ok_and(|q| q > 0.0));
        match name.trim() {
            name if name.eq_ignore_ascii_case("gzip") => return wanted,
            "*" => any = wanted,
            _ => {}
        }
    }
    any
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &http::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn a_tag_is_known_in_each_form_that_a_client_may_send() {
        let known = |values: &[&str]| is_known(&headers(&IF_NONE_MATCH, values), "ab12");
        for values in [
            ["\"ab12\""].as_slice(),
            &["W/\"ab12\""],
            &["\"ab12-gzip\""],
            &["\"x\", \"ab12\""],
            &["\"x\"", "\"ab12\""],
            &["*"],
        ] {
            assert!(known(values), "{values:?}");
        }
        for values in
            [[].as_slice(), &["ab12"], &["\"ab1\""], &["\"AB12\""], &["\"ab12\"x"], &["\""]]
        {
            assert!(!known(values), "{values:?}");
        }
    }

    #[test]
    fn a_tag_of_facts_is_weak_and_the_same_for_other_measurements() {
        let (one, other) = (Version::of_facts(b"facts"), Version::of_facts(b"facts"));
        assert_eq!(one.tag(b"facts and 1"), other.tag(b"facts and 2"));
        let tag = one.tag(b"");
        let header = etag(tag, true);
        assert!(header.to_str().is_ok_and(|it| it.starts_with("W/\"") && it.ends_with("-gzip\"")));
        let sent = headers(&IF_NONE_MATCH, &[header.to_str().expect("text")]);
        assert!(is_known(&sent, tag));
        assert!(!is_known(&sent, Version::of_facts(b"others").tag(b"")));
    }

    #[test]
    fn gzip_is_sent_only_where_it_is_taken() {
        let takes = |value: &str| takes_gzip(&headers(&ACCEPT_ENCODING, &[value]));
        for value in ["gzip", "br, GZIP;q=0.5", "*", "deflate, gzip ; q=1", "gzip;q=0.001"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "br", "gzip;q=0", "*, gzip;q=0", "*;q=0", "gzip;q=x", "identity"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_version_is_compressed_once_and_only_where_it_helps() {
        let (long, version) = ("state ".repeat(1000), Version::default());
        let first = version.compressed(long.as_bytes()).expect("shorter").clone();
        let again = version.clone();
        assert_eq!(again.compressed(long.as_bytes()).expect("shorter").as_ptr(), first.as_ptr());
        let mut read = String::new();
        let mut decoder = flate2::read::GzDecoder::new(first.as_ref());
        std::io::Read::read_to_string(&mut decoder, &mut read).expect("gzip");
        assert_eq!(read, long);
        assert!(Version::default().compressed(b"short").is_none());
    }
}
