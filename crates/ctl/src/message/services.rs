//! Requests about services.

use prost::Message;

use super::{
    Named, message,
    names::{HealthCheckInterval, PackageIdent, ServiceBindList},
};

message! {
    /// Load a service.
    SvcLoad {
        /// The package to load.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
        /// Binds
        #[prost(message, optional, tag = "3")]
        binds: Option<ServiceBindList>,
        /// Address of Builder.
        #[prost(string, optional, tag = "6")]
        bldr_url: Option<String>,
        /// Channel of Builder.
        #[prost(string, optional, tag = "7")]
        bldr_channel: Option<String>,
        /// Directory with templates to use instead of the package's.
        #[prost(string, optional, tag = "8")]
        config_from: Option<String>,
        /// Reload a loaded service.
        #[prost(bool, optional, tag = "9")]
        force: Option<bool>,
        /// Group
        #[prost(string, optional, tag = "10")]
        group: Option<String>,
        /// Windows only.
        #[prost(string, optional, tag = "11")]
        svc_encrypted_password: Option<String>,
        /// 0 standalone, 1 leader.
        #[prost(int32, optional, tag = "12")]
        topology: Option<i32>,
        /// 0 none, 1 at once, 2 rolling.
        #[prost(int32, optional, tag = "13")]
        update_strategy: Option<i32>,
        /// 0 relaxed, 1 strict.
        #[prost(int32, optional, tag = "14")]
        binding_mode: Option<i32>,
        /// Time between health checks.
        #[prost(message, optional, tag = "15")]
        health_check_interval: Option<HealthCheckInterval>,
        /// Seconds a stop may take.
        #[prost(uint32, optional, tag = "16")]
        shutdown_timeout: Option<u32>,
        /// 0 latest, 1 track the channel.
        #[prost(int32, optional, tag = "17")]
        update_condition: Option<i32>,
        /// The plain directory of the package, for the Supervisor to follow. Extension of Roost.
        #[prost(string, optional, tag = "100")]
        directory: Option<String>,
        /// Critical health checks in a row until a restart; 0 is never. Extension of Roost.
        #[prost(uint32, optional, tag = "101")]
        restart_when_critical: Option<u32>,
    }
}

message! {
    /// Change a loaded service.
    SvcUpdate {
        /// The service.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
        /// Binds
        #[prost(message, optional, tag = "2")]
        binds: Option<ServiceBindList>,
        /// 0 relaxed, 1 strict.
        #[prost(int32, optional, tag = "3")]
        binding_mode: Option<i32>,
        /// Address of Builder.
        #[prost(string, optional, tag = "4")]
        bldr_url: Option<String>,
        /// Channel of Builder.
        #[prost(string, optional, tag = "5")]
        bldr_channel: Option<String>,
        /// Group
        #[prost(string, optional, tag = "6")]
        group: Option<String>,
        /// Windows only.
        #[prost(string, optional, tag = "7")]
        svc_encrypted_password: Option<String>,
        /// 0 standalone, 1 leader.
        #[prost(int32, optional, tag = "8")]
        topology: Option<i32>,
        /// 0 none, 1 at once, 2 rolling.
        #[prost(int32, optional, tag = "9")]
        update_strategy: Option<i32>,
        /// Time between health checks.
        #[prost(message, optional, tag = "10")]
        health_check_interval: Option<HealthCheckInterval>,
        /// Seconds a stop may take.
        #[prost(uint32, optional, tag = "11")]
        shutdown_timeout: Option<u32>,
        /// 0 latest, 1 track the channel.
        #[prost(int32, optional, tag = "12")]
        update_condition: Option<i32>,
        /// Critical health checks in a row until a restart; 0 is never. Extension of Roost.
        #[prost(uint32, optional, tag = "101")]
        restart_when_critical: Option<u32>,
    }
}

message! {
    /// Stop a service and remove it.
    SvcUnload {
        /// The service.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
        /// Seconds that the stop may take.
        #[prost(uint32, optional, tag = "3")]
        timeout_in_seconds: Option<u32>,
    }
}

message! {
    /// Start a loaded service.
    SvcStart {
        /// The service.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
    }
}

message! {
    /// Stop a loaded service.
    SvcStop {
        /// The service.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
        /// Seconds that the stop may take.
        #[prost(uint32, optional, tag = "3")]
        timeout_in_seconds: Option<u32>,
    }
}

message! {
    /// Request the state of one service, or of all.
    SvcStatus {
        /// The service.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
    }
}

message! {
    /// Request the default configuration of a service.
    SvcGetDefaultCfg {
        /// The service.
        #[prost(message, optional, tag = "1")]
        ident: Option<PackageIdent>,
    }
}
