//! Names and options that several messages hold.

use prost::Message;

use super::{Named, message};

message! {
    /// Identifier of a package.
    PackageIdent {
        /// Origin
        #[prost(string, required, tag = "1")]
        origin: String,
        /// Name
        #[prost(string, required, tag = "2")]
        name: String,
        /// Version
        #[prost(string, optional, tag = "3")]
        version: Option<String>,
        /// Release
        #[prost(string, optional, tag = "4")]
        release: Option<String>,
    }
}

message! {
    /// A service group. The organization is field 4; 3 is not used.
    ServiceGroup {
        /// Name of the service.
        #[prost(string, required, tag = "1")]
        service: String,
        /// Name of the group.
        #[prost(string, required, tag = "2")]
        group: String,
        /// Organization
        #[prost(string, optional, tag = "4")]
        organization: Option<String>,
    }
}

message! {
    /// A bind.
    ServiceBind {
        /// Name of the bind.
        #[prost(string, required, tag = "1")]
        name: String,
        /// The group that provides it.
        #[prost(message, required, tag = "2")]
        service_group: ServiceGroup,
    }
}

message! {
    /// Several binds; an empty list clears them, an absent one keeps them.
    ServiceBindList {
        /// The binds.
        #[prost(message, repeated, tag = "1")]
        binds: Vec<ServiceBind>,
    }
}

message! {
    /// Time between health checks.
    HealthCheckInterval {
        /// Seconds
        #[prost(uint64, required, tag = "1")]
        seconds: u64,
    }
}

impl From<&roost_ident::PackageIdent> for PackageIdent {
    fn from(ident: &roost_ident::PackageIdent) -> Self {
        Self {
            origin: ident.origin.clone(),
            name: ident.name.clone(),
            version: ident.version.clone(),
            release: ident.release.clone(),
        }
    }
}

impl From<PackageIdent> for roost_ident::PackageIdent {
    fn from(ident: PackageIdent) -> Self {
        Self {
            origin: ident.origin,
            name: ident.name,
            version: ident.version,
            release: ident.release,
        }
    }
}

impl From<&roost_ident::ServiceGroup> for ServiceGroup {
    fn from(group: &roost_ident::ServiceGroup) -> Self {
        Self {
            service: group.service().into(),
            group: group.group().into(),
            organization: group.organization().map(Into::into),
        }
    }
}

impl TryFrom<ServiceGroup> for roost_ident::ServiceGroup {
    type Error = roost_ident::ServiceGroupError;

    fn try_from(group: ServiceGroup) -> Result<Self, Self::Error> {
        Self::new(&group.service, &group.group, group.organization.as_deref())
    }
}

impl From<&roost_ident::ServiceBind> for ServiceBind {
    fn from(bind: &roost_ident::ServiceBind) -> Self {
        Self { name: bind.name.clone(), service_group: (&bind.group).into() }
    }
}

impl TryFrom<ServiceBind> for roost_ident::ServiceBind {
    type Error = roost_ident::ServiceGroupError;

    fn try_from(bind: ServiceBind) -> Result<Self, Self::Error> {
        Ok(Self::new(&bind.name, bind.service_group.try_into()?)?)
    }
}
