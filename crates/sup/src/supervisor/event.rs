//! Everything that reaches the Supervisor's task.
//!
//! Most of it waits in a queue without a limit of its own, because who sends it must not wait. It
//! needs none, however long the task is busy:
//!
//! | sent by | at most |
//! |---|---|
//! | work for services | one of a kind and service: no other begins before it was taken |
//! | checks of services | one of each check: no other begins before it was taken |
//! | reading of what the ring brought | one |
//! | the record | one |
//! | watchers of files | one of each thing that is watched ([`Reports`]) |
//! | the control gateway | one of each conversation, four with commands that change specs, and one when its change is in the ring |
//! | the ring | one departure; as many questions for suitability as the ring lets wait; advice, which has permits |
//!
//! What the launcher sends has a bounded queue, and of views of the ring only the newest waits.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use roost_census::Opened;
use roost_ctl::server::Incoming;
use roost_fleet::Watched;
use roost_launch::wire;
use roost_ring::View;
use tokio::sync::OwnedSemaphorePermit;

use crate::services::built::Built;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The launcher sent something.
    Launcher(wire::LauncherEvent),
    /// The launcher is gone.
    LauncherGone,
    /// The ring looks different now.
    Ring(Arc<View>),
    /// What services here see of the ring was parsed.
    ContentsRead {
        /// How long that took.
        took: Duration,
    },
    /// Encrypted contents of the ring were opened, or could not be.
    BoxesOpened(Opened),
    /// The ring is in a state that its operator must know of. The permit bounds how many wait.
    Advice(String, OwnedSemaphorePermit),
    /// What stopped services before this Supervisor started was read from the record.
    StopsKnown,
    /// Something watched has changed.
    Changed(Watch),
    /// A client of the control gateway asks for something.
    Control(Incoming),
    /// Something that concerns the services alone.
    Fleet(roost_fleet::FleetEvent<Built>),
}

/// What is watched on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watch {
    /// What the fleet wants watched.
    Fleet(Watched),
    /// The file with addresses of peers.
    Peers,
    /// The file with tokens of the HTTP API.
    Tokens,
}

/// What watchers reported and the Supervisor's task has not taken yet: each thing once, however
/// often it changes meanwhile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<BTreeSet<Watch>>>);

impl Reports {
    /// True when it has to be sent; else an earlier report is still on its way.
    pub(crate) fn is_new(&self, watch: &Watch) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(watch.clone())
    }

    /// A report arrived: what changes from now on is another one.
    pub(crate) fn taken(&self, watch: &Watch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(watch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_reported_once_until_it_is_taken() {
        let reports = Reports::default();
        assert!(reports.is_new(&Watch::Fleet(Watched::Specs)));
        assert!(!reports.is_new(&Watch::Fleet(Watched::Specs)));
        assert!(reports.is_new(&Watch::Peers));
        reports.taken(&Watch::Fleet(Watched::Specs));
        assert!(reports.is_new(&Watch::Fleet(Watched::Specs)));
    }
}
