//! The messages on the wire (reference: control §5): proto2, fields in ascending order, presence of
//! optional fields kept. [`crate::request`] and [`crate::reply`] define their meaning.
//!
//! Enumerations are plain numbers here, since a peer may send any.

use prost::Message;

/// A message with its id in frames.
pub trait Named: Message + Default {
    /// The message id.
    const ID: &'static str;
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Message)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl Named for $name {
            const ID: &'static str = stringify!($name);
        }
    };
}

message! {
    /// First message of a client.
    Handshake {
        /// The shared secret.
        #[prost(string, optional, tag = "1")]
        secret_key: Option<String>,
    }
}

message! {
    /// Success; ends a conversation.
    NetOk {
        /// Extension of Roost: nothing was changed, for this reason. Habitat skips it.
        #[prost(string, optional, tag = "100")]
        unchanged: Option<String>,
    }
}

message! {
    /// Failure; ends a conversation.
    NetErr {
        /// One of [`crate::reply::ErrorCode`].
        #[prost(int32, required, tag = "1")]
        code: i32,
        /// Text for the user.
        #[prost(string, required, tag = "2")]
        msg: String,
    }
}

message! {
    /// A piece of text for the user's terminal.
    ConsoleLine {
        /// The text, with its newline if it has one.
        #[prost(string, required, tag = "1")]
        line: String,
        /// Name of a colour.
        #[prost(string, optional, tag = "2")]
        color: Option<String>,
        /// Bold or not.
        #[prost(bool, required, tag = "3")]
        bold: bool,
    }
}

message! {
    /// Progress of a download.
    NetProgress {
        /// Total bytes.
        #[prost(uint64, required, tag = "1")]
        total: u64,
        /// Bytes so far.
        #[prost(uint64, required, tag = "2")]
        position: u64,
    }
}

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

message! {
    /// State of a process.
    ProcessStatus {
        /// Seconds since the last change between up and down.
        #[prost(uint64, optional, tag = "1")]
        elapsed: Option<u64>,
        /// Process id, when it runs.
        #[prost(uint32, optional, tag = "2")]
        pid: Option<u32>,
        /// 0 down, 1 up.
        #[prost(int32, required, tag = "3")]
        state: i32,
    }
}

message! {
    /// State of one service. Fields from 100 on are extensions of Roost; Habitat skips them.
    ServiceStatus {
        /// Fully qualified identifier of the package in use.
        #[prost(message, required, tag = "1")]
        ident: PackageIdent,
        /// Its process. Always sent, because Habitat's client requires it.
        #[prost(message, optional, tag = "2")]
        process: Option<ProcessStatus>,
        /// Its group.
        #[prost(message, required, tag = "3")]
        service_group: ServiceGroup,
        /// -1 none, 0 down, 1 up.
        #[prost(int32, optional, tag = "5")]
        desired_state: Option<i32>,
        /// Result of the last health check, spelled as in health documents (`OK`).
        #[prost(string, optional, tag = "100")]
        health: Option<String>,
        /// Number of restarts since it was loaded.
        #[prost(uint64, optional, tag = "101")]
        restarts: Option<u64>,
        /// Time of the last up or down, in seconds since 1970.
        #[prost(uint64, optional, tag = "102")]
        since_unix_s: Option<u64>,
        /// Member id of the group's leader, in a leader topology that has one.
        #[prost(string, optional, tag = "103")]
        leader: Option<String>,
        /// State of the service's updater.
        #[prost(string, optional, tag = "104")]
        update: Option<String>,
        /// Phase of the service, one word.
        #[prost(string, optional, tag = "105")]
        phase: Option<String>,
        /// Why it is not up, one line.
        #[prost(string, optional, tag = "106")]
        reason: Option<String>,
        /// The Supervisor has stored a command that it has not applied yet.
        #[prost(bool, optional, tag = "107")]
        pending: Option<bool>,
        /// State of the service, as in the documents of the HTTP API.
        #[prost(string, optional, tag = "108")]
        service_state: Option<String>,
        /// The reason code, one word.
        #[prost(string, optional, tag = "109")]
        reason_code: Option<String>,
        /// Output related to the reason, line by line.
        #[prost(string, repeated, tag = "110")]
        evidence: Vec<String>,
        /// A hook checks its health.
        #[prost(bool, optional, tag = "111")]
        has_check: Option<bool>,
        /// How long its process has been up, milliseconds.
        #[prost(uint64, optional, tag = "112")]
        up_ms: Option<u64>,
        /// The last end of its process.
        #[prost(message, optional, tag = "113")]
        last_exit: Option<LastExit>,
        /// The last hook that failed.
        #[prost(message, optional, tag = "114")]
        last_hook: Option<LastHook>,
        /// Critical health checks in a row until a restart; 0 is never.
        #[prost(uint32, optional, tag = "120")]
        restart_when_critical: Option<u32>,
    }
}

message! {
    /// The last end of a process, in [`ServiceStatus`].
    LastExit {
        /// Exit code, if it exited.
        #[prost(int32, optional, tag = "1")]
        code: Option<i32>,
        /// The signal that killed it.
        #[prost(int32, optional, tag = "2")]
        signal: Option<i32>,
        /// When, Unix milliseconds.
        #[prost(uint64, required, tag = "3")]
        at_unix_ms: u64,
        /// How long it ran, milliseconds.
        #[prost(uint64, required, tag = "4")]
        ran_ms: u64,
        /// `unexpected`, `stopped` or `stop_timeout`.
        #[prost(string, required, tag = "5")]
        cause: String,
        /// The last lines of stderr.
        #[prost(string, repeated, tag = "6")]
        stderr: Vec<String>,
        /// Its process id.
        #[prost(uint32, required, tag = "7")]
        pid: u32,
    }
}

message! {
    /// A failed hook, in [`ServiceStatus`].
    LastHook {
        /// Name of the hook.
        #[prost(string, required, tag = "1")]
        hook: String,
        /// Exit code, if it exited.
        #[prost(int32, optional, tag = "2")]
        code: Option<i32>,
        /// The signal that killed it.
        #[prost(int32, optional, tag = "3")]
        signal: Option<i32>,
        /// Why it could not be run.
        #[prost(string, optional, tag = "4")]
        error: Option<String>,
        /// It exceeded its time limit and was stopped.
        #[prost(bool, required, tag = "5")]
        timed_out: bool,
        /// When, Unix milliseconds.
        #[prost(uint64, required, tag = "6")]
        at_unix_ms: u64,
        /// The last lines of its output.
        #[prost(string, repeated, tag = "7")]
        output: Vec<String>,
    }
}

message! {
    /// Default configuration of a service.
    ServiceCfg {
        /// Always 0, TOML.
        #[prost(int32, optional, tag = "1")]
        format: Option<i32>,
        /// The text.
        #[prost(string, optional, tag = "2")]
        default: Option<String>,
    }
}

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
