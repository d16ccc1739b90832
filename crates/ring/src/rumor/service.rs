//! A service that a member runs, with its address and exported configuration. Key: group and owner.
//! The higher incarnation wins; at equal incarnation the first one stays.

use std::borrow::Cow;

use bytes::Bytes;
use roost_ident::SysInfo;

use super::kind::{Merge, RumorKind, RumorType};
use crate::{
    dropped::Dropped,
    id::MemberId,
    names::{checked_group, detached, member_id},
};

/// Wire form (reference: ring §3.2). Numbers 4 to 7 and 11 belonged to releases before 2017.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ServiceWire {
    #[prost(string, optional, tag = "1")]
    pub(crate) member_id: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(crate) service_group: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) incarnation: Option<u64>,
    #[prost(bool, optional, tag = "8")]
    pub(crate) initialized: Option<bool>,
    #[prost(string, optional, tag = "9")]
    pub(crate) pkg: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "10")]
    pub(crate) cfg: Option<Bytes>,
    #[prost(message, optional, tag = "12")]
    pub(crate) sys: Option<SysInfoWire>,
    #[prost(uint64, optional, tag = "13")]
    pub(crate) pkg_incarnation: Option<u64>,
}

/// Wire form of [`SysInfo`].
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SysInfoWire {
    #[prost(string, optional, tag = "1")]
    ip: Option<String>,
    #[prost(string, optional, tag = "2")]
    hostname: Option<String>,
    #[prost(string, optional, tag = "3")]
    gossip_ip: Option<String>,
    #[prost(uint32, optional, tag = "4")]
    gossip_port: Option<u32>,
    #[prost(string, optional, tag = "5")]
    http_gateway_ip: Option<String>,
    #[prost(uint32, optional, tag = "6")]
    http_gateway_port: Option<u32>,
    #[prost(string, optional, tag = "7")]
    ctl_gateway_ip: Option<String>,
    #[prost(uint32, optional, tag = "8")]
    ctl_gateway_port: Option<u32>,
}

/// One member's service in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The member that runs it.
    pub member_id: MemberId,
    /// The group, `service.group[@organization]`.
    pub group: String,
    /// Version of this rumor, raised by its owner with every change.
    pub incarnation: u64,
    /// Never set by Habitat 2.1; kept as received.
    pub initialized: bool,
    /// The running package, fully qualified; may be garbage.
    pub pkg: String,
    /// Exported configuration as TOML text; may be empty or invalid.
    pub cfg: Bytes,
    /// The member's machine and listeners.
    pub sys: SysInfo,
    /// Number of package updates in a rolling update.
    pub pkg_incarnation: u64,
}

impl RumorType for Service {
    const KIND: RumorKind = RumorKind::Service;
    type Wire = ServiceWire;

    fn key(&self) -> &str {
        &self.group
    }

    fn id(&self) -> Cow<'_, str> {
        self.member_id.to_string().into()
    }

    fn merged(&self, incoming: Self) -> Merge<Self> {
        Merge::by_incarnation(self.incarnation, incoming.incarnation, incoming)
    }

    fn weight(&self) -> usize {
        let sys = &self.sys;
        let texts = [&self.pkg, &sys.ip, &sys.hostname, &sys.gossip_ip, &sys.http_gateway_ip];
        let texts = texts.into_iter().chain([&sys.ctl_gateway_ip]);
        self.cfg.len() + texts.map(String::len).sum::<usize>()
    }

    fn sender(&self) -> String {
        self.member_id.to_string()
    }

    fn to_wire(&self) -> ServiceWire {
        let sys = &self.sys;
        ServiceWire {
            member_id: Some(self.member_id.to_string()),
            service_group: Some(self.group.clone()),
            incarnation: Some(self.incarnation),
            initialized: Some(self.initialized),
            pkg: Some(self.pkg.clone()),
            cfg: Some(self.cfg.clone()),
            sys: Some(SysInfoWire {
                ip: Some(sys.ip.clone()),
                hostname: Some(sys.hostname.clone()),
                gossip_ip: Some(sys.gossip_ip.clone()),
                gossip_port: Some(sys.gossip_port),
                http_gateway_ip: Some(sys.http_gateway_ip.clone()),
                http_gateway_port: Some(sys.http_gateway_port),
                ctl_gateway_ip: Some(sys.ctl_gateway_ip.clone()),
                ctl_gateway_port: Some(sys.ctl_gateway_port),
            }),
            pkg_incarnation: Some(self.pkg_incarnation),
        }
    }

    fn from_wire(_: String, wire: ServiceWire) -> Result<Self, Dropped> {
        let sys = wire.sys.ok_or(Dropped::MissingField("sys"))?;
        Ok(Self {
            member_id: member_id(wire.member_id, "member-id")?,
            group: checked_group(wire.service_group)?,
            incarnation: wire.incarnation.unwrap_or_default(),
            initialized: wire.initialized.unwrap_or_default(),
            pkg: wire.pkg.ok_or(Dropped::MissingField("pkg"))?,
            cfg: detached(wire.cfg),
            sys: SysInfo {
                ip: sys.ip.ok_or(Dropped::MissingField("ip"))?,
                hostname: sys.hostname.ok_or(Dropped::MissingField("hostname"))?,
                // the schema's defaults are not applied to the rest (reference: ring §3.2)
                gossip_ip: sys.gossip_ip.unwrap_or_default(),
                gossip_port: sys.gossip_port.unwrap_or_default(),
                http_gateway_ip: sys.http_gateway_ip.unwrap_or_default(),
                http_gateway_port: sys.http_gateway_port.unwrap_or_default(),
                ctl_gateway_ip: sys.ctl_gateway_ip.unwrap_or_default(),
                ctl_gateway_port: sys.ctl_gateway_port.unwrap_or_default(),
            },
            pkg_incarnation: wire.pkg_incarnation.unwrap_or_default(),
        })
    }
}
