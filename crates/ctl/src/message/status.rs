//! What is known of a service.

use prost::Message;

use super::{
    Named, message,
    names::{PackageIdent, ServiceGroup},
};

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
