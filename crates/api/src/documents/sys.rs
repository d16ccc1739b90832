//! What the ring knows about a Supervisor's addresses (reference: http-api §12.3, `sys`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Addresses of a ring member, as its service rumor announces them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingSys {
    /// Its IP address.
    pub ip: String,
    /// Its host name.
    pub hostname: String,
    /// Where it listens for gossip.
    pub gossip_ip: String,
    /// Port for gossip.
    pub gossip_port: u16,
    /// Where its HTTP API listens.
    pub http_gateway_ip: String,
    /// Port of its HTTP API.
    pub http_gateway_port: u16,
    /// Where its control gateway listens.
    pub ctl_gateway_ip: String,
    /// Port of its control gateway.
    pub ctl_gateway_port: u16,
}
