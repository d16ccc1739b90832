//! What users apply to a whole group: configurations and files. Key order is that of documents.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A configuration for a group, as the ring holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ServiceConfigRumor))]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// Who sent it; `butterflyclient` for what came through the control gateway.
    pub from_id: String,
    /// For which group.
    #[serde(rename = "service_group")]
    pub group: String,
    /// Version number that the user gave.
    pub incarnation: u64,
    /// True when `config` is a box for the key of the service.
    pub encrypted: bool,
    /// TOML text or its box; opaque to the ring. In documents an array of numbers.
    #[serde(with = "octets")]
    #[cfg_attr(feature = "schema", schema(value_type = Vec<u8>))]
    pub config: Bytes,
}

/// A file for a group, as the ring holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ServiceFileRumor))]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Who sent it; `butterflyclient` for what came through the control gateway.
    pub from_id: String,
    /// For which group.
    #[serde(rename = "service_group")]
    pub group: String,
    /// Version number that the user gave. Consumers ignore 0.
    pub incarnation: u64,
    /// True when `body` is a box for the key of the service.
    pub encrypted: bool,
    /// Its name; not validated by the ring.
    pub filename: String,
    /// Content or its box. In documents an array of numbers.
    #[serde(with = "octets")]
    #[cfg_attr(feature = "schema", schema(value_type = Vec<u8>))]
    pub body: Bytes,
}

/// A file for a group, decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CensusServiceFile))]
#[serde(deny_unknown_fields)]
pub struct GroupFile {
    /// Its name, which is a file name.
    pub filename: String,
    /// Version number that the user gave.
    pub incarnation: u64,
    /// Its content, an array of numbers.
    #[serde(with = "octets")]
    #[cfg_attr(feature = "schema", schema(value_type = Vec<u8>))]
    pub body: Bytes,
}

/// Bytes as an array of numbers.
mod octets {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(bytes: D) -> Result<Bytes, D::Error> {
        Vec::deserialize(bytes).map(Into::into)
    }
}
