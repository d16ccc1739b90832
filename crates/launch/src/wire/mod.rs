//! The messages between the launcher and the Supervisor.
//!
//! The Supervisor sends [`Request`]s, the launcher sends [`LauncherEvent`]s, over a stream socket
//! that the launcher passes to each Supervisor it starts. They are Protocol Buffers messages;
//! [`crate::codec`] frames them.
//!
//! Order of a conversation: the Supervisor sends [`Request::Hello`] first; the launcher answers
//! with [`LauncherEvent::Welcome`], which lists all live processes; after that both send at any
//! time.
//!
//! # Versions
//! The launcher keeps running when the program is upgraded, so an old launcher meets a new
//! Supervisor. New messages and new fields keep [`PROTOCOL_VERSION`]: both sides skip unknown ones.
//! A change of meaning raises it. The launcher announces its version in the environment of the
//! Supervisor ([`crate::client::PROTOCOL_VAR`]), before any byte is sent. A Supervisor that does
//! not support that version reports it and ends; a launcher that meets a Supervisor of another
//! version reports it and kills it. In both cases the services keep running and the launcher
//! restarts the Supervisor, with the usual delay, until one of the two programs has been replaced.

mod event;
mod request;

pub use self::{
    event::{
        Ended, Exited, HookEnded, LauncherEvent, Notice, OutOfReach, Output, Process, SpawnFailed,
        Spawned, Welcome, WireStatus,
    },
    request::{
        Alive, Hello, Ids, KeptLines, Kind, Remembered, Request, Scope, SendSignal, Shutdown,
        Spawn, Variable,
    },
};

/// The protocol version of this crate.
pub const PROTOCOL_VERSION: u32 = 2;

/// Largest message (after the length prefix). It allows a full environment; the kernel itself
/// refuses more than a few of these at exec.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Longest name of a service or hook.
pub const MAX_NAME_BYTES: usize = 512;

/// Most bytes kept per service for the next Supervisor ([`Request::Remember`]).
pub const MAX_STATE_BYTES: usize = 4096;

/// Most processes (and, apart from them, most remembered names) the launcher keeps.
pub const MAX_ENTRIES: usize = 10_000;

/// Most bytes of stderr sent with the end of a service.
pub const MAX_LAST_WORDS_BYTES: usize = 1024;

/// Most bytes in one [`Output`].
pub const MAX_OUTPUT_BYTES: usize = 16 * 1024;
