//! Events of the launcher.

use prost::{Message, Oneof};
use roost_logs::Stream;
use rustix::process::WaitStatus;

use super::{MAX_ENTRIES, Remembered, Shutdown};
#[cfg(doc)]
use super::{MAX_LAST_WORDS_BYTES, MAX_OUTPUT_BYTES, PROTOCOL_VERSION, Request, Spawn};

/// Most entries of each kind in one part of a [`Welcome`]: even the longest ones fit into a
/// message.
const PART_ENTRIES: usize = 100;

/// Events from the launcher to the Supervisor.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum LauncherEvent {
    /// Answer to [`Request::Hello`].
    #[prost(message, tag = "1")]
    Welcome(Welcome),
    /// The program runs: exec succeeded.
    #[prost(message, tag = "2")]
    Spawned(Spawned),
    /// Nothing was started. Also sent for a service in [`Welcome::running`] whose start was in
    /// progress. No other event follows for this id.
    #[prost(message, tag = "3")]
    SpawnFailed(SpawnFailed),
    /// A notice about a process for the operator, e.g. that another interpreter is used.
    #[prost(message, tag = "4")]
    Notice(Notice),
    /// A piece of a hook's output, split anywhere. May still follow [`LauncherEvent::HookEnded`]
    /// when a background process kept the pipe; print it or ignore it.
    #[prost(message, tag = "5")]
    Output(Output),
    /// A hook ended and all its output has been sent: both pipes are closed, or a background
    /// process still held them after a short grace period.
    #[prost(message, tag = "6")]
    HookEnded(HookEnded),
    /// The process of a service itself ended. All its earlier output is already printed.
    #[prost(message, tag = "7")]
    Exited(Exited),
    /// No process of this group can run any more: a stop is complete. Follows
    /// [`LauncherEvent::Exited`], usually immediately. Only for services and survivors. After KILL
    /// wait for it a few seconds at most: a process stuck in the kernel still counts, a zombie does
    /// not.
    #[prost(uint64, tag = "8")]
    GroupGone(u64),
    /// KILL was sent to a service, and its group contains processes that the launcher may not
    /// signal: [`LauncherEvent::GroupGone`] follows when they end otherwise.
    #[prost(message, tag = "9")]
    OutOfReach(OutOfReach),
    /// Stop everything and exit with code 0, because of this signal. The launcher waits without a
    /// limit.
    #[prost(int32, tag = "10")]
    Shutdown(i32),
    /// Exit with code 0, leaving the services alone: a new Supervisor starts immediately.
    #[prost(message, tag = "11")]
    Restart(()),
}

/// The state for a new Supervisor. Sent in parts, as it may be larger than a message.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Welcome {
    /// [`PROTOCOL_VERSION`] of the launcher.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Process id of the launcher, which is also the content of LOCK.
    #[prost(uint32, tag = "2")]
    pub launcher_pid: u32,
    /// Smallest id that was never used. Ids continue over restarts of the Supervisor.
    #[prost(uint64, tag = "3")]
    pub next_id: u64,
    /// Live services (or starting ones), children of this launcher.
    #[prost(message, repeated, tag = "4")]
    pub running: Vec<Process>,
    /// The last end of each service that does not run now and was neither restarted nor forgotten:
    /// includes ends that were reported to an earlier Supervisor, which may not have processed
    /// them, and services of a killed launcher of which nothing is left.
    #[prost(message, repeated, tag = "5")]
    pub ended: Vec<Ended>,
    /// Live processes of an earlier launcher, and groups that outlive their first process, whose
    /// end is among `ended`. They can only be stopped. The former are no longer children: they end
    /// without a [`WireStatus`]. For the latter only [`LauncherEvent::GroupGone`] follows.
    #[prost(message, repeated, tag = "6")]
    pub survivors: Vec<Process>,
    /// State kept by [`Request::Remember`], by service group.
    #[prost(message, repeated, tag = "7")]
    pub remembered: Vec<Remembered>,
    /// Another part follows.
    #[prost(bool, tag = "8")]
    pub goes_on: bool,
}

impl Welcome {
    /// The bytes remembered for a service group.
    #[must_use]
    pub fn state_of(&self, name: &str) -> Option<&[u8]> {
        self.remembered.iter().find(|entry| entry.name == name).map(|entry| entry.bytes.as_slice())
    }

    /// Splits it into parts that fit into messages.
    pub(crate) fn into_parts(mut self) -> impl Iterator<Item = Self> {
        let mut is_over = false;
        std::iter::from_fn(move || {
            let part = Self {
                running: first(&mut self.running),
                ended: first(&mut self.ended),
                survivors: first(&mut self.survivors),
                remembered: first(&mut self.remembered),
                ..self
            };
            let left =
                [self.running.len(), self.ended.len(), self.survivors.len(), self.remembered.len()];
            let goes_on = left.iter().any(|count| *count > 0);
            let part = Self { goes_on, ..part };
            (!std::mem::replace(&mut is_over, !goes_on)).then_some(part)
        })
    }

    /// Adds the next part; true when it was the last one. Leaves out entries beyond [`MAX_ENTRIES`]
    /// of a kind: no launcher has that many.
    pub fn add_part(&mut self, part: Self) -> bool {
        let Self { version, launcher_pid, next_id, running, ended, survivors, remembered, goes_on } =
            part;
        (self.version, self.launcher_pid, self.next_id) = (version, launcher_pid, next_id);
        add(&mut self.running, running);
        add(&mut self.ended, ended);
        add(&mut self.survivors, survivors);
        add(&mut self.remembered, remembered);
        !goes_on
    }
}

/// Takes the first entries.
fn first<T>(all: &mut Vec<T>) -> Vec<T> {
    let rest = all.split_off(all.len().min(PART_ENTRIES));
    std::mem::replace(all, rest)
}

fn add<T>(all: &mut Vec<T>, part: Vec<T>) {
    let room = MAX_ENTRIES.saturating_sub(all.len());
    all.extend(part.into_iter().take(room));
}

/// The process of a service, with everything that identifies it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Process {
    /// Id of its [`Spawn`], used to signal it.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Service group.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Process id, and id of its process group.
    #[prost(uint32, tag = "3")]
    pub pid: u32,
    /// Start time as in field 22 of `/proc/PID/stat` (clock ticks since boot).
    #[prost(uint64, tag = "4")]
    pub start_ticks: u64,
    /// Wall clock at the start, milliseconds since 1970.
    #[prost(uint64, tag = "5")]
    pub started_unix_ms: u64,
    /// As in its [`Spawn`].
    #[prost(message, required, tag = "6")]
    pub shutdown: Shutdown,
}

/// The end of a service's process.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ended {
    /// Id of its [`Spawn`].
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Service group.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Its former process id, now free for others.
    #[prost(uint32, tag = "3")]
    pub pid: u32,
    /// Wall clock, milliseconds since 1970.
    #[prost(uint64, tag = "4")]
    pub at_unix_ms: u64,
    /// The last lines of its stderr, at most [`MAX_LAST_WORDS_BYTES`]: they often contain the
    /// reason.
    #[prost(string, tag = "5")]
    pub last_words: String,
    /// Exit code or signal.
    #[prost(oneof = "WireStatus", tags = "14, 15")]
    pub status: Option<WireStatus>,
}

/// A running process.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Spawned {
    /// Id of the request.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Process id, and id of its process group.
    #[prost(uint32, tag = "2")]
    pub pid: u32,
    /// Wall clock at the start, milliseconds since 1970.
    #[prost(uint64, tag = "3")]
    pub started_unix_ms: u64,
}

/// Why a process could not be started.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SpawnFailed {
    /// Id of the request.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The system's error number.
    #[prost(int32, tag = "2")]
    pub errno: i32,
    /// The failed operation, with file and reason, for the operator.
    #[prost(string, tag = "3")]
    pub message: String,
}

/// A line for the operator.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Notice {
    /// Id of the process.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The line.
    #[prost(string, tag = "2")]
    pub text: String,
}

/// Output of a hook.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Output {
    /// Id of the hook.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The output ([`Stream`]).
    #[prost(enumeration = "Stream", tag = "2")]
    pub stream: i32,
    /// At most [`MAX_OUTPUT_BYTES`].
    #[prost(bytes = "vec", tag = "3")]
    pub bytes: Vec<u8>,
}

/// The end of a hook.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct HookEnded {
    /// Its id.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Exit status of its own process.
    #[prost(oneof = "WireStatus", tags = "14, 15")]
    pub status: Option<WireStatus>,
}

/// The end of a service's process, and the state of its group.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Exited {
    /// The end of the process.
    #[prost(message, required, tag = "1")]
    pub end: Ended,
    /// Others of its process group can still run: [`LauncherEvent::GroupGone`] follows when none
    /// can.
    #[prost(bool, tag = "2")]
    pub group_alive: bool,
}

/// Processes that the launcher may not signal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OutOfReach {
    /// Id of the service's process.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The processes, for the operator: `PID 7 (name, user 0)`, separated by commas.
    #[prost(string, tag = "2")]
    pub processes: String,
}

/// How a process ended. A message without a status is about a child of an earlier launcher, whose
/// status is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Oneof)]
pub enum WireStatus {
    /// It exited with this code.
    #[prost(sint32, tag = "14")]
    Code(i32),
    /// This signal killed it.
    #[prost(int32, tag = "15")]
    Signal(i32),
}

impl WireStatus {
    /// Converts the result of `wait`; `None` for a process that was only stopped.
    pub(crate) fn of(status: WaitStatus) -> Option<Self> {
        let signal = || status.terminating_signal().map(Self::Signal);
        status.exit_status().map(Self::Code).or_else(signal)
    }
}
