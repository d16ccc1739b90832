//! Conditions of this Supervisor, as opposed to those of a service, during which it continues: a
//! hanging disk, a peer whose name cannot be resolved.
//!
//! Each condition is counted in `/metrics` and shown in `/v1/supervisor`. What changes while the
//! Supervisor runs is logged when it appears and when it ends.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use roost_api::documents::supervisor::{Condition, ConditionStatus, ConditionType};
use roost_ident::time::rfc3339_ms;

use crate::{clock, metrics::Metrics, output::Output};

/// Kinds of conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The disk of the state files hangs.
    DiskHangs,
    /// A peer cannot be resolved, or the file with peers cannot be read.
    PeerUnresolved,
    /// The journal of events cannot be written.
    JournalLossy,
    /// The event stream does not reach its server.
    EventStreamDown,
    /// The disk of the state files is almost full.
    DiskLow,
    /// A port is open to every client that reaches it.
    InsecureListen,
    /// The ring has no key, and other hosts reach its port.
    RingKeyMissing,
    /// The clock was set.
    ClockJumped,
    /// The file with tokens of the HTTP API cannot be used.
    HttpTokensUnusable,
    /// A token of the HTTP API ends soon, or has ended.
    TokenExpires,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::DiskHangs,
        Self::PeerUnresolved,
        Self::JournalLossy,
        Self::EventStreamDown,
        Self::DiskLow,
        Self::InsecureListen,
        Self::RingKeyMissing,
        Self::ClockJumped,
        Self::HttpTokensUnusable,
        Self::TokenExpires,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::DiskHangs => "disk-hangs",
            Self::PeerUnresolved => "peer-unresolved",
            Self::JournalLossy => "journal-lossy",
            Self::EventStreamDown => "event-stream-down",
            Self::DiskLow => "disk-low",
            Self::InsecureListen => "insecure-listen",
            Self::RingKeyMissing => "ring-key-missing",
            Self::ClockJumped => "clock-jumped",
            Self::HttpTokensUnusable => "http-tokens-unusable",
            Self::TokenExpires => "token-expires",
        }
    }

    /// Key of its log lines.
    const fn key(self) -> &'static str {
        match self {
            Self::DiskHangs
            | Self::DiskLow
            | Self::InsecureListen
            | Self::RingKeyMissing
            | Self::ClockJumped
            | Self::HttpTokensUnusable
            | Self::TokenExpires => "MR",
            Self::PeerUnresolved => "PW",
            Self::JournalLossy => "JN",
            Self::EventStreamDown => "ES",
        }
    }

    const fn shown(self) -> (ConditionType, ConditionStatus) {
        use ConditionStatus::{Fail, Warn};
        match self {
            Self::DiskHangs => (ConditionType::DiskHangs, Fail),
            Self::PeerUnresolved => (ConditionType::PeerUnresolved, Warn),
            Self::JournalLossy => (ConditionType::JournalLossy, Warn),
            Self::EventStreamDown => (ConditionType::EventStreamDown, Warn),
            Self::DiskLow => (ConditionType::DiskLow, Warn),
            Self::InsecureListen => (ConditionType::InsecureListen, Warn),
            Self::RingKeyMissing => (ConditionType::RingKeyMissing, Warn),
            Self::ClockJumped => (ConditionType::ClockJumped, Warn),
            Self::HttpTokensUnusable => (ConditionType::HttpTokensUnusable, Fail),
            Self::TokenExpires => (ConditionType::TokenExpires, Warn),
        }
    }
}

/// The present conditions. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    state: Arc<Mutex<State>>,
    output: Output,
    metrics: Metrics,
}

#[derive(Debug)]
struct State {
    /// By kind and subject.
    present: BTreeMap<(Kind, String), Present>,
    /// When the last condition of a kind ended, or the Supervisor started.
    absent_since_ms: BTreeMap<Kind, u64>,
}

#[derive(Debug)]
struct Present {
    line: String,
    since_ms: u64,
}

impl Conditions {
    pub(crate) fn new(output: &Output, metrics: &Metrics) -> Self {
        for kind in Kind::ALL {
            metrics.conditions(kind.label(), 0);
        }
        let now_ms = clock::unix_ms();
        let absent_since_ms = Kind::ALL.map(|kind| (kind, now_ms)).into();
        let state = State { present: BTreeMap::new(), absent_since_ms };
        Self {
            state: Arc::new(Mutex::new(state)),
            output: output.clone(),
            metrics: metrics.clone(),
        }
    }

    /// The disk below the state files has not answered, with this file and for this time, or it
    /// answers.
    pub(crate) fn state_files(&self, hangs: Option<(PathBuf, Duration)>) {
        let (kind, subject) = (Kind::DiskHangs, "state files");
        match hangs {
            Some((path, time)) => self.appear(
                kind,
                subject,
                &format!(
                    "The disk has not taken {} for {} secs; does a file system not answer? \
                     Services run on; changes are refused until it does",
                    path.display(),
                    time.as_secs()
                ),
            ),
            None => self.end(kind, subject, "The disk takes state files again"),
        }
    }

    /// Starts a condition that its cause has logged, or that needs no line.
    pub(crate) fn note(&self, kind: Kind, about: &str, line: &str) {
        self.set(kind, about, Some(line));
    }

    /// Ends such a condition.
    pub(crate) fn forget(&self, kind: Kind, about: &str) {
        self.set(kind, about, None);
    }

    /// Starts a condition; logs it when it is new.
    pub(crate) fn appear(&self, kind: Kind, about: &str, line: &str) {
        if self.set(kind, about, Some(line)) {
            self.output.line("hab-sup", kind.key(), line);
        }
    }

    /// Ends a condition; logs it when it was present.
    pub(crate) fn end(&self, kind: Kind, about: &str, line: &str) {
        if self.set(kind, about, None) {
            self.output.line("hab-sup", kind.key(), line);
        }
    }

    /// True when it was not so before.
    fn set(&self, kind: Kind, about: &str, line: Option<&str>) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let (key, now_ms) = ((kind, about.to_owned()), clock::unix_ms());
        let changed = match line {
            Some(line) => {
                let since_ms = state.present.get(&key).map_or(now_ms, |known| known.since_ms);
                let present = Present { line: line.into(), since_ms };
                state.present.insert(key, present).is_none()
            }
            None => state.present.remove(&key).is_some(),
        };
        if changed {
            let count = state.present.keys().filter(|(other, _)| *other == kind).count();
            self.metrics.conditions(kind.label(), count);
            if count == 0 {
                state.absent_since_ms.insert(kind, now_ms);
            }
        }
        changed
    }

    /// True when there is a condition of this kind.
    pub(crate) fn is_present(&self, kind: Kind) -> bool {
        !self.of(kind).is_empty()
    }

    /// Subjects of all present conditions of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = state.present.keys().filter(|(other, _)| *other == kind);
        of_kind.map(|(_, about)| about.clone()).collect()
    }

    /// Lines of all present conditions of a kind.
    pub(crate) fn messages(&self, kind: Kind) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let of_kind = state.present.iter().filter(|((other, _), _)| *other == kind);
        of_kind.map(|(_, present)| present.line.clone()).collect()
    }

    /// All kinds as documents show them: each condition that is present, and one entry for each
    /// kind of which none is.
    pub(crate) fn shown(&self) -> Vec<Condition> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = Vec::new();
        for kind in Kind::ALL {
            let (kind_shown, status) = kind.shown();
            let before = shown.len();
            let of_kind = state.present.iter().filter(|((other, _), _)| *other == kind);
            shown.extend(of_kind.map(|((_, about), present)| Condition {
                kind: kind_shown,
                status,
                reason: Some(about.clone()),
                message: Some(present.line.clone()),
                since: rfc3339_ms(present.since_ms),
            }));
            if shown.len() == before {
                shown.push(Condition {
                    kind: kind_shown,
                    status: ConditionStatus::Ok,
                    reason: None,
                    message: None,
                    since: rfc3339_ms(state.absent_since_ms.get(&kind).copied().unwrap_or(0)),
                });
            }
        }
        shown
    }
}
