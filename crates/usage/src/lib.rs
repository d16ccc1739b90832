//! What the processes of services use, from `/proc` and control groups of version 2.
//!
//! A service is its whole process tree: the session that the launcher starts it in, and every
//! descendant of its processes, also one that began a session of its own. Hooks run in sessions of
//! their own and do not count.
//!
//! Everything here blocks, and reads only. A process that ends while it is read is left out; a
//! figure that cannot be read of each process is absent rather than too low.
//!
//! | module | holds |
//! |---|---|
//! | `tree` | which process belongs to which service |
//! | `reader` | [`Reader`]: figures of all services, in one pass over `/proc` |
//! | `own` | [`own`]: those of one process by its id, such as the Supervisor itself |
//! | `detail` | [`Detail`]: what takes longer to find out about one service |
//! | `sockets` | addresses that a network namespace listens on |
//! | `cgroup` | [`Cgroup`]: figures of a control group |

mod cgroup;
mod detail;
mod own;
mod reader;
mod sockets;
mod tree;

pub use cgroup::Cgroup;
pub use detail::{Detail, Fullest};
pub use own::{Own, own};
pub use reader::{Io, Reader, Reading, Usage};
pub use sockets::{Listening, Protocol};

/// Most processes of a machine that are looked at; each costs about a hundred bytes.
const PROCESSES_MAX: usize = 65_536;
/// Most descriptors of one service whose targets are looked at.
const LINKS_MAX: usize = 65_536;
/// Most listening sockets of a network namespace that are looked at, of each protocol.
const SOCKETS_MAX: usize = 16_384;

/// Why there are no figures at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// `/proc` is not what it should be.
    #[error("/proc cannot be read: {0}")]
    Proc(String),
    /// More than this program looks at.
    #[error("more than {PROCESSES_MAX} processes run on this machine")]
    TooMany,
}
