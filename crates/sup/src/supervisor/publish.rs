//! Documents: those of touched services are made again, the rest is shared with the snapshot
//! before.

use std::{collections::BTreeMap, sync::Arc};

use roost_api::{
    Document, ServiceEntry, Snapshot,
    documents::{self, configuration::ConfigValue},
};
use roost_fleet::{Fleet, Service};
use roost_ident::ProcessState;
use roost_service::{PhaseName, Status};
use roost_template::config::Layers;
use tokio::sync::{oneshot, watch};

use super::{Supervisor, World};
use crate::{
    documents::{
        butterfly,
        census::CensusDocuments,
        checks, configuration, explanation,
        service::{self, Facts},
        v1,
    },
    services::built::Built,
    systemd,
};

/// What was published last.
#[derive(Debug)]
pub(super) struct Publisher {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    number: u64,
    entries: BTreeMap<String, Arc<ServiceEntry>>,
    /// What documents show of releases, by service.
    facts: BTreeMap<String, Known>,
    /// What documents show of configurations, by service.
    configured: BTreeMap<String, Configured>,
    census_documents: CensusDocuments,
    census: Arc<Document<documents::Census>>,
    butterfly: Arc<Document<documents::Butterfly>>,
    /// An entry is not what was published.
    entries_changed: bool,
    /// The ring's view is not what was published, and whether the census differs too.
    ring_changed: Option<bool>,
    status_line: String,
    start: Start,
}

/// Whether documents are published.
#[derive(Debug)]
enum Start {
    /// Not every service can be shown: half of them would be a lie. Who waits for the first
    /// documents.
    Before(oneshot::Sender<()>),
    /// The first documents are due.
    Due(oneshot::Sender<()>),
    Published,
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

impl Publisher {
    /// Sends on `started` when the first documents are published.
    pub(super) fn new(
        snapshots: watch::Sender<Option<Arc<Snapshot>>>,
        started: oneshot::Sender<()>,
    ) -> Self {
        Self {
            snapshots,
            number: 0,
            entries: BTreeMap::new(),
            facts: BTreeMap::new(),
            configured: BTreeMap::new(),
            census_documents: CensusDocuments::default(),
            census: Arc::new(documents::Census::default().into()),
            butterfly: Arc::new(documents::Butterfly::default().into()),
            entries_changed: false,
            ring_changed: None,
            status_line: String::new(),
            start: Start::Before(started),
        }
    }

    /// The ring looks different.
    pub(super) fn ring_changed(&mut self, census_too: bool) {
        self.ring_changed = Some(census_too | self.ring_changed.unwrap_or(false));
    }

    /// Every service that the specs named at the start can be shown.
    pub(super) fn begin(&mut self) {
        self.start = match std::mem::replace(&mut self.start, Start::Published) {
            Start::Before(started) => Start::Due(started),
            other => other,
        };
    }

    /// A service is gone.
    pub(super) fn remove(&mut self, world: &World, service: &str) {
        self.facts.remove(service);
        self.configured.remove(service);
        if let Some(entry) = self.entries.remove(service) {
            world.metrics.forget_service(entry.group());
            self.entries_changed = true;
        }
    }

    /// True when a service of this group is shown.
    pub(super) fn shows(&self, group: &str) -> bool {
        let service = group.split('.').next().unwrap_or_default();
        self.entries.get(service).is_some_and(|entry| entry.group() == group)
    }

    fn facts(&mut self, world: &World, service: &Service<Built>) -> Facts {
        let spec = service.spec();
        let Some(release) = service.release() else {
            return Facts::unknown(&world.config.root, spec);
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
    pub(super) fn show(&mut self, world: &World, fleet: &Fleet<Built>, service: &Service<Built>) {
        let (status, facts) = (service.status(), self.facts(world, service));
        let document = service::document(
            &world.common,
            &facts,
            service.spec(),
            service.group(),
            &status,
            &Arc::clone(service.cfg()).into(),
        );
        let output = service.health_output();
        let health = service::health(&status, &output.stdout, &output.stderr);
        let v1 = v1::documents(
            service.group().as_str(),
            service.ident().to_string(),
            &status,
            service.bind_reports(),
            explanation::document(fleet, service, world.common.redact),
            checks::document(service, &status, world.common.redact),
            self.configured(service),
            world.common.redact,
        );
        let entry = match self.entries.get(service.name()) {
            None => ServiceEntry::new(document, health).with_v1(v1),
            Some(known) => {
                if known.group() != service.group().as_str() {
                    world.metrics.forget_service(known.group());
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
        self.entries.insert(service.name().into(), Arc::new(entry));
        self.entries_changed = true;
    }

    /// Services that run first, then those that do not, each by name.
    fn listed(&self) -> Vec<Arc<ServiceEntry>> {
        let is_up = |entry: &&Arc<ServiceEntry>| entry.document().process.state == ProcessState::Up;
        let up = self.entries.values().filter(|entry| is_up(entry));
        let down = self.entries.values().filter(|entry| !is_up(entry));
        up.chain(down).cloned().collect()
    }
}

impl Supervisor {
    /// Publishes a new snapshot if something that documents show has changed.
    pub(super) fn publish(&mut self) {
        let touched = self.fleet.take_touched();
        let has_news = !touched.is_empty() || self.publisher.ring_changed.is_some();
        for service in self.fleet.services() {
            // What a blocked service waits for is shown with it, and that is others.
            let may_differ = touched.contains(service.name()) || (has_news && service.is_blocked());
            if may_differ {
                self.publisher.show(&self.world, &self.fleet, service);
            }
        }
        let first = match self.publisher.start {
            // Also an end before everything was read.
            Start::Before(_) => return,
            Start::Due(_) if self.fleet.is_ending() => return,
            Start::Due(_) => true,
            Start::Published => false,
        };
        let publisher = &mut self.publisher;
        if !first && !publisher.entries_changed && publisher.ring_changed.is_none() {
            return;
        }
        if first || publisher.ring_changed.is_some() {
            let changed = publisher.ring_changed.unwrap_or(false);
            let census = publisher.census_documents.document(self.fleet.census(), changed);
            publisher.census = Arc::new(census.into());
            let view = Arc::clone(&self.outlook.view);
            let butterfly = Document::deferred(move || butterfly::document(&view));
            publisher.butterfly = Arc::new(butterfly);
        } else if publisher.census.value().changed {
            let census = documents::Census { changed: false, ..publisher.census.value().clone() };
            publisher.census = Arc::new(census.into());
        }
        publisher.ring_changed = None;
        publisher.entries_changed = false;
        publisher.number += 1;
        let (number, services) = (publisher.number, publisher.listed());
        let (census, butterfly) = (Arc::clone(&publisher.census), Arc::clone(&publisher.butterfly));
        let snapshot = Snapshot::new(number, services, census, butterfly);
        publisher.snapshots.send_replace(Some(Arc::new(snapshot)));
        if let Start::Due(started) = std::mem::replace(&mut publisher.start, Start::Published) {
            // Nothing waits any more when the start has failed elsewhere.
            let _ = started.send(());
        }
        self.tell_systemd();
    }

    /// One line for `systemctl status`, when it is another one.
    fn tell_systemd(&mut self) {
        let statuses: Vec<Status> = self.fleet.services().map(Service::status).collect();
        let up = statuses.iter().filter(|s| s.process.state == ProcessState::Up).count();
        let broken = statuses.iter().filter(|s| s.phase == PhaseName::Broken).count();
        let mut line = format!("{up} of {} services up", statuses.len());
        if broken > 0 {
            line.push_str(&format!(", {broken} broken"));
        }
        if line != self.publisher.status_line {
            systemd::status(&line);
            self.publisher.status_line = line;
        }
    }
}
