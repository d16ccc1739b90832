//! A reader of the record: what it knows of services is what documents show.

use std::collections::{BTreeMap, HashSet};

use roost_events::{Cause, Fact, Kind, Report, ReportId, Topic};
use roost_service::Status;

#[derive(Debug, Default)]
pub(crate) struct Record {
    services: BTreeMap<String, Known>,
    known: HashSet<ReportId>,
    pub(crate) reports: Vec<Report>,
}

/// What is known of a service.
#[derive(Debug)]
struct Known {
    state: Option<String>,
    health: String,
    process: Option<u64>,
}

impl Default for Known {
    fn default() -> Self {
        Self { state: None, health: "unknown".into(), process: None }
    }
}

impl Record {
    /// Another Supervisor reports how it finds things.
    pub(crate) fn begin_again(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn take(&mut self, report: &Report) {
        if let Cause::Report(id) = report.cause {
            assert!(self.known.contains(&id), "the cause of {report:?} was not reported before it");
        }
        assert!(self.known.insert(report.id), "{report:?} has the name of another one");
        self.reports.push(report.clone());
        let Some(group) = report.fact.service.clone() else { return };
        let known = self.services.entry(group.clone()).or_default();
        known.take(&report.fact);
        if report.fact.kind == Kind::ServiceUnloaded {
            self.services.remove(&group);
        }
    }

    /// The record shows what documents show.
    pub(crate) fn check(&self, group: &str, status: &Status) {
        let known = self.services.get(group).expect("the record has it");
        assert_eq!(known.state.as_deref(), Some(status.state.as_str()), "{group}");
        assert_eq!(known.health, status.health.as_str().to_ascii_lowercase(), "{group}");
        if let (Some(process), Some(pid)) = (known.process, status.process.pid) {
            assert_eq!(process, u64::from(pid), "{group}");
        }
    }
}

impl Known {
    fn take(&mut self, fact: &Fact) {
        let pid = fact.data.get("pid").and_then(serde_json::Value::as_u64);
        match fact.kind {
            Kind::ProcessStarted => {
                assert_eq!(self.process, None, "a second process: {fact:?}");
                self.process = pid;
            }
            Kind::ProcessExited => {
                assert!(self.process.is_none() || self.process == pid, "{fact:?}");
                self.process = None;
            }
            Kind::HealthChanged => {
                assert!(fact.before.as_ref().is_none_or(|it| *it == self.health), "{fact:?}");
                self.health = fact.after.clone().expect("a health");
            }
            Kind::ServiceLoaded | Kind::ServiceUnloaded | Kind::ServiceOptionsChanged => {}
            kind if kind.topic() == Topic::Service => {
                assert_eq!(fact.before, self.state, "{fact:?}");
                self.state.clone_from(&fact.after);
            }
            _ => {}
        }
    }
}
