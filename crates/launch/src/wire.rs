//! The messages between the launcher and the Supervisor.
//!
//! The Supervisor sends [`Request`]s, the launcher sends [`Event`]s, over a stream socket that the
//! launcher hands to each Supervisor it starts. Both sides skip messages and fields they do not
//! know, so an old launcher works with a new Supervisor. How they are written as bytes is in
//! [`crate::codec`].
//!
//! Order of a conversation: the Supervisor says [`Request::Hello`] first; the launcher answers with
//! [`Event::Welcome`], which holds everything that lives; after that both speak freely.

use std::ffi::OsString;

use crate::line::Style;

/// The version both sides of this crate speak. It grows when the meaning of a message changes;
/// new messages and new fields alone do not change it.
pub const PROTOCOL_VERSION: u32 = 1;

/// Largest message (all after the length prefix). Room for a full environment; the kernel itself
/// refuses more than a few of these at exec.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Longest name of a service or hook.
pub const MAX_NAME_BYTES: usize = 512;

/// Most bytes kept per service for the next Supervisor ([`Request::Remember`]).
pub const MAX_STATE_BYTES: usize = 4096;

/// Most processes (and, apart from them, most remembered names) the launcher keeps.
pub const MAX_ENTRIES: usize = 10_000;

/// Most bytes of stderr that come with the end of a service.
pub const MAX_LAST_WORDS_BYTES: usize = 1024;

/// Most bytes in one [`Event::Output`].
pub const MAX_OUTPUT_BYTES: usize = 16 * 1024;

/// What the Supervisor asks of the launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The first message of every Supervisor.
    Hello {
        /// [`PROTOCOL_VERSION`] of the sender.
        version: u32,
        /// How the launcher's own lines are to look from now on (options and configuration file
        /// of the Supervisor decide). Colour is still left out where the output is no terminal.
        style: Style,
    },
    /// Start a process. Answered by [`Event::Spawned`] or [`Event::SpawnFailed`].
    Spawn(Spawn),
    /// Send a signal. No answer: a process that is gone has its [`Event::Exited`] on the way. It
    /// works until [`Event::GroupGone`], so also for what a dead main process left in its group.
    Signal {
        /// Which process: the id of its [`Spawn`] or [`Survivor`].
        id: u64,
        /// Number of the signal (`libc::SIGTERM`, ...).
        signal: i32,
        /// The process alone, or its whole group.
        scope: Scope,
    },
    /// Keep these bytes for the next Supervisor; they replace the earlier ones of that name. Kept
    /// in memory only, whether or not a process of that name runs. Longer than
    /// [`MAX_STATE_BYTES`], more than [`MAX_ENTRIES`] names, or no name that fits into a line: not
    /// kept, with a line on the launcher's stderr.
    Remember {
        /// The service group.
        name: String,
        /// Anything; the launcher does not look inside.
        bytes: Vec<u8>,
    },
    /// The Supervisor handles events. When it does not say so again in time, the launcher kills it
    /// and starts another; one that never says it is never killed for that.
    Alive {
        /// It will be heard of again within so long, milliseconds.
        within_ms: u64,
    },
    /// Tell systemd something ([`crate::wire::Notice`]); without a systemd nothing happens.
    Notify(Notice),
    /// Drop the remembered bytes and the last [`Ended`] of this name (after stop or unload).
    Forget {
        /// The service group.
        name: String,
    },
}

/// What the Supervisor wants systemd to know (`sd_notify(3)`). The launcher sends it: systemd
/// takes such messages from the process it started and from no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Everything is started, as far as the Supervisor decides it.
    Ready,
    /// An orderly end has begun.
    Stopping,
    /// One line for `systemctl status`.
    Status(String),
}

/// A process to start.
///
/// It gets a session of its own (its process group is that of its process id), `/dev/null` as stdin, all signals unblocked and at their
/// default, the resource limits the launcher was started with, and no other descriptor. Working
/// directory and umask are the launcher's (reference: services §6.3, §6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawn {
    /// Chosen by the Supervisor, never used before: count on from [`Welcome::next_id`]. A used id
    /// is refused (`EEXIST`).
    pub id: u64,
    /// What becomes of it when the Supervisor dies, and of its output.
    pub kind: Kind,
    /// For services the service group (`redis.default`), which begins its output lines. Only one
    /// live process may have it: a second one is refused (`EEXIST`). For hooks any label.
    pub name: String,
    /// The file to execute; an absolute path.
    pub program: OsString,
    /// Arguments after the program's own name.
    pub args: Vec<OsString>,
    /// The complete environment. Private variables ([`crate::environment::is_private`]) are taken
    /// out on the way, whoever put them in.
    pub env: Vec<(OsString, OsString)>,
    /// Whom to become; `None` keeps the launcher's user.
    pub user: Option<Ids>,
    /// How it is stopped when that is the launcher's to do, or a later Supervisor's.
    pub shutdown: Shutdown,
}

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Number of the signal.
    pub signal: i32,
    /// Time between it and `KILL`, milliseconds.
    pub timeout_ms: u64,
}

impl Default for Shutdown {
    /// `TERM` and 8 seconds (reference: services §1.6).
    fn default() -> Shutdown {
        Shutdown { signal: libc::SIGTERM, timeout_ms: 8_000 }
    }
}

/// User and groups of a process, set in the order supplementary groups, group, user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, complete (`getgrouplist` of the user with the service group).
    /// `None` keeps the launcher's ("unknown uid: skipped", reference: services §6.4).
    pub groups: Option<Vec<u32>>,
}

/// What a process is to the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Main process of a service: lives on when the Supervisor dies; its output is printed by the
    /// launcher as `NAME(O): line`, `NAME(E): line`.
    Service,
    /// A hook: its output goes to the Supervisor; it is killed with its group when the Supervisor
    /// dies.
    Hook,
}

/// Whom a signal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All processes of the group.
    Group,
    /// Only the process that was started.
    Process,
}

/// Which output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It was the child of an earlier launcher, so nobody can know.
    Unknown,
}

/// What the launcher tells the Supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Answer to [`Request::Hello`].
    Welcome(Welcome),
    /// The program runs: exec succeeded.
    Spawned {
        /// Id of the request.
        id: u64,
        /// Process id, and id of its process group.
        pid: u32,
        /// Wall clock at the start, milliseconds since 1970.
        started_unix_ms: u64,
    },
    /// Nothing was started. Also for a service that [`Welcome::running`] lists, when its start was
    /// under way. Nothing else is told of this id.
    SpawnFailed {
        /// Id of the request.
        id: u64,
        /// The system's error number.
        errno: i32,
        /// What failed, with file and reason, for the operator.
        message: String,
    },
    /// Something about a process the operator should read once, e.g. another interpreter was taken.
    Notice {
        /// Id of the process.
        id: u64,
        /// One line.
        text: String,
    },
    /// A piece of a hook's output, cut anywhere. May still come after [`Event::HookEnded`] when
    /// something in the background kept the pipe; print it or ignore it.
    Output {
        /// Id of the hook.
        id: u64,
        /// Which of the two.
        stream: Stream,
        /// At most [`MAX_OUTPUT_BYTES`].
        bytes: Vec<u8>,
    },
    /// A hook ended and all its output has been sent: both pipes are closed, or a short grace went
    /// by in which something in the background still held them.
    HookEnded {
        /// Id of the hook.
        id: u64,
        /// How its own process ended.
        status: Status,
    },
    /// The process of a service itself ended. All it wrote before is printed already.
    Exited {
        /// Its id.
        id: u64,
        /// Its process id, free for others from now on.
        pid: u32,
        /// How.
        status: Status,
        /// Wall clock, milliseconds since 1970.
        at_unix_ms: u64,
        /// The last lines that a service printed to stderr, at most [`MAX_LAST_WORDS_BYTES`]:
        /// often they say why.
        last_words: String,
        /// Others of its process group can still run: [`Event::GroupGone`] comes when none can.
        /// A launcher that does not say so is taken to mean it.
        group_alive: bool,
    },
    /// Nothing of its process group can run any more: a stop is complete. After
    /// [`Event::Exited`], mostly at once. Services and survivors only. After KILL wait for it a
    /// few seconds at most: a process that the kernel holds still counts, a zombie does not.
    GroupGone {
        /// Its id.
        id: u64,
    },
    /// KILL was sent to a service, and there are processes in its group that the launcher may not
    /// signal: [`Event::GroupGone`] comes when somebody else ends them.
    OutOfReach {
        /// Its id.
        id: u64,
        /// Which, for the operator: `PID 7 (name, user 0)`, several separated by commas.
        processes: String,
    },
    /// Stop everything and end (exit code 0). The launcher waits without limit.
    Shutdown {
        /// The signal that asked for it.
        signal: i32,
    },
    /// End with exit code 0, leaving the services alone: a new Supervisor is started at once.
    Restart,
}

/// All that a new Supervisor takes over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`] of the launcher.
    pub version: u32,
    /// Process id of the launcher, which is also the content of LOCK.
    pub launcher_pid: u32,
    /// Smallest id that was never used. Ids go on over restarts of the Supervisor.
    pub next_id: u64,
    /// Services that live (or whose start is under way), children of this launcher.
    pub running: Vec<Running>,
    /// The last end of each service that does not run now and was neither started again nor
    /// forgotten: also ends that an earlier Supervisor was told of but may not have seen, and
    /// services of an earlier launcher that was killed and that nothing is left of.
    pub ended: Vec<Ended>,
    /// Processes of an earlier launcher that still live, and groups that outlive their first
    /// process, whose end is among `ended`. The one thing to do is to stop them.
    pub survivors: Vec<Survivor>,
    /// What [`Request::Remember`] kept, by service group.
    pub remembered: Vec<Remembered>,
}

impl Welcome {
    /// The bytes remembered for a service group.
    #[must_use]
    pub fn state_of(&self, name: &str) -> Option<&[u8]> {
        self.remembered.iter().find(|entry| entry.name == name).map(|entry| entry.bytes.as_slice())
    }
}

/// A living service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Id of its [`Spawn`].
    pub id: u64,
    /// Service group.
    pub name: String,
    /// Process id, and id of its process group.
    pub pid: u32,
    /// Start time as in field 22 of `/proc/PID/stat` (clock ticks since boot).
    pub start_ticks: u64,
    /// Wall clock at the start, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// As its [`Spawn`] had it.
    pub shutdown: Shutdown,
}

/// The end of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Id of its [`Spawn`].
    pub id: u64,
    /// Service group.
    pub name: String,
    /// The process id it had.
    pub pid: u32,
    /// How.
    pub status: Status,
    /// Wall clock, milliseconds since 1970.
    pub at_unix_ms: u64,
    /// As in [`Event::Exited`].
    pub last_words: String,
}

/// A service of an earlier launcher, found by process id, start time and boot id; it is no child
/// any more: [`Event::Exited`] comes with [`Status::Unknown`]. Or what a service of this launcher
/// left of its group: only [`Event::GroupGone`] follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Id it is signalled by.
    pub id: u64,
    /// Service group.
    pub name: String,
    /// Process id, and id of its process group.
    pub pid: u32,
    /// Wall clock at the start, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// As its [`Spawn`] had it.
    pub shutdown: Shutdown,
}

/// Bytes kept for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Service group.
    pub name: String,
    /// As given.
    pub bytes: Vec<u8>,
}
