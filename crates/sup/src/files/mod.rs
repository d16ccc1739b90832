//! Files of the Supervisor: identity, watched files, durable state.

pub(crate) mod damage;
pub(crate) mod identity;
pub(crate) mod key_watch;
pub(crate) mod places;
pub(crate) mod specs;
pub(crate) mod store;
pub(crate) mod watch;
