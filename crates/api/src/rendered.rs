//! Bytes of a document that are ready to be sent.

use bytes::Bytes;
use http::HeaderValue;

use crate::version::Version;

/// Bytes of a document, with their length ready to be sent.
#[derive(Debug, Clone)]
pub struct Rendered {
    pub(crate) bytes: Bytes,
    pub(crate) length: HeaderValue,
    /// Only documents of the v1 API have versions.
    pub(crate) version: Option<Version>,
}

impl Rendered {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: HeaderValue::from(bytes.len()), bytes, version: None }
    }

    /// Bytes of a document of the v1 API.
    pub(crate) fn versioned(bytes: impl Into<Bytes>) -> Self {
        Self { version: Some(Version::default()), ..Self::new(bytes) }
    }

    /// Bytes of a document of the v1 API that holds measurements: its version is that of the facts.
    pub(crate) fn with_version_of(bytes: impl Into<Bytes>, facts: &[u8]) -> Self {
        Self { version: Some(Version::of_facts(facts)), ..Self::new(bytes) }
    }

    /// The bytes; cheap to clone.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}
