//! The member list: dense, never shrinking, found by id (reference: ring §5). Other code refers to
//! members by their index in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    net::Ipv4Addr,
};

use hashbrown::HashTable;

use crate::{
    counters::HealthTally,
    heat::{Cursor, Heat},
    id::MemberId,
    member::{Health, Member, Membership},
    standing::{Contact, Source, Standing},
    time::Now,
    view::{Listed, PART_MEMBERS},
};

/// Most members of a ring that counts as small.
const SMALL_RING_MAX: usize = 16;

/// Index of a member in the list.
pub(crate) type Place = u32;

/// A member. Rings of ten thousand are simulated in one process, so each byte counts.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: MemberId,
    pub(crate) incarnation: u64,
    pub(crate) address: Ipv4Addr,
    /// The member rumors that were sent to this member.
    pub(crate) sent_members: Cursor,
    /// The other rumors that were sent to this member.
    pub(crate) sent_others: Cursor,
    pub(crate) swim_port: u16,
    pub(crate) gossip_port: u16,
    pub(crate) health: Health,
    pub(crate) persistent: bool,
    pub(crate) departed: bool,
    pub(crate) probe_ping: bool,
    /// It is one of the first members with direct contact.
    pub(crate) contact: bool,
    /// A push to it is in progress.
    pub(crate) pushing: bool,
}

impl Entry {
    pub(crate) fn member(&self) -> Member {
        Member {
            id: self.id.clone(),
            incarnation: self.incarnation,
            address: Some(self.address),
            swim_port: self.swim_port,
            gossip_port: self.gossip_port,
            persistent: self.persistent,
            departed: self.departed,
            probe_ping: self.probe_ping,
        }
    }

    pub(crate) fn membership(&self) -> Membership {
        Membership { member: self.member(), health: self.health }
    }

    /// Eligible for pings and gossip (reference: ring §5.7).
    pub(crate) const fn is_pingable(&self) -> bool {
        self.persistent || matches!(self.health, Health::Alive | Health::Suspect)
    }

    pub(crate) const fn is_persistent_and_confirmed(&self) -> bool {
        self.persistent && matches!(self.health, Health::Confirmed)
    }
}

/// The member list.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
    /// What is known about each besides its record.
    standings: Vec<Standing>,
    /// Those with a contact since the last call of [`Table::take_contacts`]; bounded by the list.
    heard: BTreeSet<Place>,
    /// Heat of member rumors; a rumor's number is the member's index.
    pub(crate) heat: Heat,
    /// Accepted changes since the start.
    pub(crate) update_counter: u64,
    index: HashTable<Place>,
    hash_key: u64,
    /// When suspect and confirmed members are due for the next worse health.
    due: BTreeSet<(Now, Place)>,
    due_of: BTreeMap<Place, Now>,
    tally: HealthTally,
}

impl Table {
    /// An empty list; `hash_key` prevents strangers from choosing colliding ids.
    pub(crate) fn new(hash_key: u64) -> Self {
        Self {
            entries: Vec::new(),
            standings: Vec::new(),
            heard: BTreeSet::new(),
            heat: Heat::default(),
            update_counter: 0,
            index: HashTable::new(),
            hash_key,
            due: BTreeSet::new(),
            due_of: BTreeMap::new(),
            tally: HealthTally::default(),
        }
    }

    fn hash(hash_key: u64, id: &MemberId) -> u64 {
        let mut hasher = DefaultHasher::new();
        hash_key.hash(&mut hasher);
        id.hash(&mut hasher);
        hasher.finish()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when the ring is so small that newcomers are treated as in Habitat: all members send
    /// them everything.
    pub(crate) fn is_small(&self) -> bool {
        self.len() <= SMALL_RING_MAX
    }

    pub(crate) fn find(&self, id: &MemberId) -> Option<Place> {
        let hash = Self::hash(self.hash_key, id);
        self.index.find(hash, |place| self.entries[*place as usize].id == *id).copied()
    }

    pub(crate) fn health_of(&self, id: &MemberId) -> Option<Health> {
        self.get(id).map(|entry| entry.health)
    }

    pub(crate) fn get(&self, id: &MemberId) -> Option<&Entry> {
        self.find(id).map(|place| &self.entries[place as usize])
    }

    pub(crate) fn at(&self, place: Place) -> &Entry {
        &self.entries[place as usize]
    }

    pub(crate) fn at_mut(&mut self, place: Place) -> &mut Entry {
        &mut self.entries[place as usize]
    }

    /// The members of one part of the public list.
    pub(crate) fn part(&self, number: usize) -> Vec<Listed> {
        let entries = self.entries.iter().zip(&self.standings);
        let entries = entries.skip(number * PART_MEMBERS).take(PART_MEMBERS);
        let listed = entries.map(|(entry, standing)| Listed {
            member: entry.member(),
            health: entry.health,
            since: standing.since(),
            source: standing.source(),
        });
        listed.collect()
    }

    /// A member has another health than before.
    pub(crate) fn turned(&mut self, place: Place, now: Now, source: Source) {
        self.standings[place as usize].turn(now, source);
    }

    /// A datagram of a member arrived.
    pub(crate) fn contact(&mut self, place: Place, now: Now) {
        if self.standings[place as usize].hear(now) {
            self.heard.insert(place);
        }
    }

    /// A member answered a ping directly.
    pub(crate) fn measured(&mut self, place: Place, took_us: u64) {
        self.standings[place as usize].measure(took_us);
        self.heard.insert(place);
    }

    /// The contacts that are new since the last call, by place in the list.
    pub(crate) fn take_contacts(&mut self) -> Vec<(usize, Contact)> {
        let heard = std::mem::take(&mut self.heard).into_iter().map(|place| place as usize);
        heard.map(|place| (place, self.standings[place].contact())).collect()
    }

    /// Stores a record, new or as a replacement.
    pub(crate) fn put(&mut self, member: &Member, address: Ipv4Addr, health: Health) -> Place {
        let place = self.find(&member.id).unwrap_or_else(|| self.push(&member.id));
        self.count(place, -1);
        let entry = self.at_mut(place);
        entry.incarnation = member.incarnation;
        entry.address = address;
        entry.swim_port = member.swim_port;
        entry.gossip_port = member.gossip_port;
        entry.persistent = member.persistent;
        entry.departed = member.departed;
        entry.probe_ping = member.probe_ping;
        entry.health = health;
        self.count(place, 1);
        place
    }

    fn push(&mut self, id: &MemberId) -> Place {
        let place = Place::try_from(self.entries.len()).expect("members_max is far below");
        self.entries.push(Entry {
            id: id.clone(),
            incarnation: 0,
            address: Ipv4Addr::UNSPECIFIED,
            sent_members: Cursor::default(),
            sent_others: Cursor::default(),
            swim_port: 0,
            gossip_port: 0,
            health: Health::Alive,
            persistent: false,
            departed: false,
            probe_ping: false,
            contact: false,
            pushing: false,
        });
        self.standings.push(Standing::default());
        self.count(place, 1);
        let (entries, hash_key) = (&self.entries, self.hash_key);
        let hash_of = |place: &Place| Self::hash(hash_key, &entries[*place as usize].id);
        self.index.insert_unique(hash_of(&place), place, hash_of);
        place
    }

    pub(crate) fn set_health(&mut self, place: Place, health: Health) {
        self.count(place, -1);
        self.at_mut(place).health = health;
        self.count(place, 1);
    }

    fn count(&mut self, place: Place, by: isize) {
        let tally = match self.entries[place as usize].health {
            Health::Alive => &mut self.tally.alive,
            Health::Suspect => &mut self.tally.suspect,
            Health::Confirmed => &mut self.tally.confirmed,
            Health::Departed => &mut self.tally.departed,
        };
        *tally = tally.saturating_add_signed(by);
    }

    pub(crate) const fn tally(&self) -> HealthTally {
        self.tally
    }

    /// Schedules the next worse health of a member, or none.
    pub(crate) fn plan(&mut self, place: Place, due: Option<Now>) {
        if let Some(old) = self.due_of.remove(&place) {
            self.due.remove(&(old, place));
        }
        if let Some(due) = due {
            self.due_of.insert(place, due);
            self.due.insert((due, place));
        }
    }

    /// Time of the next scheduled change.
    pub(crate) fn next_due(&self) -> Option<Now> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes the members that are due.
    pub(crate) fn take_due(&mut self, now: Now) -> Vec<Place> {
        let mut places = Vec::new();
        while let Some((_, place)) = self.due.first().filter(|(due, _)| *due <= now).copied() {
            self.plan(place, None);
            places.push(place);
        }
        places
    }

    /// Extends all suspicions by `us` microseconds.
    pub(crate) fn postpone_suspects(&mut self, us: u64) {
        let suspects: Vec<(Place, Now)> = self
            .due_of
            .iter()
            .filter(|(place, _)| self.at(**place).health == Health::Suspect)
            .map(|(place, due)| (*place, *due))
            .collect();
        for (place, due) in suspects {
            self.plan(place, Some(Now(due.0.saturating_add(us))));
        }
    }

    /// A known record of a member was received again.
    pub(crate) fn heard(&mut self, id: &MemberId) {
        if let Some(place) = self.find(id) {
            self.heat.heard(place);
        }
    }

    /// A member is reachable again; it may have missed rumors.
    pub(crate) fn was_away(&mut self, place: Place, others: &Heat) {
        let entry = &mut self.entries[place as usize];
        self.heat.is_back(&mut entry.sent_members);
        others.is_back(&mut entry.sent_others);
    }

    /// A member has been sent everything, so later searches may start here.
    pub(crate) fn caught_up(&mut self, place: Place, others: &Heat) {
        let entry = &mut self.entries[place as usize];
        let present = entry.sent_members.present;
        entry.sent_members = Cursor { present, ..self.heat.all_sent() };
        let present = entry.sent_others.present;
        entry.sent_others = Cursor { present, ..others.all_sent() };
    }

    /// Marks the chosen members as having been sent everything.
    pub(crate) fn forget_old_news(&mut self, others: &Heat, chosen: impl Fn(&Entry) -> bool) {
        let (members, others) = (self.heat.all_sent(), others.all_sent());
        for entry in self.entries.iter_mut().filter(|entry| chosen(entry)) {
            (entry.sent_members, entry.sent_others) = (members, others);
        }
    }

    /// Starts the rumor about a member hot.
    pub(crate) fn start_hot(&mut self, place: Place) {
        self.heat.start(place);
    }

    /// Renumbers the rumors about members when the numbers are nearly used up.
    pub(crate) fn renumber(&mut self) {
        if self.heat.is_nearly_used_up() {
            self.heat.renumber(self.entries.iter_mut().map(|entry| &mut entry.sent_members));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 72, "{}", size_of::<Entry>());
    }
}
