//! What the Supervisor sends.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use prost::{Enumeration, Message, Oneof};

use super::PROTOCOL_VERSION;
#[cfg(doc)]
use super::{Ended, LauncherEvent, MAX_ENTRIES, MAX_STATE_BYTES, Process, Welcome};
use crate::line::Style;

/// What the Supervisor asks of the launcher.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum Request {
    /// The first message of every Supervisor.
    #[prost(message, tag = "1")]
    Hello(Hello),
    /// Start a process. Answered by [`LauncherEvent::Spawned`] or [`LauncherEvent::SpawnFailed`].
    #[prost(message, tag = "2")]
    Spawn(Spawn),
    /// Send a signal. No answer: a process that is gone has its [`LauncherEvent::Exited`] on the
    /// way. It works until [`LauncherEvent::GroupGone`], so also for what a dead main process left
    /// in its group.
    #[prost(message, tag = "3")]
    Signal(SendSignal),
    /// Keep this for the next Supervisor; it replaces the earlier state of that name. Kept
    /// in memory only, whether or not a process of that name runs. Longer than
    /// [`MAX_STATE_BYTES`], more than [`MAX_ENTRIES`] names, or no name that fits into a line: not
    /// kept, with a line on the launcher's stderr.
    #[prost(message, tag = "4")]
    Remember(Remembered),
    /// Drop the state and the last [`Ended`] of this service group (after stop or unload).
    #[prost(string, tag = "5")]
    Forget(String),
    /// The Supervisor handles events. When it does not say so again in time, the launcher kills it
    /// and starts another; one that never says it is never killed for that.
    #[prost(message, tag = "6")]
    Alive(Alive),
    /// For systemd (`sd_notify(3)`): everything is started, as far as the Supervisor decides it.
    /// The launcher sends it, because systemd takes such messages from the process it started
    /// only. Without systemd this and the next two do nothing.
    #[prost(message, tag = "7")]
    Ready(()),
    /// For systemd: an orderly end has begun.
    #[prost(message, tag = "8")]
    Stopping(()),
    /// For systemd: one line for `systemctl status`.
    #[prost(string, tag = "9")]
    Status(String),
}

/// How a Supervisor introduces itself.
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
    /// Room for the files of lines of each service, in bytes; 0 keeps no lines, and without it the
    /// launcher keeps what it kept before.
    #[prost(uint64, optional, tag = "6")]
    pub service_log_bytes: Option<u64>,
}

impl Hello {
    /// For this version. `style` is the look of the launcher's own lines from now on: options and
    /// configuration file of the Supervisor decide it.
    #[must_use]
    pub fn new(style: Style) -> Self {
        let Style { color, json, verbose, time, journal: _ } = style;
        Self { version: PROTOCOL_VERSION, color, json, verbose, time, service_log_bytes: None }
    }

    /// The look of lines. What depends on the output, the launcher finds out itself.
    #[must_use]
    pub fn style(&self) -> Style {
        let Self { version: _, color, json, verbose, time, service_log_bytes: _ } = *self;
        Style { color, json, verbose, time, journal: false }
    }
}

/// A process to start.
///
/// It gets a session of its own (its process group is that of its process id), `/dev/null` as
/// stdin, all signals unblocked and at their default, the resource limits the launcher was started
/// with, and no other descriptor. Working directory and umask are the launcher's
/// (reference: services §6.3, §6.4).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Spawn {
    /// Chosen by the Supervisor, never used before: count on from [`Welcome::next_id`]. A used id
    /// is refused (`EEXIST`).
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// What becomes of it when the Supervisor dies, and of its output ([`Kind`]). A kind that the
    /// launcher does not know is refused (`EINVAL`).
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    /// For services the service group (`redis.default`), which begins its output lines. Only one
    /// live process may have it: a second one is refused (`EEXIST`). For hooks any label.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The file to execute; an absolute path.
    #[prost(bytes = "vec", tag = "4")]
    pub program: Vec<u8>,
    /// Arguments after the program's own name.
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub args: Vec<Vec<u8>>,
    /// The complete environment. Private variables ([`crate::environment::is_private`]) are taken
    /// out on the way, whoever put them in.
    #[prost(message, repeated, tag = "6")]
    pub env: Vec<Variable>,
    /// Whom to become; `None` keeps the launcher's user.
    #[prost(message, optional, tag = "7")]
    pub user: Option<Ids>,
    /// How it is stopped when that is the launcher's to do, or a later Supervisor's.
    #[prost(message, required, tag = "8")]
    pub shutdown: Shutdown,
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
    /// What is before the `=`.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// What is after it.
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

/// How a process is asked to end. The default is `TERM` and 8 seconds (reference: services §1.6).
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

/// What a process is to the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Main process of a service: lives on when the Supervisor dies; its output is printed by the
    /// launcher as `NAME(O): line`, `NAME(E): line`.
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
    /// Whom it reaches ([`Scope`]).
    #[prost(enumeration = "Scope", tag = "3")]
    pub scope: i32,
}

/// Whom a signal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub enum Scope {
    /// All processes of the group.
    Group = 1,
    /// Only the process that was started.
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
    /// Anything; the launcher does not look inside.
    #[prost(bytes = "vec", tag = "2")]
    pub bytes: Vec<u8>,
}
