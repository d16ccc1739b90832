//! The rumor stores (reference: ring §8): everything except members, and how hot it is. Views share
//! parts, which are copied only when they change while a view exists.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    config::Stores,
    dropped::Dropped,
    heat::Heat,
    id::MemberId,
    limits::OWN_ELECTION_BYTES_MAX,
    member::Membership,
    rooms::{Charge, Origin, Rooms},
    rumor::{
        self, ELECTION_ID, Election, ElectionKind, ElectionUpdate, Merge, Rumor, RumorKind,
        RumorType, Service, for_each_kind,
    },
    view::{Rumors, View},
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
    lists: Lists,
    /// How hot each key is; a key's number is its place in `keys`.
    pub(crate) heat: Heat,
    keys: Keys,
    rooms: Rooms,
    /// Groups in which this Supervisor has published a service since its start.
    own_groups: BTreeSet<String>,
}

/// A kind that has a store.
pub(crate) trait Stored: RumorType {
    fn list(lists: &Lists) -> &Arc<Rumors<Self>>;
    fn list_mut(lists: &mut Lists) -> &mut Arc<Rumors<Self>>;
}

macro_rules! make_lists {
    ($($(#[$doc:meta])* $kind:ident($payload:ident) = $number:literal, $label:literal, $list:ident;)*) => {
        /// The store of each kind.
        #[derive(Debug, Default)]
        pub(crate) struct Lists {
            $($list: Arc<Rumors<rumor::$kind>>,)*
        }

        $(impl Stored for rumor::$kind {
            fn list(lists: &Lists) -> &Arc<Rumors<Self>> {
                &lists.$list
            }

            fn list_mut(lists: &mut Lists) -> &mut Arc<Rumors<Self>> {
                &mut lists.$list
            }
        })*

        impl Lists {
            fn rumor(&self, RumorKey { kind, key, id }: &RumorKey) -> Option<Rumor> {
                match kind {
                    RumorKind::Member => None,
                    $(RumorKind::$kind => {
                        self.$list.get(key, id).map(|rumor| Rumor::$kind((**rumor).clone()))
                    })*
                }
            }
        }

        impl RumorStores {
            /// Shows all stores in a view.
            pub(crate) fn show(&self, view: &mut View) {
                $(view.$list = Arc::clone(&self.lists.$list);)*
            }

            /// All stores as the data file keeps them.
            pub(crate) fn stores(&self, members: Vec<Membership>) -> Stores {
                Stores {
                    members,
                    $($list: self.lists.$list.iter().map(|rumor| (**rumor).clone()).collect(),)*
                }
            }
        }
    };
}
for_each_kind!(make_lists);

/// What became of a rumor that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is stored, the first under its key.
    First,
    /// It is stored in the place of an older version.
    Newer,
    /// It changed nothing.
    Ignored,
}

/// What rumors are called, and what they take.
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

impl RumorStores {
    /// The store of a kind.
    pub(crate) fn list<T: Stored>(&self) -> &Rumors<T> {
        T::list(&self.lists)
    }

    /// The rumor with this key and id.
    pub(crate) fn get<T: Stored>(&self, key: &str, id: &str) -> Option<&Arc<T>> {
        self.list::<T>().get(key, id)
    }

    /// Merges a rumor into its store. News start hot.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(crate) fn take<T: Stored>(&mut self, origin: Origin, rumor: T) -> Result<Taken, Dropped> {
        let (key, id) = (rumor.key().to_owned(), rumor.id().into_owned());
        let (merged, taken) = match self.get::<T>(&key, &id) {
            None => (Merge::News(rumor), Taken::First),
            Some(stored) => (stored.merged(rumor), Taken::Newer),
        };
        match merged {
            Merge::News(rumor) => {
                self.put(origin, rumor)?;
                self.start_hot(T::KIND, &key, &id);
                return Ok(taken);
            }
            Merge::Known => self.heard(T::KIND, &key, &id),
            Merge::Older => {}
        }
        Ok(Taken::Ignored)
    }

    /// Stores a version of a rumor, whatever is there.
    fn put<T: Stored>(&mut self, origin: Origin, rumor: T) -> Result<(), Dropped> {
        let (key, id) = (rumor.key().to_owned(), rumor.id().into_owned());
        let name = RumorKey { kind: T::KIND, key: key.as_str().into(), id: id.as_str().into() };
        self.keys.charge(&mut self.rooms, origin, name, rumor.weight())?;
        let store = Arc::make_mut(T::list_mut(&mut self.lists));
        let group = Arc::make_mut(match store.list.get_mut(key.as_str()) {
            Some(group) => group,
            None => store.list.entry(key.into()).or_default(),
        });
        let rumor = Arc::new(rumor);
        match group.get_mut(id.as_str()) {
            Some(place) => *place = rumor,
            None => drop(group.insert(id.into(), rumor)),
        }
        store.update_counter += 1;
        Ok(())
    }

    /// Forgets a rumor. The emptied group stays.
    fn remove<T: Stored>(&mut self, key: &str, id: &str) {
        let store = Arc::make_mut(T::list_mut(&mut self.lists));
        let group = store.list.get_mut(key);
        let old = group.and_then(|group| Arc::make_mut(group).remove(id));
        let name = RumorKey { kind: T::KIND, key: key.into(), id: id.into() };
        let Some(place) = self.keys.place(&name).filter(|_| old.is_some()) else { return };
        if let Some(charge) = self.keys.charges[place as usize].take() {
            self.rooms.give_back(charge);
        }
        self.heat.cool(place);
    }

    /// From now on elections of this group get room of this Supervisor's own.
    pub(crate) fn add_own_group(&mut self, group: String) {
        self.own_groups.insert(group);
    }

    /// True when a member has a service in one of these groups.
    pub(crate) fn shares_own_group(&self, id: &MemberId) -> bool {
        self.own_groups.iter().any(|group| self.has_service(group, id))
    }

    /// Stores an election. One of a group with an own service gets reserved room, whatever its
    /// origin: it could not be finished otherwise.
    pub(crate) fn put_election(
        &mut self,
        origin: Origin,
        kind: ElectionKind,
        election: Election,
    ) -> Result<(), Dropped> {
        let is_own = self.own_groups.contains(&election.group)
            && election.weight() <= OWN_ELECTION_BYTES_MAX;
        let origin = if is_own { Origin::Own } else { origin };
        match kind {
            ElectionKind::Leader => self.put(origin, election),
            ElectionKind::Update => self.put(origin, ElectionUpdate(election)),
        }
    }

    /// The election of a group.
    pub(crate) fn election(&self, kind: ElectionKind, group: &str) -> Option<&Election> {
        match kind {
            ElectionKind::Leader => self.get::<Election>(group, ELECTION_ID).map(|it| &**it),
            ElectionKind::Update => self.get::<ElectionUpdate>(group, ELECTION_ID).map(|it| &***it),
        }
    }

    /// Groups that have, or had, an election of this kind.
    pub(crate) fn groups_with_election(
        &self,
        kind: ElectionKind,
    ) -> Box<dyn Iterator<Item = &Arc<str>> + '_> {
        match kind {
            ElectionKind::Leader => Box::new(self.list::<Election>().list.keys()),
            ElectionKind::Update => Box::new(self.list::<ElectionUpdate>().list.keys()),
        }
    }

    /// Forgets the election of a group, which is restarted.
    pub(crate) fn remove_election(&mut self, kind: ElectionKind, group: &str) {
        match kind {
            ElectionKind::Leader => self.remove::<Election>(group, ELECTION_ID),
            ElectionKind::Update => self.remove::<ElectionUpdate>(group, ELECTION_ID),
        }
    }

    /// Starts the stored election of a group hot.
    pub(crate) fn start_election_hot(&mut self, kind: ElectionKind, group: &str) {
        let kind = match kind {
            ElectionKind::Leader => Election::KIND,
            ElectionKind::Update => ElectionUpdate::KIND,
        };
        self.start_hot(kind, group, ELECTION_ID);
    }

    /// True when a member has a service in a group.
    pub(crate) fn has_service(&self, group: &str, id: &MemberId) -> bool {
        id.with_text(|id| self.get::<Service>(group, id).is_some())
    }

    /// Starts a stored rumor hot (reference: ring §9.1).
    pub(crate) fn start_hot(&mut self, kind: RumorKind, key: &str, id: &str) {
        let key = RumorKey { kind, key: key.into(), id: id.into() };
        if let Some(place) = self.keys.place(&key) {
            self.heat.start(place);
        }
    }

    /// A rumor has arrived in the version that is known here.
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

    /// The rumor with this number, as it is now.
    pub(crate) fn rumor(&self, rumor: u32) -> Option<Rumor> {
        self.lists.rumor(&self.keys.keys[rumor as usize])
    }

    /// Members with a service in a group.
    pub(crate) fn population(&self, group: &str) -> impl Iterator<Item = &MemberId> + Clone {
        let members =
            self.list::<Service>().list.get(group).into_iter().flat_map(|group| group.values());
        members.map(|service| &service.member_id)
    }
}
