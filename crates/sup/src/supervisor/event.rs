//! Everything that reaches the Supervisor's task.
//!
//! Most of it waits in a queue without a limit of its own, because who sends it must not wait. It
//! needs none, however long the task is busy:
//!
//! | sent by | at most |
//! |---|---|
//! | work for services | one of a kind and service: no other begins before it was taken |
//! | reading of what the ring brought | one |
//! | watchers of files | one of each thing that is watched ([`Reports`]) |
//! | the control gateway | one of each conversation, three with commands that change specs |
//! | the ring | one departure; as many questions for suitability as the ring lets wait; advice, which has permits |
//! | timers | one of each service |
//!
//! What the launcher sends has a bounded queue, and of views of the ring only the newest waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use roost_ctl::server::Incoming;
use roost_launch::wire;
use roost_pkg::stage::Staged;
use roost_ring::View;
use roost_service::{BuildFailure, Rendering};

use tokio::sync::OwnedSemaphorePermit;

use super::boxes::Opened;
use crate::{
    files::specs::Listing,
    load::NotStaged,
    services::{built::Built, install::InstallHook, user_layer::UserLayer},
};

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The launcher said something.
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
    /// An election needs to know how fit a service is.
    NeedSuitability {
        /// The group.
        group: String,
        /// The election's term.
        term: u64,
    },
    /// This member was departed by hand.
    Departed,
    /// The ring is in a state that its operator must know of. The permit bounds how many wait.
    Advice(String, OwnedSemaphorePermit),
    /// Something watched has changed.
    Changed(Watch),
    /// The spec directory was read; `None` when it could not be.
    Specs(Option<Listing>),
    /// A service was read from disk.
    Built {
        /// Its name.
        service: String,
        /// What came of it.
        result: Result<Box<Built>, BuildFailure>,
        /// It was only looked at, for the documents.
        look: bool,
    },
    /// What would replace that which a service runs from was read.
    CandidateBuilt {
        /// The service.
        service: String,
        /// What came of it.
        result: Result<Box<Built>, String>,
    },
    /// Its templates were rendered, without a change on disk.
    CandidateChecked {
        /// The service.
        service: String,
        /// What came of it.
        result: Result<Box<Built>, String>,
    },
    /// Templates were rendered.
    Rendered {
        /// The service.
        service: String,
        /// What came of it.
        rendering: Rendering,
    },
    /// `user.toml` was read again.
    UserLayer {
        /// The service.
        service: String,
        /// The layer, or why it cannot be used.
        result: Result<UserLayer, String>,
    },
    /// An install hook is rendered and ready to run.
    InstallReady {
        /// The service it belongs to.
        service: String,
        /// The hook, or why it cannot run.
        result: Result<Box<InstallHook>, String>,
    },
    /// Gossiped files were written.
    FilesWritten {
        /// The service.
        service: String,
        /// Names of those that changed on disk.
        names: Vec<String>,
        /// Names of those that could not be written, with the reason.
        failed: BTreeMap<String, String>,
        /// They were there before the service started, so that nothing follows.
        initial: bool,
    },
    /// Gossiped files that could not be written are to be written now.
    FilesAgain {
        /// The service.
        service: String,
    },
    /// A plain directory was staged anew.
    Staged {
        /// Its service.
        service: String,
        /// The directory.
        directory: PathBuf,
        /// The release, or why there is none.
        result: Result<Staged, NotStaged>,
    },
    /// A client of the control gateway asks for something.
    Control(Incoming),
    /// A command is about to write that a service is to stop. It says so before, because the
    /// file is seen as soon as it is written.
    WillStop {
        /// The service.
        service: String,
        /// How long this stop may take, if the command says so.
        timeout_s: Option<u32>,
    },
    /// A command begins that may change the spec directory. Nothing follows from a change before
    /// the command has told its end in the log.
    SpecsBeingWritten,
    /// The command ended.
    SpecsWritten,
}

/// What is watched on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Watch {
    /// The spec directory.
    Specs,
    /// `user.toml` of a service.
    User(String),
    /// Files that a service which could not be built is made of.
    Sources(String),
    /// The plain directory of a service.
    Directory(String),
    /// The file with addresses of peers.
    Peers,
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
        assert!(reports.is_new(&Watch::Specs));
        assert!(!reports.is_new(&Watch::Specs));
        assert!(reports.is_new(&Watch::Peers));
        reports.taken(&Watch::Specs);
        assert!(reports.is_new(&Watch::Specs));
    }
}
