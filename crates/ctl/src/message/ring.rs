//! Requests about the ring and the Supervisor.

use prost::Message;

use super::{Named, message, names::ServiceGroup};

message! {
    /// Check the form of a configuration.
    SvcValidateCfg {
        /// Target group; ignored.
        #[prost(message, optional, tag = "1")]
        service_group: Option<ServiceGroup>,
        /// Always 0, TOML.
        #[prost(int32, optional, tag = "2")]
        format: Option<i32>,
        /// The configuration.
        #[prost(bytes = "vec", optional, tag = "3")]
        cfg: Option<Vec<u8>>,
    }
}

message! {
    /// Apply a configuration to a group.
    SvcSetCfg {
        /// The group.
        #[prost(message, optional, tag = "1")]
        service_group: Option<ServiceGroup>,
        /// The configuration.
        #[prost(bytes = "vec", optional, tag = "2")]
        cfg: Option<Vec<u8>>,
        /// Its version; the greatest wins.
        #[prost(uint64, optional, tag = "3")]
        version: Option<u64>,
        /// It is encrypted for the group.
        #[prost(bool, optional, tag = "4")]
        is_encrypted: Option<bool>,
    }
}

message! {
    /// Upload a file to a group.
    SvcFilePut {
        /// The group.
        #[prost(message, optional, tag = "1")]
        service_group: Option<ServiceGroup>,
        /// Its content.
        #[prost(bytes = "vec", optional, tag = "2")]
        content: Option<Vec<u8>>,
        /// Its name.
        #[prost(string, optional, tag = "3")]
        filename: Option<String>,
        /// Its version; the greatest wins.
        #[prost(uint64, optional, tag = "4")]
        version: Option<u64>,
        /// It is encrypted for the group.
        #[prost(bool, optional, tag = "5")]
        is_encrypted: Option<bool>,
    }
}

message! {
    /// Mark a member of the ring as departed.
    SupDepart {
        /// Id of the member.
        #[prost(string, optional, tag = "1")]
        member_id: Option<String>,
    }
}

message! {
    /// Restart the Supervisor.
    SupRestart {}
}
