//! The documents of all services: those of a service that was touched are made again, and what is
//! the same in them is shared with those before.

use std::{collections::BTreeMap, sync::Arc};

use roost_api::{ServiceEntry, documents::configuration::ConfigValue};
use roost_fleet::{Fleet, Service};
use roost_ident::{ProcessState, ServiceState};
use roost_pkg::FsRoot;
use roost_template::config::Layers;

use super::{
    configuration,
    service::{self, Common, Facts},
    v1,
};
use crate::{metrics::Metrics, services::built::Built, stops::Stops};

/// The documents of services, by name.
#[derive(Debug)]
pub(crate) struct Entries {
    root: FsRoot,
    common: Common,
    metrics: Metrics,
    stops: Stops,
    shown: BTreeMap<String, Arc<ServiceEntry>>,
    /// What documents show of releases.
    facts: BTreeMap<String, Known>,
    /// What documents show of configurations.
    configured: BTreeMap<String, Configured>,
    changed: bool,
}

/// The parts of a document that change with the release alone.
#[derive(Debug)]
struct Known {
    release: Arc<Built>,
    facts: Facts,
}

/// The part of a document that changes with the configuration alone.
#[derive(Debug)]
struct Configured {
    layers: Arc<Layers>,
    values: Arc<Vec<ConfigValue>>,
}

impl Entries {
    pub(crate) fn new(root: FsRoot, common: Common, metrics: Metrics, stops: Stops) -> Self {
        Self {
            root,
            common,
            metrics,
            stops,
            shown: BTreeMap::new(),
            facts: BTreeMap::new(),
            configured: BTreeMap::new(),
            changed: false,
        }
    }

    /// True when documents differ since the last call.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// A service is gone.
    pub(crate) fn remove(&mut self, service: &str) {
        self.facts.remove(service);
        self.configured.remove(service);
        if let Some(entry) = self.shown.remove(service) {
            self.metrics.forget_service(entry.group());
            self.stops.forget(entry.group());
            self.changed = true;
        }
    }

    /// True when a service of this group is shown.
    pub(crate) fn shows(&self, group: &str) -> bool {
        let service = group.split('.').next().unwrap_or_default();
        self.shown.get(service).is_some_and(|entry| entry.group() == group)
    }

    fn facts(&mut self, service: &Service<Built>) -> Facts {
        let spec = service.spec();
        let Some(release) = service.release() else {
            return Facts::unknown(&self.root, spec);
        };
        let known = self.facts.get(service.name());
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.release, release)) {
            return known.facts.clone();
        }
        let facts = Facts::new(release, spec);
        let known = Known { release: Arc::clone(release), facts: facts.clone() };
        self.facts.insert(service.name().into(), known);
        facts
    }

    /// The configuration of a service, made once for each that it has.
    fn configured(&mut self, service: &Service<Built>) -> Arc<Vec<ConfigValue>> {
        let known = self.configured.get(service.name());
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.layers, service.layers())) {
            return Arc::clone(&known.values);
        }
        let layers = Arc::clone(service.layers());
        let values = Arc::new(configuration::values(&layers));
        let known = Configured { layers, values: Arc::clone(&values) };
        self.configured.insert(service.name().into(), known);
        values
    }

    /// Shows the present state of a service of the fleet, or of one that has just left it.
    pub(crate) fn show(&mut self, fleet: &Fleet<Built>, service: &Service<Built>) {
        let (status, facts) = (service.status(), self.facts(service));
        let document = service::document(
            &self.common,
            &facts,
            service.spec(),
            service.group(),
            &status,
            &Arc::clone(service.cfg()).into(),
        );
        let output = service.health_output();
        let health = service::health(&status, &output.stdout, &output.stderr);
        if status.state == ServiceState::Up {
            self.stops.started(service.group().as_str(), status.process.state_entered_ms);
        }
        let configured = self.configured(service);
        let v1 =
            v1::documents(fleet, service, &status, &self.stops, configured, self.common.redact);
        let entry = match self.shown.get(service.name()) {
            None => ServiceEntry::new(document, health).with_v1(v1),
            Some(known) => {
                if known.group() != service.group().as_str() {
                    self.metrics.forget_service(known.group());
                }
                let same_object = *known.document() == document;
                let same_health = *known.health_document() == health;
                let same_v1 = *known.v1_documents() == v1;
                match (same_object, same_health) {
                    (true, true) if same_v1 => return,
                    (true, true) => known.with_v1(v1),
                    (true, false) => known.with_health(health).with_v1(v1),
                    (false, true) => known.with_document(document).with_v1(v1),
                    (false, false) => known.with_document(document).with_health(health).with_v1(v1),
                }
            }
        };
        self.shown.insert(service.name().into(), Arc::new(entry));
        self.changed = true;
    }

    /// Shows all services again: what stopped some of them, for which others wait, is known now.
    pub(crate) fn show_all(&mut self, fleet: &Fleet<Built>) {
        fleet.services().for_each(|service| self.show(fleet, service));
    }

    /// Services that run first, then those that do not, each by name.
    pub(crate) fn listed(&self) -> Vec<Arc<ServiceEntry>> {
        let is_up = |entry: &&Arc<ServiceEntry>| entry.document().process.state == ProcessState::Up;
        let up = self.shown.values().filter(|entry| is_up(entry));
        let down = self.shown.values().filter(|entry| !is_up(entry));
        up.chain(down).cloned().collect()
    }
}
