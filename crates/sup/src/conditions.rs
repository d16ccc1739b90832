//! Conditions of this Supervisor, as opposed to those of a service, during which it continues: a
//! hanging disk, a peer whose name cannot be resolved.
//!
//! Each condition is logged when it appears and when it ends, and counted in `/metrics`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{metrics::Metrics, output::Output};

/// Kinds of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The disk of the state files hangs.
    DiskHangs,
    /// A peer cannot be resolved, or the file with peers cannot be read.
    PeerUnresolved,
    /// The journal of events cannot be written.
    JournalLossy,
}

impl Kind {
    const ALL: [Self; 3] = [Self::DiskHangs, Self::PeerUnresolved, Self::JournalLossy];

    const fn label(self) -> &'static str {
        match self {
            Self::DiskHangs => "disk-hangs",
            Self::PeerUnresolved => "peer-unresolved",
            Self::JournalLossy => "journal-lossy",
        }
    }

    /// Key of its log lines.
    const fn key(self) -> &'static str {
        match self {
            Self::DiskHangs => "MR",
            Self::PeerUnresolved => "PW",
            Self::JournalLossy => "JN",
        }
    }
}

/// The present conditions. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    /// By kind and subject.
    present: Arc<Mutex<BTreeMap<(Kind, String), String>>>,
    output: Output,
    metrics: Metrics,
}

impl Conditions {
    pub(crate) fn new(output: &Output, metrics: &Metrics) -> Self {
        for kind in Kind::ALL {
            metrics.conditions(kind.label(), 0);
        }
        Self { present: Arc::default(), output: output.clone(), metrics: metrics.clone() }
    }

    /// Starts a condition; logs it when it is new.
    pub(crate) fn appear(&self, kind: Kind, about: &str, line: &str) {
        self.set(kind, about, Some(line), line);
    }

    /// Ends a condition; logs it when it was present.
    pub(crate) fn end(&self, kind: Kind, about: &str, line: &str) {
        self.set(kind, about, None, line);
    }

    fn set(&self, kind: Kind, about: &str, present: Option<&str>, line: &str) {
        let mut all = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, about.to_owned());
        let changed = match present {
            Some(line) => all.insert(key, line.into()).is_none(),
            None => all.remove(&key).is_some(),
        };
        if changed {
            let count = all.keys().filter(|(other, _)| *other == kind).count();
            self.metrics.conditions(kind.label(), count);
            self.output.line("hab-sup", kind.key(), line);
        }
    }

    /// Subjects of all present conditions of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Vec<String> {
        let all = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        all.keys().filter(|(other, _)| *other == kind).map(|(_, about)| about.clone()).collect()
    }
}
