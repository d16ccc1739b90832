//! This Supervisor as others see it: in documents, templates and rumors.

use std::{env, net::SocketAddr};

use roost_api::documents::{service, supervisor};
use roost_ident::SysInfo;
use roost_template::context;

use crate::{
    VERSION, clock::Clock, config::SupConfig, documents::supervisor::Facts, ring::gateway::Here,
    system,
};

/// Addresses of the three listeners.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listeners {
    pub(crate) http: SocketAddr,
    pub(crate) ctl: SocketAddr,
    pub(crate) gossip: SocketAddr,
}

/// This Supervisor.
pub(crate) struct Me {
    member_id: String,
    permanent: bool,
    listeners: Listeners,
    addresses: SysInfo,
}

impl Me {
    pub(crate) fn find(config: &SupConfig, member_id: String, listeners: Listeners) -> Self {
        let lookup = env::var("HAB_OUTBOUND_IP_ADDR_LOOKUP_SOCKET_ADDR").ok();
        let ip = config.sys_ip.unwrap_or_else(|| system::outbound_ip(lookup.as_deref()));
        let Listeners { http, ctl, gossip } = listeners;
        Self {
            member_id,
            permanent: config.ring.permanent,
            listeners,
            addresses: SysInfo {
                ip: ip.to_string(),
                hostname: system::hostname(),
                gossip_ip: gossip.ip().to_string(),
                gossip_port: gossip.port().into(),
                http_gateway_ip: http.ip().to_string(),
                http_gateway_port: http.port().into(),
                ctl_gateway_ip: ctl.ip().to_string(),
                ctl_gateway_port: ctl.port().into(),
            },
        }
    }

    /// `sys` of a service's document, whose order of keys is its own.
    pub(crate) fn document(&self) -> service::Sys {
        let Listeners { http, ctl, gossip } = self.listeners;
        let addresses = self.addresses.clone();
        service::Sys {
            version: VERSION.into(),
            member_id: self.member_id.clone(),
            ip: addresses.ip,
            hostname: addresses.hostname,
            gossip_ip: addresses.gossip_ip,
            gossip_port: gossip.port(),
            ctl_gateway_ip: addresses.ctl_gateway_ip,
            ctl_gateway_port: ctl.port(),
            http_gateway_ip: addresses.http_gateway_ip,
            http_gateway_port: http.port(),
            permanent: self.permanent,
        }
    }

    /// What `/v1/supervisor` shows of it.
    pub(crate) fn facts(&self, clock: &Clock) -> Facts {
        let Listeners { http, ctl, gossip } = self.listeners;
        Facts {
            member_id: self.member_id.clone(),
            hostname: self.addresses.hostname.clone(),
            ip: self.addresses.ip.clone(),
            started: clock.instant(0),
            started_unix_ms: clock.started_unix_ms(),
            addresses: supervisor::Addresses {
                http: http.to_string(),
                control: ctl.to_string(),
                gossip: gossip.to_string(),
            },
        }
    }

    /// What decides which gateways of other members are asked.
    pub(crate) fn here(&self, ring_has_key: bool) -> Here {
        let gossip = self.listeners.gossip.ip();
        let announced = self.addresses.ip.parse().unwrap_or(gossip);
        Here { gossip, announced, ring_has_key }
    }

    /// `sys` of a template.
    pub(crate) fn template(&self) -> context::Sys {
        context::Sys {
            version: VERSION.into(),
            member_id: self.member_id.clone(),
            addresses: self.addresses.clone(),
            permanent: self.permanent,
        }
    }
}
