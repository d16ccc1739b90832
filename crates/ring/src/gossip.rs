//! The gossip half: whom to send rumors, which, and what is learnt from those that arrive
//! (reference: ring §7, §8).

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::seq::SliceRandom;

use crate::{
    heat::{Cursor, Hot},
    ring::Ring,
    rumor::{Rumor, RumorKind, Service},
    table::Place,
    time::Now,
};

/// From one turn to the next.
pub(crate) const TURN_MS: u64 = 1_000;
/// Members that are sent rumors in one turn.
const FAN_OUT: usize = 5;
/// Rumors of one class in one push; the rest follows at the next turn.
const PUSH_MESSAGES_MAX: usize = 1_000;
/// Size of one push beyond which no further rumor is added.
const PUSH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A push whose end is not told within this time counts as failed.
const PUSH_MS: u64 = 60_000;
/// A member that has just come to a large ring passes on what it learns only to members it has
/// heard from directly: the others know it all. It lasts at least this long after first contact …
const JOINING_MS: u64 = 30_000;
/// … and until it learnt nothing new for this long.
const JOINING_QUIET_MS: u64 = 10_000;

/// A push that has not ended yet, and what its member had been sent before.
#[derive(Debug)]
struct InFlight {
    place: Place,
    members: Cursor,
    others: Cursor,
    started: Now,
    /// What it consists of.
    contents: Vec<Content>,
}

/// A message of a push: what it is, and how long.
#[derive(Debug)]
struct Content {
    kind: RumorKind,
    bytes: usize,
}

/// The messages of a push being put together.
#[derive(Debug, Default)]
struct Push {
    messages: Vec<Bytes>,
    contents: Vec<Content>,
}

/// This member is new to the ring.
#[derive(Debug, Default)]
struct Joining {
    /// When it may end, once somebody was heard from.
    ends: Option<Now>,
    /// Something was delivered to somebody.
    delivered: bool,
}

/// State of the sending side.
#[derive(Debug)]
pub(crate) struct Gossiper {
    /// Members still to be served in this round.
    round: Vec<Place>,
    /// Members to be served before; each once, so no more than the list has.
    hurried: Vec<Place>,
    /// One for each member at most, while its entry says `pushing`; given up after [`PUSH_MS`].
    in_flight: BTreeMap<u64, InFlight>,
    last_push: u64,
    joining: Option<Joining>,
    next: Now,
}

impl Default for Gossiper {
    fn default() -> Self {
        Self {
            round: Vec::new(),
            hurried: Vec::new(),
            in_flight: BTreeMap::new(),
            last_push: 0,
            joining: Some(Joining::default()),
            next: Now::NEVER,
        }
    }
}

impl Gossiper {
    pub(crate) const fn next(&self) -> Now {
        self.next
    }

    /// There is somebody to gossip with.
    pub(crate) fn somebody_there(&mut self, now: Now) {
        self.next = self.next.min(now.plus_ms(TURN_MS));
        if let Some(Joining { ends: Some(ends), .. }) = &mut self.joining {
            *ends = (*ends).max(now.plus_ms(JOINING_QUIET_MS));
        }
    }

    /// Serves this member at the next turn.
    pub(crate) fn hurry(&mut self, place: Place) {
        if !self.hurried.contains(&place) {
            self.hurried.push(place);
        }
    }

    /// Somebody was heard from directly.
    pub(crate) fn contact(&mut self, now: Now) {
        if let Some(joining) = &mut self.joining {
            joining.ends.get_or_insert(now.plus_ms(JOINING_MS));
        }
    }

    /// The member knows the ring from its data file.
    pub(crate) fn is_at_home(&mut self) {
        self.joining = None;
    }
}

impl Ring {
    /// Serves the next members when it is time.
    pub(crate) fn run_gossiper(&mut self, now: Now) {
        if self.gossiper.next > now {
            return;
        }
        self.give_up_old_pushes(now);
        self.end_joining(now);
        let mut served = 0;
        for place in std::mem::take(&mut self.gossiper.hurried) {
            if served >= FAN_OUT || self.table.at(place).pushing {
                self.gossiper.hurried.push(place);
            } else {
                served += usize::from(self.push_to(now, place));
            }
        }
        // those that cannot be served take no slot; in Habitat they do
        while served < FAN_OUT
            && let Some(place) = self.gossiper.round.pop()
        {
            let eligible = self.is_served(place);
            self.push_to(now, place);
            served += usize::from(eligible);
        }
        if self.gossiper.round.is_empty() {
            self.begin_round();
        }
        let nobody = self.gossiper.round.is_empty() && self.gossiper.hurried.is_empty();
        self.gossiper.next = if nobody { Now::NEVER } else { now.plus_ms(TURN_MS) };
    }

    fn begin_round(&mut self) {
        let me = &self.me.id;
        let others = (0..).zip(&self.table.entries).filter(|(_, entry)| entry.id != *me);
        self.gossiper.round.clear();
        self.gossiper.round.extend(others.map(|(place, _)| place));
        self.gossiper.round.shuffle(&mut self.rng);
    }

    fn is_served(&self, place: Place) -> bool {
        let entry = self.table.at(place);
        let spoken_to = self.gossiper.joining.is_none() || self.table.is_small() || entry.contact;
        entry.is_pingable() && !entry.is_persistent_and_confirmed() && !entry.pushing && spoken_to
    }

    /// Sends a member what is hot for it. False when there is nothing to send.
    fn push_to(&mut self, now: Now, place: Place) -> bool {
        if !self.is_served(place) {
            return false;
        }
        if self.gossiper.joining.is_some() {
            self.was_away(place);
        }
        let entry = self.table.at(place);
        let Some(to) = entry.member().gossip_addr() else { return false };
        let (members_before, others_before) = (entry.sent_members, entry.sent_others);
        let limit = self.config.share_limit;
        let members: Vec<Hot> =
            self.table.heat.hot(members_before, limit).take(PUSH_MESSAGES_MAX).collect();
        let others: Vec<Hot> =
            self.rumors.heat.hot(others_before, limit).take(PUSH_MESSAGES_MAX).collect();
        if members.is_empty() && others.is_empty() {
            // nothing is left that it needs, so later searches may begin here
            let entry = self.table.at(place);
            let (members, others) = (entry.sent_members.present, entry.sent_others.present);
            let (heat, other_heat) = (self.table.heat.all_sent(), self.rumors.heat.all_sent());
            let entry = self.table.at_mut(place);
            entry.sent_members = Cursor { present: members, ..heat };
            entry.sent_others = Cursor { present: others, ..other_heat };
            return false;
        }
        let mut push = Push::default();
        let from_id = self.me.id.to_string();
        for hot in &members {
            let membership = self.table.at(hot.rumor).membership();
            self.add_message(&mut push, &Rumor::Member(from_id.clone(), membership));
        }
        let mut others_after = others_before;
        let mut size: usize = push.messages.iter().map(Bytes::len).sum();
        let mut elections = Vec::new();
        let mut included = 0;
        for hot in &others {
            if size > PUSH_BYTES_MAX {
                break;
            }
            others_after = hot.after;
            included += 1;
            let Some(rumor) = self.rumors.rumor(hot.rumor) else { continue };
            if matches!(rumor, Rumor::Election(_) | Rumor::ElectionUpdate(_)) {
                elections.push(rumor);
            } else {
                size += self.add_message(&mut push, &rumor);
            }
        }
        // A real Supervisor that learns of a leader before it knows the leader's service dies.
        // So elections come last, and if this push was cut short, with the services they name.
        let cut = included < others.len() || others.len() == PUSH_MESSAGES_MAX;
        for rumor in elections {
            // Where that service is not known here, the election is told when it comes.
            let Some(service) = self.service_of_candidate(&rumor) else { continue };
            if cut {
                self.add_message(&mut push, &Rumor::Service(service));
            }
            self.add_message(&mut push, &rumor);
        }
        let more = cut || members.len() == PUSH_MESSAGES_MAX;
        if more {
            self.gossiper.hurry(place);
        }
        let entry = self.table.at_mut(place);
        entry.sent_members = members.last().map_or(members_before, |hot| hot.after);
        entry.sent_others = others_after;
        if push.messages.is_empty() {
            return false;
        }
        entry.pushing = true;
        self.gossiper.last_push += 1;
        let number = self.gossiper.last_push;
        let Push { messages, contents } = push;
        let (members, others) = (members_before, others_before);
        let in_flight = InFlight { place, members, others, started: now, contents };
        self.gossiper.in_flight.insert(number, in_flight);
        self.push(number, to, messages);
        true
    }

    fn service_of_candidate(&self, rumor: &Rumor) -> Option<Service> {
        let (Rumor::Election(election) | Rumor::ElectionUpdate(election)) = rumor else {
            return None;
        };
        let id = election.member_id.to_string();
        self.rumors.services.get(&election.group, &id).map(|service| (**service).clone())
    }

    /// Adds a rumor to a push; tells how many bytes that makes.
    fn add_message(&mut self, push: &mut Push, rumor: &Rumor) -> usize {
        let message = self.envelope.wrap(rumor.encode(), &mut self.rng);
        let bytes = message.len();
        push.contents.push(Content { kind: rumor.kind(), bytes });
        push.messages.push(message);
        bytes
    }

    /// A push has ended. When not all of it was sent, it is offered again.
    pub(crate) fn push_ended(&mut self, push: u64, sent: usize) {
        let Some(in_flight) = self.gossiper.in_flight.remove(&push) else { return };
        for Content { kind, bytes } in in_flight.contents.iter().take(sent) {
            self.counters.gossip_sent.entry(*kind).or_default().add(*bytes);
        }
        let entry = self.table.at_mut(in_flight.place);
        entry.pushing = false;
        if sent >= in_flight.contents.len() {
            if let Some(joining) = &mut self.gossiper.joining {
                joining.delivered = true;
            }
        } else {
            entry.sent_members.back_to(in_flight.members);
            entry.sent_others.back_to(in_flight.others);
            self.was_away(in_flight.place);
            self.counters.pushes_failed += 1;
        }
    }

    fn give_up_old_pushes(&mut self, now: Now) {
        let old: Vec<u64> = self
            .gossiper
            .in_flight
            .iter()
            .filter(|(_, in_flight)| in_flight.started.plus_ms(PUSH_MS) <= now)
            .map(|(push, _)| *push)
            .collect();
        for push in old {
            self.push_ended(push, 0);
        }
    }

    /// From now on everybody is told the news; what was learnt while joining, they know.
    fn end_joining(&mut self, now: Now) {
        let Some(Joining { ends: Some(ends), delivered: true }) = &self.gossiper.joining else {
            return;
        };
        if *ends > now {
            return;
        }
        self.gossiper.joining = None;
        // those it talked to may depend on it: what came back often was heard by it, not by them
        for place in 0..Place::try_from(self.table.len()).unwrap_or(Place::MAX) {
            self.was_away(place);
        }
        if !self.table.is_small() {
            self.forget_old_news(|contact| !contact);
        }
    }

    /// Takes the members that are chosen for having been sent all there is.
    pub(crate) fn forget_old_news(&mut self, chosen: impl Fn(bool) -> bool) {
        let (members, others) = (self.table.heat.all_sent(), self.rumors.heat.all_sent());
        for entry in self.table.entries.iter_mut().filter(|entry| chosen(entry.contact)) {
            (entry.sent_members, entry.sent_others) = (members, others);
        }
    }
}
