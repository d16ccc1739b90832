//! Documents: what was touched is shown anew, the rest is shared with the snapshot before.

use std::{collections::BTreeMap, sync::Arc};

use roost_api::{Document, ServiceEntry, Snapshot, documents};
use roost_ident::ProcessState;
use roost_service::{PhaseName, Status};
use tokio::sync::watch;

use super::{Course, Supervisor, World, commands::shown_ident, managed::Managed};
use crate::{
    documents::{butterfly, census::CensusDocuments, service, v1},
    systemd,
};

/// What was published last.
#[derive(Debug)]
pub(super) struct Publisher {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    number: u64,
    entries: BTreeMap<String, Arc<ServiceEntry>>,
    census_documents: CensusDocuments,
    census: Arc<Document<documents::Census>>,
    butterfly: Arc<Document<documents::Butterfly>>,
    /// An entry is not what was published.
    entries_changed: bool,
    /// The ring's view is not what was published, and whether the census differs too.
    ring_changed: Option<bool>,
    status_line: String,
}

impl Publisher {
    pub(super) fn new(snapshots: watch::Sender<Option<Arc<Snapshot>>>) -> Self {
        Self {
            snapshots,
            number: 0,
            entries: BTreeMap::new(),
            census_documents: CensusDocuments::default(),
            census: Arc::new(documents::Census::default().into()),
            butterfly: Arc::new(documents::Butterfly::default().into()),
            entries_changed: false,
            ring_changed: None,
            status_line: String::new(),
        }
    }

    /// The ring looks different.
    pub(super) fn ring_changed(&mut self, census_too: bool) {
        self.ring_changed = Some(census_too | self.ring_changed.unwrap_or(false));
    }

    /// A service is gone.
    pub(super) fn remove(&mut self, service: &str) {
        self.entries_changed |= self.entries.remove(service).is_some();
    }

    /// Shows the present state of a service.
    pub(super) fn show(&mut self, world: &World, managed: &Managed) {
        let status = managed.status();
        let document = service::document(
            &world.common,
            &managed.facts,
            managed.spec(),
            managed.group(),
            &status,
            &managed.cfg,
        );
        let health = service::health(&status, &managed.health_output);
        let v1 = v1::documents(
            managed.group().as_str(),
            shown_ident(managed).to_string(),
            &status,
            managed.binds_told.as_deref().unwrap_or_default(),
            world.common.redact,
        );
        let entry = match self.entries.get(&managed.name) {
            None => ServiceEntry::new(document, health).with_v1(v1),
            Some(known) => {
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
        self.entries.insert(managed.name.clone(), Arc::new(entry));
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
        for service in std::mem::take(&mut self.touched) {
            if let Some(managed) = self.services.get(&service) {
                self.publisher.show(&self.world, managed);
            }
        }
        let first = matches!(self.course, Course::Starting { .. }) && self.is_started();
        // Also an end before everything was read: half of the services would be a lie.
        if !first && self.publisher.number == 0 {
            return;
        }
        let publisher = &mut self.publisher;
        if !first && !publisher.entries_changed && publisher.ring_changed.is_none() {
            return;
        }
        if first || publisher.ring_changed.is_some() {
            let changed = publisher.ring_changed.unwrap_or(false);
            let census = publisher.census_documents.document(&self.census, changed);
            publisher.census = Arc::new(census.into());
            let view = Arc::clone(&self.view);
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
        if first {
            self.all_read();
        }
        self.tell_systemd();
    }

    /// Every spec was read: from now on there are documents.
    fn all_read(&mut self) {
        let course = std::mem::replace(&mut self.course, Course::Running);
        if let Course::Starting { started: Some(started), .. } = course {
            // Nobody waits any more when the start has failed elsewhere.
            let _ = started.send(());
        }
    }

    /// One line for `systemctl status`, when it is another one.
    fn tell_systemd(&mut self) {
        let statuses: Vec<Status> =
            self.services.values().map(|managed| managed.machine.status()).collect();
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
