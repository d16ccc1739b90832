//! Configuration that a user applied to a whole group. The higher incarnation wins.

use std::borrow::Cow;

use bytes::Bytes;
use roost_ident::ServiceConfig;

use super::kind::{Merge, RumorKind, RumorType};
use crate::{
    dropped::Dropped,
    names::{checked_group, detached},
};

/// Wire form (reference: ring §3.2).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ServiceConfigWire {
    #[prost(string, optional, tag = "1")]
    pub(crate) service_group: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) incarnation: Option<u64>,
    #[prost(bool, optional, tag = "3")]
    pub(crate) encrypted: Option<bool>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(crate) config: Option<Bytes>,
}

/// The second level key of every configuration.
pub const SERVICE_CONFIG_ID: &str = "service_config";

impl RumorType for ServiceConfig {
    const KIND: RumorKind = RumorKind::ServiceConfig;
    type Wire = ServiceConfigWire;

    fn key(&self) -> &str {
        &self.group
    }

    fn id(&self) -> Cow<'_, str> {
        SERVICE_CONFIG_ID.into()
    }

    fn merged(&self, incoming: Self) -> Merge<Self> {
        Merge::by_incarnation(self.incarnation, incoming.incarnation, incoming)
    }

    fn weight(&self) -> usize {
        self.config.len() + self.from_id.len()
    }

    fn sender(&self) -> String {
        self.from_id.clone()
    }

    fn to_wire(&self) -> ServiceConfigWire {
        ServiceConfigWire {
            service_group: Some(self.group.clone()),
            incarnation: Some(self.incarnation),
            encrypted: Some(self.encrypted),
            config: Some(self.config.clone()),
        }
    }

    fn from_wire(from_id: String, wire: ServiceConfigWire) -> Result<Self, Dropped> {
        Ok(Self {
            from_id,
            group: checked_group(wire.service_group)?,
            incarnation: wire.incarnation.unwrap_or_default(),
            encrypted: wire.encrypted.unwrap_or_default(),
            config: detached(wire.config),
        })
    }
}
