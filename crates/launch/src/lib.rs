//! The launcher: the small process that owns every child.
//!
//! `hab sup run` becomes the launcher (same process id). It holds the lock, starts the Supervisor,
//! and starts, signals and reaps services and hooks on its behalf, so that services outlive a
//! Supervisor that crashes, restarts or is upgraded. Single-threaded, one `poll` loop, no runtime.
//!
//! One program plays all roles; its `main` checks the first argument first:
//!
//! | first argument | does |
//! |---|---|
//! | [`LAUNCHER_ARG`] | `return roost_launch::run(args)` with the arguments after it |
//! | [`SUPERVISOR_ARG`] | the Supervisor, which takes its connection with [`client::Client::from_env`] |
//! | anything else | the command line; `hab sup run ARGS` ends in [`exec_launcher`] |
//!
//! | module | holds |
//! |---|---|
//! | [`wire`], [`codec`] | messages between launcher and Supervisor, and their bytes |
//! | [`client`] | the Supervisor's end |
//! | [`mod@line`] | the format of a line of output, shared with the Supervisor |
//! | [`environment`] | the variables that reach children |
//! | [`group`] | liveness and signals of process groups |
//! | [`lock`] | the lock file, and `hab sup term` |
//! | [`once`] | a hook run by the command line itself |
//!
//! The launcher is the reaper of orphans (`PR_SET_CHILD_SUBREAPER`), as if it were process 1: all
//! remaining processes of a service stay below the launcher, are reaped, and are known to belong to
//! a group that must still be stopped.

mod backoff;
mod child;
pub mod client;
mod clock;
pub mod codec;
#[doc(hidden)]
pub mod decoders;
mod disk;
pub mod environment;
mod file_writer;
pub mod group;
mod last_words;
mod launcher;
pub mod line;
mod link;
pub mod lock;
mod memory;
pub mod once;
mod printer;
mod proc;
mod program;
mod service_logs;
mod shebang;
mod signals;
mod spawn;
mod splitter;
mod start;
mod systemd;
mod table;
pub mod wire;

pub use memory::{limit_arenas, release_heap, release_program};
pub use program::{exec_launcher, name_process};
pub use start::run;

/// First argument of the program for the role of launcher.
pub const LAUNCHER_ARG: &str = "--roost-launcher";
/// First argument of the program for the role of Supervisor.
pub const SUPERVISOR_ARG: &str = "--roost-supervisor";

/// Exit code of a Supervisor after a clean shutdown: the launcher exits with 0.
pub const EXIT_SHUT_DOWN: i32 = 84;
/// Exit code of a Supervisor that cannot continue: the launcher stops the services and exits with
/// it.
pub const EXIT_FATAL: i32 = 86;

/// Environment variable of the Supervisor with the launcher's process id.
pub const LAUNCHER_PID_VAR: &str = "HAB_LAUNCHER_PID";
/// Environment variable with the path of the program for the launcher and the Supervisor.
const PROGRAM_VAR: &str = "ROOST_PROGRAM";
