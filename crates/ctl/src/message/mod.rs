//! The messages on the wire (reference: control §5): proto2, fields in ascending order, presence of
//! optional fields kept. [`crate::request`] and [`crate::reply`] define their meaning.
//!
//! Enumerations are plain numbers here, since a peer may send any.

mod conversation;
mod names;
mod ring;
mod services;
mod status;

use prost::Message;

pub use self::{
    conversation::{ConsoleLine, Handshake, NetErr, NetOk, NetProgress},
    names::{HealthCheckInterval, PackageIdent, ServiceBind, ServiceBindList, ServiceGroup},
    ring::{SupDepart, SupRestart, SvcFilePut, SvcSetCfg, SvcValidateCfg},
    services::{SvcGetDefaultCfg, SvcLoad, SvcStart, SvcStatus, SvcStop, SvcUnload, SvcUpdate},
    status::{LastExit, LastHook, ProcessStatus, ServiceCfg, ServiceStatus},
};

/// A message with its id in frames.
pub trait Named: Message + Default {
    /// The message id.
    const ID: &'static str;
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Message)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl Named for $name {
            const ID: &'static str = stringify!($name);
        }
    };
}

use message;
