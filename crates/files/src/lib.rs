//! Files and directories as the Supervisor and its launcher make and read them.
//!
//! What belongs to the Supervisor has its mode by intent, whatever the umask, and none of it is
//! made or replaced through a link that another user put in its place. What is read can be
//! anything, since others may write, exchange or damage it: a pipe that never delivers, a
//! directory, a link to itself, a sparse file of many gigabytes. Type and size are checked before
//! the first byte is read, by the descriptor that is read from, so that nothing blocks or costs
//! memory.
//!
//! | function | does |
//! |---|---|
//! | [`create_directories`] | makes a directory and what is missing above it |
//! | [`replace`], [`replace_at`] | writes a file in one step: a reader sees the old content or the new |
//! | [`check_directory`] | refuses a state directory that others may write |
//! | [`open`], [`read`], [`read_text`] | reads a regular file, no more of it than a limit |
//! | [`set_aside`] | keeps a damaged file beside its place |
//! | [`sync_directory`] | makes a removed or new name survive a power cut |

mod aside;
mod directory;
mod read;
mod replace;
mod sync;

pub use aside::set_aside;
pub use directory::{UnsafeDirectory, check_directory, create_directories};
pub use read::{ReadError, is_absent, open, read, read_text, text_of};
pub use replace::{Durability, Owner, replace, replace_at};
pub use sync::sync_directory;

/// Mode of directories that everybody may look into and only their owner may change.
pub const PUBLIC_DIRECTORY: u32 = 0o755;
/// Mode of directories that only their owner may enter.
pub const PRIVATE_DIRECTORY: u32 = 0o700;
