//! Files of the Supervisor: who it is, what it watches, how state reaches the disk.

pub(crate) mod damage;
pub(crate) mod identity;
pub(crate) mod specs;
pub(crate) mod store;
pub(crate) mod watch;
