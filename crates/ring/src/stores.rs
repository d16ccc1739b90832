//! The rumor stores (reference: ring §8): everything except members, and how hot it is. Views share
//! parts, which are copied only when they change while a view exists.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    dropped::Dropped,
    heat::Heat,
    limits::OWN_ELECTION_BYTES_MAX,
    rooms::{Charge, Origin, Rooms},
    rumor::{
        Departure, Election, ElectionKind, Rumor, RumorKind, Service, ServiceConfig, ServiceFile,
    },
    view::Rumors,
};

/// Identity of a rumor.
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
    /// Heat of each key; a key's number is its index in `keys`.
    pub(crate) heat: Heat,
    keys: Keys,
    rooms: Rooms,
    /// Groups in which this Supervisor has published a service since its start.
    own_groups: BTreeSet<String>,
}

/// Keys of the rumors, and their size.
#[derive(Debug, Default)]
struct Keys {
    keys: Vec<RumorKey>,
    /// For look-up only; its order never shows.
    index: HashMap<RumorKey, u32>,
    /// By index; `None` for removed rumors.
    charges: Vec<Option<Charge>>,
}

/// Overhead of a rumor besides its content and names, in bytes: records, nodes of maps, heat.
const OVERHEAD_BYTES: usize = 320;
/// Number of copies of the key and the id of a rumor: in the store, in the keys, in itself.
const NAMES: usize = 3;

/// Size of a rumor's content besides its key and id, in bytes.
trait Weight {
    fn weight(&self) -> usize;
}

impl Weight for Service {
    fn weight(&self) -> usize {
        let sys = &self.sys;
        let texts = [&self.pkg, &sys.ip, &sys.hostname, &sys.gossip_ip, &sys.http_gateway_ip];
        let texts = texts.into_iter().chain([&sys.ctl_gateway_ip]);
        self.cfg.len() + texts.map(String::len).sum::<usize>()
    }
}

impl Weight for ServiceConfig {
    fn weight(&self) -> usize {
        self.config.len() + self.from_id.len()
    }
}

impl Weight for ServiceFile {
    fn weight(&self) -> usize {
        self.body.len() + self.from_id.len()
    }
}

impl Weight for Election {
    fn weight(&self) -> usize {
        let allocated = self.votes.iter().map(crate::id::MemberId::allocated_bytes).sum::<usize>();
        self.votes.len() * size_of::<crate::id::MemberId>() + allocated
    }
}

impl Weight for Departure {
    fn weight(&self) -> usize {
        0
    }
}

impl Keys {
    fn place(&self, key: &RumorKey) -> Option<u32> {
        self.index.get(key).copied()
    }

    /// Makes room for a rumor; fails when there is none for its origin.
    fn charge(
        &mut self,
        rooms: &mut Rooms,
        origin: Origin,
        key: RumorKey,
        content_bytes: usize,
    ) -> Result<(), Dropped> {
        let bytes = OVERHEAD_BYTES + NAMES * (key.key.len() + key.id.len()) + content_bytes;
        let place = self.place(&key);
        let old = place.and_then(|place| self.charges[place as usize]);
        let charge = Some(rooms.take(old, origin, bytes)?);
        if let Some(place) = place {
            self.charges[place as usize] = charge;
        } else {
            let place = u32::try_from(self.keys.len()).expect("the limits of rooms are far below");
            self.index.insert(key.clone(), place);
            self.keys.push(key);
            self.charges.push(charge);
        }
        Ok(())
    }
}

/// Stores a rumor.
fn put<T: Clone>(store: &mut Arc<Rumors<T>>, (key, id): (&str, &str), rumor: T) {
    let store = Arc::make_mut(store);
    let group = Arc::make_mut(match store.list.get_mut(key) {
        Some(group) => group,
        None => store.list.entry(key.into()).or_default(),
    });
    match group.get_mut(id) {
        Some(place) => *place = Arc::new(rumor),
        None => drop(group.insert(id.into(), Arc::new(rumor))),
    }
    store.update_counter += 1;
}

impl RumorStores {
    fn charge(
        &mut self,
        origin: Origin,
        kind: RumorKind,
        (key, id): (&str, &str),
        rumor: &impl Weight,
    ) -> Result<(), Dropped> {
        let key = RumorKey { kind, key: key.into(), id: id.into() };
        self.keys.charge(&mut self.rooms, origin, key, rumor.weight())
    }

    /// This Supervisor has published a service in the group since its start.
    pub(crate) fn is_own_group(&self, group: &str) -> bool {
        self.own_groups.contains(group)
    }

    pub(crate) fn put_service(&mut self, origin: Origin, service: Service) -> Result<(), Dropped> {
        let (key, id) = (service.group.clone(), service.member_id.to_string());
        self.charge(origin, RumorKind::Service, (&key, &id), &service)?;
        if origin == Origin::Own {
            self.own_groups.insert(key.clone());
        }
        put(&mut self.services, (&key, &id), service);
        Ok(())
    }

    pub(crate) fn put_service_config(
        &mut self,
        origin: Origin,
        config: ServiceConfig,
    ) -> Result<(), Dropped> {
        let key = config.group.clone();
        let ids = (key.as_str(), crate::rumor::SERVICE_CONFIG_ID);
        self.charge(origin, RumorKind::ServiceConfig, ids, &config)?;
        put(&mut self.service_configs, ids, config);
        Ok(())
    }

    pub(crate) fn put_service_file(
        &mut self,
        origin: Origin,
        file: ServiceFile,
    ) -> Result<(), Dropped> {
        let (key, id) = (file.group.clone(), file.filename.clone());
        self.charge(origin, RumorKind::ServiceFile, (&key, &id), &file)?;
        put(&mut self.service_files, (&key, &id), file);
        Ok(())
    }

    /// Stores an election. One of a group with an own service gets reserved room, whatever its
    /// origin: it could not be finished otherwise.
    pub(crate) fn put_election(
        &mut self,
        origin: Origin,
        kind: ElectionKind,
        election: Election,
    ) -> Result<(), Dropped> {
        let key = election.group.clone();
        let ids = (key.as_str(), crate::rumor::ELECTION_ID);
        let own = self.is_own_group(&key) && election.weight() <= OWN_ELECTION_BYTES_MAX;
        let origin = if own { Origin::Own } else { origin };
        self.charge(origin, kind.rumor_kind(), ids, &election)?;
        put(self.elections_mut(kind), ids, election);
        Ok(())
    }

    pub(crate) fn put_departure(
        &mut self,
        origin: Origin,
        departure: Departure,
    ) -> Result<(), Dropped> {
        let id = departure.member_id.to_string();
        let ids = (crate::rumor::DEPARTURE_KEY, id.as_str());
        self.charge(origin, RumorKind::Departure, ids, &departure)?;
        put(&mut self.departures, ids, departure);
        Ok(())
    }

    /// The elections of one kind.
    pub(crate) fn elections_of(&self, kind: ElectionKind) -> &Rumors<Election> {
        match kind {
            ElectionKind::Leader => &self.elections,
            ElectionKind::Update => &self.update_elections,
        }
    }

    fn elections_mut(&mut self, kind: ElectionKind) -> &mut Arc<Rumors<Election>> {
        match kind {
            ElectionKind::Leader => &mut self.elections,
            ElectionKind::Update => &mut self.update_elections,
        }
    }

    /// The election of a group.
    pub(crate) fn election(&self, kind: ElectionKind, group: &str) -> Option<&Arc<Election>> {
        self.elections_of(kind).get(group, crate::rumor::ELECTION_ID)
    }

    /// Groups that have, or had, an election of this kind.
    pub(crate) fn groups_with_election(
        &self,
        kind: ElectionKind,
    ) -> impl Iterator<Item = &Arc<str>> {
        self.elections_of(kind).list.keys()
    }

    /// Starts the stored election of a group hot.
    pub(crate) fn start_election_hot(&mut self, kind: ElectionKind, group: &str) {
        self.start_hot(kind.rumor_kind(), group, crate::rumor::ELECTION_ID);
    }

    /// True when a member has a service in a group.
    pub(crate) fn has_service(&self, group: &str, id: &crate::id::MemberId) -> bool {
        id.with_text(|id| self.services.get(group, id).is_some())
    }

    /// Removes the election of a group, which is restarted. The emptied group stays.
    pub(crate) fn remove_election(&mut self, kind: ElectionKind, group: &str) {
        let old = Arc::make_mut(self.elections_mut(kind))
            .list
            .get_mut(group)
            .and_then(|elections| Arc::make_mut(elections).remove(crate::rumor::ELECTION_ID));
        let kind = kind.rumor_kind();
        let key = RumorKey { kind, key: group.into(), id: crate::rumor::ELECTION_ID.into() };
        let Some(place) = self.keys.place(&key).filter(|_| old.is_some()) else { return };
        if let Some(charge) = self.keys.charges[place as usize].take() {
            self.rooms.give_back(charge);
        }
        self.heat.cool(place);
    }

    /// Starts a stored rumor hot (reference: ring §9.1).
    pub(crate) fn start_hot(&mut self, kind: RumorKind, key: &str, id: &str) {
        let key = RumorKey { kind, key: key.into(), id: id.into() };
        if let Some(place) = self.keys.place(&key) {
            self.heat.start(place);
        }
    }

    /// The current version of a rumor was received again.
    pub(crate) fn heard(&mut self, kind: RumorKind, key: &str, id: &str) {
        let key = RumorKey { kind, key: key.into(), id: id.into() };
        if let Some(place) = self.keys.place(&key) {
            self.heat.heard(place);
        }
    }

    /// Stops offering the services of a departed member until they change.
    pub(crate) fn cool_services_of(&mut self, id: &str) {
        for (key, place) in self.keys.keys.iter().zip(0..) {
            if key.kind == RumorKind::Service && &*key.id == id {
                self.heat.cool(place);
            }
        }
    }

    /// The key of the rumor with this number.
    pub(crate) fn key(&self, rumor: u32) -> &RumorKey {
        &self.keys.keys[rumor as usize]
    }

    /// The current rumor with this number.
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
    pub(crate) fn population(
        &self,
        group: &str,
    ) -> impl Iterator<Item = &crate::id::MemberId> + Clone {
        let members = self.services.list.get(group).into_iter().flat_map(|group| group.values());
        members.map(|service| &service.member_id)
    }
}
