//! Files and directories that belong to the Supervisor: each has its mode by intent, whatever the
//! umask, and none is made or replaced through a link that somebody else put in its place.
//!
//! | function | does |
//! |---|---|
//! | [`create_directories`] | makes a directory and what is missing above it |
//! | [`replace`], [`replace_at`] | writes a file in one step: a reader sees the old content or the new |
//! | [`check_directory`] | refuses a state directory that others may write |

mod directory;
mod replace;

pub use directory::{UnsafeDirectory, check_directory, create_directories};
pub use replace::{Durability, Owner, replace, replace_at};

/// Mode of directories that everybody may look into and only their owner may change.
pub const PUBLIC_DIRECTORY: u32 = 0o755;
/// Mode of directories that only their owner may enter.
pub const PRIVATE_DIRECTORY: u32 = 0o700;
