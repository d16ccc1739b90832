//! What the fleet itself records, and what commands are the cause of. Facts about starts, stops and
//! health come from the machines of services.

use std::collections::BTreeMap;

use roost_events::{Cause, Fact, Kind, Reports};
use roost_ident::Hook;
use roost_service::{HookOutcome, Printed, ServiceSpec, facts};

use super::Fleet;
use crate::{action::Action, configuration::Merged, release::Release, service::Service};

/// The name of the layer that comes over the ring.
pub(super) const FROM_RING: &str = "ring";

/// Keys that one fact names at most.
const KEYS_MAX: usize = 32;

/// What the facts of the fleet follow from.
#[derive(Debug, Default)]
pub(super) struct Record {
    reports: Reports,
    /// Commands that change what is wanted of services, by service.
    expected: BTreeMap<String, Cause>,
    /// Configurations that clients here gave to the ring, the last of each group.
    applied: BTreeMap<String, Applied>,
    /// What the end of the Supervisor follows from.
    end: Cause,
}

/// A configuration that a client gave to the ring.
#[derive(Debug, Clone, Copy)]
struct Applied {
    version: u64,
    cause: Cause,
}

/// Groups whose last applied configuration is known.
const APPLIED_MAX: usize = 256;

impl Record {
    /// What is wanted of a service is about to change.
    pub(super) fn expect(&mut self, service: &str, cause: Cause) {
        match cause {
            Cause::Unknown => drop(self.expected.remove(service)),
            cause => drop(self.expected.insert(service.to_owned(), cause)),
        }
    }

    /// What changes of a service's spec follow from.
    pub(super) fn take_expected(&mut self, service: &str) -> Cause {
        self.expected.remove(service).unwrap_or_default()
    }

    /// Every command was followed: a later change does not come from one of them.
    pub(super) fn expect_nothing(&mut self) {
        self.expected.clear();
    }

    /// A client gave a configuration to the ring.
    pub(super) fn apply(&mut self, group: String, version: u64, cause: Cause) {
        if self.applied.len() >= APPLIED_MAX && !self.applied.contains_key(&group) {
            self.applied.pop_first();
        }
        self.applied.insert(group, Applied { version, cause });
    }

    /// What a configuration from the ring follows from: the command, if it was given here.
    fn applied(&self, group: &str, version: u64) -> Cause {
        let applied = self.applied.get(group).filter(|applied| applied.version == version);
        applied.map(|applied| applied.cause).unwrap_or_default()
    }

    pub(super) fn end_follows_from(&mut self, cause: Cause) {
        self.end = cause;
    }

    pub(super) fn end_cause(&self) -> Cause {
        self.end
    }
}

impl<R: Release> Fleet<R> {
    fn record(&mut self, cause: Cause, fact: Fact) -> Cause {
        let (report, next) = self.record.reports.report(cause, fact);
        self.actions.push(Action::Record(report));
        next
    }

    /// A spec file is there that was not; what follows does so from its load.
    pub(super) fn record_load(&mut self, name: &str, spec: &ServiceSpec) {
        let Ok(group) = self.group_of(spec) else { return };
        let fact = Fact::new(Kind::ServiceLoaded, format!("{group} was loaded"))
            .of(group.as_str())
            .with("package", spec.ident.to_string())
            .with("desired", spec.desired_state.spec_word());
        let cause = self.record.take_expected(name);
        let loaded = self.record(cause, fact);
        self.record.expect(name, loaded);
    }

    /// The spec of a service is another one. Returns the cause of what follows: the change of
    /// options, or the command where it only starts or stops the service.
    pub(super) fn record_options(&mut self, name: &str, spec: &ServiceSpec) -> Cause {
        let cause = self.record.take_expected(name);
        let Some(service) = self.services.get(name) else { return cause };
        let mut options = service.machine.newest_spec().changed_options(spec);
        if cause != Cause::Unknown {
            options.retain(|option| *option != ServiceSpec::DESIRED_STATE);
        }
        if options.is_empty() {
            return cause;
        }
        let group = service.group();
        let message = format!("{group}: options changed: {}", options.join(", "));
        let fact = Fact::new(Kind::ServiceOptionsChanged, message)
            .of(group.as_str())
            .with("options", options)
            .with("desired", spec.desired_state.spec_word());
        self.record(cause, fact)
    }

    pub(super) fn record_unload(&mut self, service: &Service<R>) {
        self.record(service.last_fact, facts::unloaded(service.group()));
    }

    /// The configuration of a service that was read before may be another one.
    pub(super) fn record_merge(&mut self, name: &str, merged: &Merged, from: Option<&str>) {
        let (Some(service), Some(from)) = (self.services.get(name), from) else { return };
        let group = service.group().clone();
        let gossip = service.configuration.layers().gossip.as_ref().filter(|_| from == FROM_RING);
        let version = gossip.map(|(version, _)| *version);
        for error in &merged.errors {
            self.record(Cause::Unknown, facts::rejected(&group, from, &error.to_string()));
        }
        if merged.keys.is_empty() {
            return;
        }
        let named = &merged.keys[..merged.keys.len().min(KEYS_MAX)];
        let more = merged.keys.len() - named.len();
        let mut message = format!("{group}: configuration changed by {from}: {}", named.join(", "));
        if more > 0 {
            message.push_str(&format!(" and {more} more"));
        }
        let fact = Fact::new(Kind::ConfigChanged, message)
            .of(group.as_str())
            .with("source", from)
            .with("keys", named.to_vec())
            .with("keys_left_out", more);
        let cause = version.map(|version| self.record.applied(group.as_str(), version));
        let changed = self.record(cause.unwrap_or_default(), fact);
        if let Some(service) = self.services.get_mut(name) {
            service.change = changed;
        }
    }

    /// Files came over the ring. Returns the cause of what follows.
    pub(super) fn record_files(&mut self, name: &str, files: &[String]) -> Cause {
        let Some(service) = self.services.get(name) else { return Cause::Unknown };
        let group = service.group().clone();
        let mut last = Cause::Unknown;
        for file in files {
            let fact = Fact::new(Kind::FileReceived, format!("{group}: received file {file}"));
            last = self.record(Cause::Unknown, fact.of(group.as_str()).with("file", file.as_str()));
        }
        last
    }

    /// A hook failed that no machine looks after.
    pub(super) fn record_hook_failure(
        &mut self,
        name: &str,
        hook: Hook,
        outcome: &HookOutcome,
        printed: &Printed,
    ) {
        let Some(service) = self.services.get(name) else { return };
        let fact = facts::hook_failed(service.group(), hook, outcome, printed.end());
        self.record(Cause::Unknown, fact);
    }
}
