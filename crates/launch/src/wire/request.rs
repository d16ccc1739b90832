//! Requests of the Supervisor.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use prost::{Enumeration, Message, Oneof};

use super::PROTOCOL_VERSION;
#[cfg(doc)]
use super::{Ended, LauncherEvent, MAX_ENTRIES, MAX_STATE_BYTES, Process, Welcome};
use crate::line::Style;

/// Requests of the Supervisor to the launcher.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum Request {
    /// The first message of every Supervisor.
    #[prost(message, tag = "1")]
    Hello(Hello),
    /// Start a process. Answered by [`LauncherEvent::Spawned`] or [`LauncherEvent::SpawnFailed`].
    #[prost(message, tag = "2")]
    Spawn(Spawn),
    /// Send a signal. No answer: for a process that is gone, [`LauncherEvent::Exited`] is on its
    /// way. It works until [`LauncherEvent::GroupGone`], and so for remaining processes of a group
    /// without its main process too.
    #[prost(message, tag = "3")]
    Signal(SendSignal),
    /// Keep this state for the next Supervisor; it replaces the earlier state of that name. Kept in
    /// memory only, whether or not a process of that name runs. A state longer than
    /// [`MAX_STATE_BYTES`], with more than [`MAX_ENTRIES`] names, or with an invalid name is not
    /// kept, with a line on the launcher's stderr.
    #[prost(message, tag = "4")]
    Remember(Remembered),
    /// Drop the state and the last [`Ended`] of this service group (after stop or unload).
    #[prost(string, tag = "5")]
    Forget(String),
    /// The Supervisor handles events. Without a further report in time, the launcher kills it and
    /// starts another; one that never reports is never killed for that.
    #[prost(message, tag = "6")]
    Alive(Alive),
    /// For systemd (`sd_notify(3)`): everything that the Supervisor decides is started. The
    /// launcher sends it, because systemd accepts such messages only from the process it started.
    /// Without systemd this and the next two do nothing.
    #[prost(message, tag = "7")]
    Ready(()),
    /// For systemd: a clean shutdown has begun.
    #[prost(message, tag = "8")]
    Stopping(()),
    /// For systemd: one line for `systemctl status`.
    #[prost(string, tag = "9")]
    Status(String),
}

/// The first message of a Supervisor.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the sender.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// See [`Style::color`].
    #[prost(bool, tag = "2")]
    pub color: bool,
    /// See [`Style::json`].
    #[prost(bool, tag = "3")]
    pub json: bool,
    /// See [`Style::verbose`].
    #[prost(bool, tag = "4")]
    pub verbose: bool,
    /// See [`Style::time`].
    #[prost(bool, tag = "5")]
    pub time: bool,
    /// Limit of each service's log files, in bytes; 0 keeps no lines, and without it the launcher
    /// keeps its setting.
    #[prost(uint64, optional, tag = "6")]
    pub service_log_bytes: Option<u64>,
}

impl Hello {
    /// For this version. `style` is the format of the launcher's own lines from now on, from the
    /// Supervisor's options and configuration file.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let Style { color, json, verbose, time, journal: _ } = style;
        Self { version: PROTOCOL_VERSION, color, json, verbose, time, service_log_bytes: None }
    }

    /// The format of lines. The launcher itself determines what depends on the output.
    #[must_use]
    pub fn style(&self) -> Style {
        let Self { version: _, color, json, verbose, time, service_log_bytes: _ } = *self;
        Style { color, json, verbose, time, journal: false }
    }
}

/// A process to start.
///
/// It gets its own session (its process group is that of its process id), `/dev/null` as stdin, all
/// signals unblocked and at their default, the launcher's original resource limits, and no other
/// descriptor. Working directory and umask are the launcher's (reference: services §6.3, §6.4).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Spawn {
    /// Chosen by the Supervisor, never used before: count from [`Welcome::next_id`]. A used id is
    /// refused (`EEXIST`).
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Determines whether it outlives the Supervisor, and the destination of its output ([`Kind`]).
    /// An unknown kind is refused (`EINVAL`).
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    /// For services the service group (`redis.default`), the preamble of its output lines. Only one
    /// live process may have it: a second one is refused (`EEXIST`). For hooks any label.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The file to execute; an absolute path.
    #[prost(bytes = "vec", tag = "4")]
    pub program: Vec<u8>,
    /// Arguments after the program's own name.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub args: Vec<Vec<u8>>,
    /// The complete environment. Private variables ([`crate::environment::is_private`]) are
    /// removed, whatever their origin.
    #[prost(message, repeated, tag = "6")]
    pub env: Vec<Variable>,
    /// User and groups to switch to; `None` keeps the launcher's user.
    #[prost(message, optional, tag = "7")]
    pub user: Option<Ids>,
    /// How the launcher, or a later Supervisor, stops it.
    #[prost(message, required, tag = "8")]
    pub shutdown: Shutdown,
    /// Of a hook: which service's lines its output belongs to. Without it the output is not kept.
    #[prost(message, optional, tag = "9")]
    pub kept: Option<KeptLines>,
}

/// How the lines of a hook are kept among those of its service.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeptLines {
    /// The service group.
    #[prost(string, tag = "1")]
    pub group: String,
    /// The name of the hook, in front of each line.
    #[prost(string, tag = "2")]
    pub hook: String,
}

impl Spawn {
    /// The file to execute.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        OsStr::from_bytes(&self.program)
    }

    /// The value of a variable of its environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|variable| variable.name == name.as_bytes()).map(Variable::value)
    }
}

/// A variable of an environment.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Variable {
    /// The part before the `=`.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// The part after it.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

impl Variable {
    /// As a string of the system.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }

    /// As a string of the system.
    #[must_use]
    pub fn value(&self) -> &OsStr {
        OsStr::from_bytes(&self.value)
    }
}

impl From<(OsString, OsString)> for Variable {
    fn from((name, value): (OsString, OsString)) -> Self {
        Self { name: name.into_vec(), value: value.into_vec() }
    }
}

/// How a process is stopped. The default is `TERM` and 8 seconds (reference: services §1.6).
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Shutdown {
    /// Number of the signal.
    #[prost(int32, required, tag = "1", default = "15")]
    pub signal: i32,
    /// Time between it and `KILL`, milliseconds.
    #[prost(uint64, required, tag = "2", default = "8000")]
    pub timeout_ms: u64,
}

/// User and groups of a process, set in the order supplementary groups, group, user.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ids {
    /// User id.
    #[prost(uint32, tag = "1")]
    pub uid: u32,
    /// Group id.
    #[prost(uint32, tag = "2")]
    pub gid: u32,
    /// Supplementary groups, complete (`getgrouplist` of the user with the service group).
    #[prost(uint32, repeated, tag = "3")]
    pub groups: Vec<u32>,
}

/// Kind of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Main process of a service: outlives the Supervisor; the launcher prints its output as
    /// `NAME(O): line`, `NAME(E): line`.
    Service = 1,
    /// A hook: its output goes to the Supervisor; it is killed with its group when the Supervisor
    /// dies.
    Hook = 2,
}

/// A signal to send.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct SendSignal {
    /// The id of the [`Spawn`] or of the [`Process`] in a [`Welcome`].
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Number of the signal (`libc::SIGTERM`, ...).
    #[prost(int32, tag = "2")]
    pub signal: i32,
    /// Its target ([`Scope`]).
    #[prost(enumeration = "Scope", tag = "3")]
    pub scope: i32,
}

/// Target of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum Scope {
    /// All processes of the group.
    Group = 1,
    /// Only the started process.
    Process = 2,
}

/// A promise of the Supervisor.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Alive {
    /// It reports again within this time, milliseconds.
    #[prost(uint64, tag = "1")]
    pub within_ms: u64,
}

/// Bytes kept for a service.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Remembered {
    /// Service group.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Opaque to the launcher.
    #[prost(bytes = "vec", tag = "2")]
    pub bytes: Vec<u8>,
}
