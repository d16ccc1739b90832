//! A file that a user uploaded for a whole group. Key: group and file name. The higher incarnation
//! wins.

use bytes::Bytes;

use crate::{dropped::Dropped, limits::FILENAME_BYTES_MAX};

/// Wire form (reference: ring §3.2).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ServiceFileWire {
    #[prost(string, optional, tag = "1")]
    pub(crate) service_group: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) incarnation: Option<u64>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) encrypted: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(crate) filename: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(crate) body: Option<Bytes>,
}

/// A file for a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFile {
    /// The injecting client; kept while others forward it.
    pub from_id: String,
    /// The group it is for.
    pub group: String,
    /// Version number that the user gave. Consumers ignore 0.
    pub incarnation: u64,
    /// True when `body` is a box for the key of the service.
    pub encrypted: bool,
    /// Its name; not validated by the ring.
    pub filename: String,
    /// Content or its box.
    pub body: Bytes,
}

impl ServiceFile {
    /// True when `incoming` replaces this one.
    #[must_use]
    pub const fn yields_to(&self, incoming: &Self) -> bool {
        incoming.incarnation > self.incarnation
    }

    pub(crate) fn to_wire(&self) -> ServiceFileWire {
        ServiceFileWire {
            service_group: Some(self.group.clone()),
            incarnation: Some(self.incarnation),
            encrypted: Some(self.encrypted),
            filename: Some(self.filename.clone()),
            body: Some(self.body.clone()),
        }
    }

    pub(crate) fn from_wire(from_id: String, wire: ServiceFileWire) -> Result<Self, Dropped> {
        let filename = wire.filename.ok_or(Dropped::MissingField("filename"))?;
        if filename.len() > FILENAME_BYTES_MAX {
            return Err(Dropped::NameTooLong);
        }
        Ok(Self {
            from_id,
            group: super::checked_group(wire.service_group)?,
            incarnation: wire.incarnation.unwrap_or_default(),
            encrypted: wire.encrypted.unwrap_or_default(),
            filename,
            body: super::detached(wire.body),
        })
    }
}
