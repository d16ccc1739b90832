//! The rumor stores (ring chapter 8): what is known of everything but members, and how hot it
//! is. Parts are shared with views and copied only when they change while a view is held.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    Departure, Dropped, Election, Rumor, RumorKind, Rumors, Service, ServiceConfig, ServiceFile,
    heat::Heat,
    limits::{RUMOR_BYTES_MAX, RUMORS_MAX},
};

/// What identifies a rumor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RumorKey {
    pub(crate) kind: RumorKind,
    /// A group, or the constant `departure`.
    pub(crate) key: Arc<str>,
    /// A member id, a file name or a constant.
    pub(crate) id: Arc<str>,
}

/// All stores.
#[derive(Debug, Default)]
pub(crate) struct RumorStores {
    pub(crate) services: Arc<Rumors<Service>>,
    pub(crate) service_configs: Arc<Rumors<ServiceConfig>>,
    pub(crate) service_files: Arc<Rumors<ServiceFile>>,
    pub(crate) elections: Arc<Rumors<Election>>,
    pub(crate) update_elections: Arc<Rumors<Election>>,
    pub(crate) departures: Arc<Rumors<Departure>>,
    /// How hot each key is; a key's number is its place in `keys`.
    pub(crate) heat: Heat,
    keys: Vec<RumorKey>,
    /// For look-up only; its order never shows.
    index: HashMap<RumorKey, u32>,
    bytes: usize,
}

/// What a rumor costs besides its content, in bytes: keys, records, heat.
const OVERHEAD_BYTES: usize = 256;

/// Size of what a rumor holds, in bytes, for the limit on all of them.
trait Weight {
    fn weight(&self) -> usize;
}

impl Weight for Service {
    fn weight(&self) -> usize {
        OVERHEAD_BYTES + self.cfg.len() + self.pkg.len() + self.sys.hostname.len()
    }
}

impl Weight for ServiceConfig {
    fn weight(&self) -> usize {
        OVERHEAD_BYTES + self.config.len() + self.from_id.len()
    }
}

impl Weight for ServiceFile {
    fn weight(&self) -> usize {
        OVERHEAD_BYTES + self.body.len() + self.from_id.len()
    }
}

impl Weight for Election {
    fn weight(&self) -> usize {
        OVERHEAD_BYTES + self.votes.len() * size_of::<crate::MemberId>()
    }
}

impl Weight for Departure {
    fn weight(&self) -> usize {
        OVERHEAD_BYTES
    }
}

/// Stores a rumor, or fails when all stores together would exceed their limits.
fn put<T: Weight + Clone>(
    store: &mut Arc<Rumors<T>>,
    bytes: &mut usize,
    full: bool,
    (key, id): (&str, &str),
    rumor: T,
) -> Result<(), Dropped> {
    let old = store.get(key, id).map(|old| old.weight());
    let sum = *bytes - old.unwrap_or(0) + rumor.weight();
    if sum > RUMOR_BYTES_MAX || (old.is_none() && full) {
        return Err(Dropped::TooManyRumors);
    }
    *bytes = sum;
    let store = Arc::make_mut(store);
    let group = match store.list.get_mut(key) {
        Some(group) => group,
        None => store.list.entry(key.into()).or_default(),
    };
    match group.get_mut(id) {
        Some(place) => *place = Arc::new(rumor),
        None => drop(group.insert(id.into(), Arc::new(rumor))),
    }
    store.update_counter += 1;
    Ok(())
}

impl RumorStores {
    fn is_full(&self) -> bool {
        self.keys.len() >= RUMORS_MAX
    }

    pub(crate) fn put_service(&mut self, service: Service) -> Result<(), Dropped> {
        let full = self.is_full();
        let id = service.member_id.to_string();
        let key = service.group.clone();
        put(&mut self.services, &mut self.bytes, full, (&key, &id), service)
    }

    pub(crate) fn put_service_config(&mut self, config: ServiceConfig) -> Result<(), Dropped> {
        let full = self.is_full();
        let key = config.group.clone();
        let ids = (key.as_str(), crate::rumor::SERVICE_CONFIG_ID);
        put(&mut self.service_configs, &mut self.bytes, full, ids, config)
    }

    pub(crate) fn put_service_file(&mut self, file: ServiceFile) -> Result<(), Dropped> {
        let full = self.is_full();
        let (key, id) = (file.group.clone(), file.filename.clone());
        put(&mut self.service_files, &mut self.bytes, full, (&key, &id), file)
    }

    pub(crate) fn put_election(
        &mut self,
        kind: RumorKind,
        election: Election,
    ) -> Result<(), Dropped> {
        let full = self.is_full();
        let key = election.group.clone();
        let store = if kind == RumorKind::Election {
            &mut self.elections
        } else {
            &mut self.update_elections
        };
        put(store, &mut self.bytes, full, (&key, crate::rumor::ELECTION_ID), election)
    }

    pub(crate) fn put_departure(&mut self, departure: Departure) -> Result<(), Dropped> {
        let full = self.is_full();
        let id = departure.member_id.to_string();
        let ids = (crate::rumor::DEPARTURE_KEY, id.as_str());
        put(&mut self.departures, &mut self.bytes, full, ids, departure)
    }

    /// The elections of one kind.
    pub(crate) fn elections_of(&self, kind: RumorKind) -> &Rumors<Election> {
        if kind == RumorKind::Election { &self.elections } else { &self.update_elections }
    }

    /// The election of a group.
    pub(crate) fn election(&self, kind: RumorKind, group: &str) -> Option<&Arc<Election>> {
        self.elections_of(kind).get(group, crate::rumor::ELECTION_ID)
    }

    /// Forgets the election of a group, which is started anew. The emptied group stays.
    pub(crate) fn remove_election(&mut self, kind: RumorKind, group: &str) {
        let store = if kind == RumorKind::Election {
            &mut self.elections
        } else {
            &mut self.update_elections
        };
        let old = Arc::make_mut(store)
            .list
            .get_mut(group)
            .and_then(|elections| elections.remove(crate::rumor::ELECTION_ID));
        if let Some(old) = old {
            self.bytes -= old.weight();
        }
        let key = RumorKey { kind, key: group.into(), id: crate::rumor::ELECTION_ID.into() };
        if let Some(place) = self.index.get(&key) {
            self.heat.cool(*place);
        }
    }

    /// Starts a rumor hot. False when the heat has to be renumbered first.
    #[must_use]
    pub(crate) fn start_hot(&mut self, kind: RumorKind, key: &str, id: &str) -> bool {
        let key = RumorKey { kind, key: key.into(), id: id.into() };
        let next = u32::try_from(self.keys.len()).expect("RUMORS_MAX is far below");
        let place = *self.index.entry(key.clone()).or_insert(next);
        if place == next {
            self.keys.push(key);
        }
        self.heat.start(place)
    }

    /// Somebody told a rumor in the version that is known here.
    pub(crate) fn heard(&mut self, kind: RumorKind, key: &str, id: &str) {
        let key = RumorKey { kind, key: key.into(), id: id.into() };
        if let Some(place) = self.index.get(&key) {
            self.heat.heard(*place);
        }
    }

    /// Offers the services of a departed member to nobody until they change.
    pub(crate) fn cool_services_of(&mut self, id: &str) {
        for (key, place) in self.keys.iter().zip(0..) {
            if key.kind == RumorKind::Service && &*key.id == id {
                self.heat.cool(place);
            }
        }
    }

    /// What identifies the rumor with this number.
    pub(crate) fn key(&self, rumor: u32) -> &RumorKey {
        &self.keys[rumor as usize]
    }

    /// The rumor with this number, as it is now.
    pub(crate) fn rumor(&self, rumor: u32) -> Option<Rumor> {
        let RumorKey { kind, key, id } = self.key(rumor);
        match kind {
            RumorKind::Member => None,
            RumorKind::Service => {
                self.services.get(key, id).map(|rumor| Rumor::Service((**rumor).clone()))
            }
            RumorKind::ServiceConfig => self
                .service_configs
                .get(key, id)
                .map(|rumor| Rumor::ServiceConfig((**rumor).clone())),
            RumorKind::ServiceFile => {
                self.service_files.get(key, id).map(|rumor| Rumor::ServiceFile((**rumor).clone()))
            }
            RumorKind::Election => {
                self.elections.get(key, id).map(|rumor| Rumor::Election((**rumor).clone()))
            }
            RumorKind::ElectionUpdate => self
                .update_elections
                .get(key, id)
                .map(|rumor| Rumor::ElectionUpdate((**rumor).clone())),
            RumorKind::Departure => {
                self.departures.get(key, id).map(|rumor| Rumor::Departure((**rumor).clone()))
            }
        }
    }

    /// Members with a service in a group.
    pub(crate) fn population(&self, group: &str) -> impl Iterator<Item = &crate::MemberId> + Clone {
        static NOBODY: BTreeMap<Arc<str>, Arc<Service>> = BTreeMap::new();
        self.services.list.get(group).unwrap_or(&NOBODY).values().map(|service| &service.member_id)
    }
}
