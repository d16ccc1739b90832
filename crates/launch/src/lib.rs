//! The launcher: the small process that owns every child.
//!
//! `hab sup run` becomes the launcher (same process id). It holds the lock, starts the Supervisor,
//! and starts, signals and reaps services and hooks on its behalf, so that services outlive a
//! Supervisor that crashes, restarts or is upgraded. Single-threaded, one `poll` loop, no runtime.
//!
//! | module | holds |
//! |---|---|
//! | [`wire`], [`codec`] | messages between launcher and Supervisor, and their bytes |
//! | [`client`] | the Supervisor's end |
//! | [`line`] | the look of a line of output, shared with the Supervisor |

pub mod client;
pub mod codec;
pub mod line;
pub mod wire;

/// First argument of the program when it is to be the launcher.
pub const LAUNCHER_ARG: &str = "--roost-launcher";
/// First argument of the program when it is to be the Supervisor.
pub const SUPERVISOR_ARG: &str = "--roost-supervisor";
