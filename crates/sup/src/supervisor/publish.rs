//! Documents: those of touched services are made again, the rest is shared with the snapshot
//! before.

use std::sync::Arc;

use roost_api::{
    Document, Snapshot,
    documents::{self, ring::RingDocuments},
};
use roost_fleet::Service;
use roost_ident::ProcessState;
use roost_service::{PhaseName, Status};
use tokio::sync::{oneshot, watch};

use super::Supervisor;
use crate::{
    documents::{butterfly, census::CensusDocuments, entries::Entries, ring},
    systemd,
};

/// What was published last.
#[derive(Debug)]
pub(crate) struct Publisher {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    number: u64,
    pub(super) entries: Entries,
    census_documents: CensusDocuments,
    census: Arc<Document<documents::Census>>,
    butterfly: Arc<Document<documents::Butterfly>>,
    ring: Arc<Document<RingDocuments>>,
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

impl Publisher {
    /// Sends on `started` when the first documents are published.
    pub(crate) fn new(
        entries: Entries,
        snapshots: watch::Sender<Option<Arc<Snapshot>>>,
        started: oneshot::Sender<()>,
    ) -> Self {
        Self {
            snapshots,
            number: 0,
            entries,
            census_documents: CensusDocuments::default(),
            census: Arc::new(documents::Census::default().into()),
            butterfly: Arc::new(documents::Butterfly::default().into()),
            ring: Arc::new(RingDocuments::default().into()),
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
}

impl Supervisor {
    /// Publishes a new snapshot if something that documents show has changed.
    pub(super) fn publish(&mut self) {
        let touched = self.fleet.take_touched();
        let census_changed = self.publisher.ring_changed == Some(true);
        let has_news = !touched.is_empty() || self.publisher.ring_changed.is_some();
        for service in self.fleet.services() {
            // What a blocked service waits for is shown with it, and that is others; so are the
            // members that its binds lead to, and those of its election.
            let sees_others = census_changed && service.sees_others();
            let may_differ = touched.contains(service.name())
                || (has_news && service.is_blocked())
                || sees_others;
            if may_differ {
                self.publisher.entries.show(&self.fleet, service);
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
        let entries_changed = publisher.entries.take_changed();
        if !first && !entries_changed && publisher.ring_changed.is_none() {
            return;
        }
        if first || publisher.ring_changed.is_some() {
            let changed = publisher.ring_changed.unwrap_or(false);
            let census = publisher.census_documents.document(self.fleet.census(), changed);
            publisher.census = Arc::new(census.into());
            let view = Arc::clone(&self.outlook.view);
            let butterfly = Document::deferred(move || butterfly::document(&view));
            publisher.butterfly = Arc::new(butterfly);
            let (view, origin) = (Arc::clone(&self.outlook.view), self.world.ring.origin.clone());
            let here = self.world.here;
            let ring = Document::deferred(move || ring::documents(&view, &origin, here));
            publisher.ring = Arc::new(ring);
        } else if publisher.census.value().changed {
            let census = documents::Census { changed: false, ..publisher.census.value().clone() };
            publisher.census = Arc::new(census.into());
        }
        publisher.ring_changed = None;
        publisher.number += 1;
        let (number, services) = (publisher.number, publisher.entries.listed());
        let (census, butterfly) = (Arc::clone(&publisher.census), Arc::clone(&publisher.butterfly));
        let snapshot = Snapshot::new(number, services, census, butterfly)
            .with_ring(Arc::clone(&publisher.ring), self.world.ring.contacts.clone());
        publisher.snapshots.send_replace(Some(Arc::new(snapshot)));
        if let Start::Due(started) = std::mem::replace(&mut publisher.start, Start::Published) {
            // Nothing waits any more when the start has failed elsewhere.
            let _ = started.send(());
        }
        self.notify_systemd();
    }

    /// Sends the line for `systemctl status` when it has changed.
    fn notify_systemd(&mut self) {
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
