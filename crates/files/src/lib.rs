//! File and directory access of the Supervisor and its launcher.
//!
//! The Supervisor's own files have an explicit mode, whatever the umask, and are never created or
//! replaced through another user's link. Files that it reads may be anything, since others may
//! write, exchange or damage them: a pipe that never delivers, a directory, a link to itself, a
//! sparse file of many gigabytes. Type and size are checked before reading, on the open descriptor,
//! so that nothing blocks or exhausts memory.
//!
//! | function | does |
//! |---|---|
//! | [`create_directories`] | creates a directory and its missing parents |
//! | [`replace`], [`replace_at`] | replaces a file atomically |
//! | [`replace_unchanged`] | replaces a file unless it was edited meanwhile |
//! | [`check_directory`] | refuses a state directory that other users may write |
//! | [`open`], [`read`], [`read_text`] | reads a regular file up to a limit |
//! | [`set_aside`] | renames a damaged file to keep it |
//! | [`listen_at`], [`connect_to`] | sockets in the file system |
//! | [`sync_directory`] | makes a removed or new name survive a power failure |

mod aside;
mod directory;
mod read;
mod replace;
mod socket;
mod sync;
mod unchanged;

pub use aside::set_aside;
pub use directory::{UnsafeDirectory, check_directory, create_directories};
pub use read::{ReadError, is_absent, open, read, read_text, text_of};
pub use replace::{Durability, Owner, replace, replace_at};
pub use socket::{connect_to, listen_at};
pub use sync::sync_directory;
pub use unchanged::replace_unchanged;

/// Mode of directories that everyone may read and only their owner may change.
pub const PUBLIC_DIRECTORY: u32 = 0o755;
/// Mode of sockets that only their owner may connect to.
pub const PRIVATE_SOCKET: u32 = 0o600;
/// Mode of directories that only their owner may enter.
pub const PRIVATE_DIRECTORY: u32 = 0o700;
