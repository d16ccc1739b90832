//! What the fleet itself records, and what commands are the cause of. Facts about starts, stops and
//! health come from the machines of services.

use std::collections::BTreeMap;

use roost_events::{Cause, Fact, Kind, Reports};
use roost_ident::Hook;
use roost_service::{HookOutcome, Printed, ServiceSpec, facts};

use super::Fleet;
use crate::{
    action::Action,
    configuration::Merged,
    event::{Applied, WrittenFile},
    release::Release,
    service::Service,
};

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
    /// Configurations and files that clients here gave to the ring, the last of each.
    applied: BTreeMap<Applied, Version>,
    /// What the end of the Supervisor follows from.
    end: Cause,
}

/// The version that a client gave to the ring.
#[derive(Debug, Clone, Copy)]
struct Version {
    number: u64,
    cause: Cause,
}

/// Configurations and files whose last version from a client is known.
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

    /// A client gave a configuration or a file to the ring.
    pub(super) fn apply(&mut self, what: Applied, number: u64, cause: Cause) {
        if self.applied.len() >= APPLIED_MAX && !self.applied.contains_key(&what) {
            self.applied.pop_first();
        }
        self.applied.insert(what, Version { number, cause });
    }

    /// What a configuration or file from the ring follows from: the command, if it was given here.
    fn applied(&self, what: &Applied, number: u64) -> Cause {
        let applied = self.applied.get(what).filter(|applied| applied.number == number);
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
        let what = Applied { group: group.to_string(), file: None };
        let cause = version.map(|version| self.record.applied(&what, version));
        let changed = self.record(cause.unwrap_or_default(), fact);
        if let Some(service) = self.services.get_mut(name) {
            service.change = changed;
        }
    }

    /// Files came over the ring. Returns the cause of what follows.
    pub(super) fn record_files(&mut self, name: &str, files: &[WrittenFile]) -> Cause {
        let Some(service) = self.services.get(name) else { return Cause::Unknown };
        let group = service.group().clone();
        let mut last = Cause::Unknown;
        for file in files {
            let name = &file.filename;
            let what = Applied { group: group.to_string(), file: Some(name.clone()) };
            let cause = self.record.applied(&what, file.version);
            let fact = Fact::new(Kind::FileReceived, format!("{group}: received file {name}"));
            last = self.record(cause, fact.of(group.as_str()).with("file", name.as_str()));
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
