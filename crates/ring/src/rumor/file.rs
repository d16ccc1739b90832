//! A file that a user uploaded for a whole group. Key: group and file name. The higher incarnation
//! wins.

use std::borrow::Cow;

use bytes::Bytes;
use roost_ident::ServiceFile;

use super::kind::{Merge, RumorKind, RumorType};
use crate::{
    dropped::Dropped,
    limits::FILENAME_BYTES_MAX,
    names::{checked_group, detached},
};

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

impl RumorType for ServiceFile {
    const KIND: RumorKind = RumorKind::ServiceFile;
    type Wire = ServiceFileWire;

    fn key(&self) -> &str {
        &self.group
    }

    fn id(&self) -> Cow<'_, str> {
        self.filename.as_str().into()
    }

    fn merged(&self, incoming: Self) -> Merge<Self> {
        Merge::by_incarnation(self.incarnation, incoming.incarnation, incoming)
    }

    fn weight(&self) -> usize {
        self.body.len() + self.from_id.len()
    }

    fn sender(&self) -> String {
        self.from_id.clone()
    }

    fn to_wire(&self) -> ServiceFileWire {
        ServiceFileWire {
            service_group: Some(self.group.clone()),
            incarnation: Some(self.incarnation),
            encrypted: Some(self.encrypted),
            filename: Some(self.filename.clone()),
            body: Some(self.body.clone()),
        }
    }

    fn from_wire(from_id: String, wire: ServiceFileWire) -> Result<Self, Dropped> {
        let filename = wire.filename.ok_or(Dropped::MissingField("filename"))?;
        if filename.len() > FILENAME_BYTES_MAX {
            return Err(Dropped::NameTooLong);
        }
        Ok(Self {
            from_id,
            group: checked_group(wire.service_group)?,
            incarnation: wire.incarnation.unwrap_or_default(),
            encrypted: wire.encrypted.unwrap_or_default(),
            filename,
            body: detached(wire.body),
        })
    }
}
