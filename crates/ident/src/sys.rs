//! Where a Supervisor is reached. Key order is that of documents and templates.

use serde::{Deserialize, Serialize, Serializer};

/// Addresses of a Supervisor, as its service rumors hold them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RingSys))]
#[serde(deny_unknown_fields)]
pub struct SysInfo {
    /// Its IP address.
    pub ip: String,
    /// Its host name.
    pub hostname: String,
    /// Where it listens for gossip.
    pub gossip_ip: String,
    /// Port for gossip.
    #[serde(serialize_with = "port")]
    #[cfg_attr(feature = "schema", schema(value_type = u16))]
    pub gossip_port: u32,
    /// Where its HTTP API listens.
    pub http_gateway_ip: String,
    /// Port of its HTTP API.
    #[serde(serialize_with = "port")]
    #[cfg_attr(feature = "schema", schema(value_type = u16))]
    pub http_gateway_port: u32,
    /// Where its control gateway listens.
    pub ctl_gateway_ip: String,
    /// Port of its control gateway.
    #[serde(serialize_with = "port")]
    #[cfg_attr(feature = "schema", schema(value_type = u16))]
    pub ctl_gateway_port: u32,
}

/// A rumor can hold any number as a port; one beyond 65535 is shown as 0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn port<S: Serializer>(port: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(u16::try_from(*port).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_a_port_is_shown_as_0() {
        let sys = SysInfo { gossip_port: 65_535, ctl_gateway_port: 70_000, ..SysInfo::default() };
        assert_eq!(
            serde_json::to_string(&sys).expect("JSON"),
            r#"{"ip":"","hostname":"","gossip_ip":"","gossip_port":65535,"http_gateway_ip":"","http_gateway_port":0,"ctl_gateway_ip":"","ctl_gateway_port":0}"#
        );
    }
}
