//! Schedule and receivers of gossip (reference: ring §7).

use std::{collections::BTreeMap, net::SocketAddr, vec};

use bytes::Bytes;
use rand::seq::SliceRandom;

use crate::{
    heat::Cursor,
    push::{Content, Gathered, Surroundings},
    table::{Place, Table},
    time::Now,
};

/// Interval of turns.
const TURN_MS: u64 = 1_000;
/// Members that receive rumors in one turn.
const FAN_OUT: usize = 5;
/// A push whose end is not reported within this time counts as failed.
const PUSH_MS: u64 = 60_000;
/// A member that has just joined a large ring forwards new rumors only to members it has heard from
/// directly: the others already know them. This lasts at least this long after first contact …
const JOINING_MS: u64 = 30_000;
/// … and until there was no new rumor for this long.
const JOINING_QUIET_MS: u64 = 10_000;

/// The sending side of gossip. It owns the order in which members are served and the unfinished
/// pushes: [`Gossip::step`] returns the member's next action.
#[derive(Debug)]
pub(crate) struct Gossip {
    /// Members still to be served in this round.
    round: Vec<Place>,
    /// Members to serve first; each once, so no more than the list has.
    hurried: Vec<Place>,
    /// The current turn.
    turn: Option<Turn>,
    /// At most one per member, while its entry has `pushing` set; abandoned after [`PUSH_MS`].
    in_flight: BTreeMap<u64, InFlight>,
    last_push: u64,
    joining: Option<Joining>,
    next: Now,
}

/// A turn in progress.
#[derive(Debug)]
struct Turn {
    hurried: vec::IntoIter<Place>,
    served: usize,
}

/// An unfinished push, and what its member had been sent before.
#[derive(Debug)]
struct InFlight {
    place: Place,
    members: Cursor,
    others: Cursor,
    started: Now,
    /// Its contents.
    contents: Vec<Content>,
}

/// State of a member that is new to the ring.
#[derive(Debug, Default)]
struct Joining {
    /// When it may end, once another member was heard.
    ends: Option<Now>,
    /// A push has reached another member.
    delivered: bool,
}

/// The next action of the member for its gossip.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send these messages over one connection.
    Push { push: u64, to: SocketAddr, messages: Vec<Bytes> },
    /// Count an abandoned push.
    Failed,
}

/// Result of a push.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The messages that were sent.
    pub(crate) sent: Vec<Content>,
    /// Some messages were not sent.
    pub(crate) failed: bool,
}

impl Default for Gossip {
    fn default() -> Self {
        Self {
            round: Vec::new(),
            hurried: Vec::new(),
            turn: None,
            in_flight: BTreeMap::new(),
            last_push: 0,
            joining: Some(Joining::default()),
            next: Now::NEVER,
        }
    }
}

impl Gossip {
    /// Time when [`Gossip::step`] is due.
    pub(crate) const fn next(&self) -> Now {
        self.next
    }

    /// There is a member to gossip with, possibly a new one.
    pub(crate) fn resume(&mut self, now: Now) {
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

    /// A message came directly from another member.
    pub(crate) fn contact(&mut self, now: Now) {
        if let Some(joining) = &mut self.joining {
            joining.ends.get_or_insert(now.plus_ms(JOINING_MS));
        }
    }

    /// The member knows the ring from its data file.
    pub(crate) fn is_at_home(&mut self) {
        self.joining = None;
    }

    /// The next due action, to be carried out before the next call. Call it until it returns none.
    pub(crate) fn step(&mut self, now: Now, at: &mut Surroundings<'_>) -> Option<Step> {
        if self.turn.is_none() {
            if self.next > now {
                return None;
            }
            if self.give_up_old_push(now, at) {
                return Some(Step::Failed);
            }
            self.end_joining(now, at);
            let hurried = std::mem::take(&mut self.hurried).into_iter();
            self.turn = Some(Turn { hurried, served: 0 });
        }
        let push = self.serve_next(now, at);
        if push.is_none() {
            self.end_turn(now, at);
        }
        push
    }

    /// Serves the hurried members, then the next of the round.
    fn serve_next(&mut self, now: Now, at: &mut Surroundings<'_>) -> Option<Step> {
        let mut turn = self.turn.take()?;
        let mut push = None;
        while push.is_none()
            && let Some(place) = turn.hurried.next()
        {
            if turn.served >= FAN_OUT || at.table.at(place).pushing {
                self.hurried.push(place);
            } else {
                push = self.push_to(now, at, place);
                turn.served += usize::from(push.is_some());
            }
        }
        // members that cannot be served take no slot; in Habitat they do
        while push.is_none()
            && turn.served < FAN_OUT
            && let Some(place) = self.round.pop()
        {
            turn.served += usize::from(self.is_served(at.table, place));
            push = self.push_to(now, at, place);
        }
        self.turn = Some(turn);
        push
    }

    fn end_turn(&mut self, now: Now, at: &mut Surroundings<'_>) {
        self.turn = None;
        if self.round.is_empty() {
            let others = (0..).zip(&at.table.entries).filter(|(_, entry)| entry.id != *at.me);
            self.round.extend(others.map(|(place, _)| place));
            self.round.shuffle(at.rng);
        }
        let is_alone = self.round.is_empty() && self.hurried.is_empty();
        self.next = if is_alone { Now::NEVER } else { now.plus_ms(TURN_MS) };
    }

    fn is_served(&self, table: &Table, place: Place) -> bool {
        let entry = table.at(place);
        let is_addressed = self.joining.is_none() || table.is_small() || entry.contact;
        entry.is_pingable()
            && !entry.is_persistent_and_confirmed()
            && !entry.pushing
            && is_addressed
    }

    /// A push of the hot rumors for a member, if there are any.
    fn push_to(&mut self, now: Now, at: &mut Surroundings<'_>, place: Place) -> Option<Step> {
        if !self.is_served(at.table, place) {
            return None;
        }
        if self.joining.is_some() {
            at.table.was_away(place, &at.rumors.heat);
        }
        let entry = at.table.at(place);
        let to = entry.member().gossip_addr()?;
        let (members, others) = (entry.sent_members, entry.sent_others);
        let Some(gathered) = at.gather(members, others) else {
            at.table.caught_up(place, &at.rumors.heat);
            return None;
        };
        let Gathered { messages, contents, members: after, others: others_after, more } = gathered;
        if more {
            self.hurry(place);
        }
        let entry = at.table.at_mut(place);
        (entry.sent_members, entry.sent_others) = (after, others_after);
        if messages.is_empty() {
            return None;
        }
        entry.pushing = true;
        self.last_push += 1;
        let in_flight = InFlight { place, members, others, started: now, contents };
        self.in_flight.insert(self.last_push, in_flight);
        Some(Step::Push { push: self.last_push, to, messages })
    }

    /// A push has ended. Unsent messages are offered again. `None` when it was abandoned before.
    pub(crate) fn ended(
        &mut self,
        at: &mut Surroundings<'_>,
        push: u64,
        sent: usize,
    ) -> Option<Ended> {
        let InFlight { place, members, others, mut contents, .. } = self.in_flight.remove(&push)?;
        let failed = sent < contents.len();
        let entry = at.table.at_mut(place);
        entry.pushing = false;
        if failed {
            entry.sent_members.back_to(members);
            entry.sent_others.back_to(others);
            at.table.was_away(place, &at.rumors.heat);
            contents.truncate(sent);
        } else if let Some(joining) = &mut self.joining {
            joining.delivered = true;
        }
        Some(Ended { sent: contents, failed })
    }

    fn give_up_old_push(&mut self, now: Now, at: &mut Surroundings<'_>) -> bool {
        let mut in_flight = self.in_flight.iter();
        let old = in_flight.find(|(_, in_flight)| in_flight.started.plus_ms(PUSH_MS) <= now);
        let old = old.map(|(push, _)| *push);
        old.and_then(|push| self.ended(at, push, 0)).is_some()
    }

    /// From now on all members are sent the news; they already know what was learnt while joining.
    fn end_joining(&mut self, now: Now, at: &mut Surroundings<'_>) {
        let Some(Joining { ends: Some(ends), delivered: true }) = &self.joining else { return };
        if *ends > now {
            return;
        }
        self.joining = None;
        // its contacts may depend on it: rumors that often came back were received by it, not by
        // them
        for place in 0..Place::try_from(at.table.len()).unwrap_or(Place::MAX) {
            at.table.was_away(place, &at.rumors.heat);
        }
        if !at.table.is_small() {
            at.table.forget_old_news(&at.rumors.heat, |entry| !entry.contact);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{
        envelope::Envelope,
        id::MemberId,
        member::{Health, Member},
        stores::RumorStores,
    };

    fn id(number: u8) -> MemberId {
        MemberId::from_bits(number.into())
    }

    /// The gossip of member 1 alone in a ring of this size: no ring, no connections.
    struct Alone {
        gossip: Gossip,
        table: Table,
        rumors: RumorStores,
        rng: ChaCha8Rng,
    }

    impl Alone {
        fn new(members: u8) -> Self {
            let mut table = Table::new(0);
            for number in 1..=members {
                let member = Member {
                    id: id(number),
                    incarnation: 0,
                    address: None,
                    swim_port: 1,
                    gossip_port: 1,
                    persistent: false,
                    departed: false,
                    probe_ping: false,
                };
                let place = table.put(&member, Ipv4Addr::new(10, 0, 0, number), Health::Alive);
                table.start_hot(place);
            }
            let mut gossip = Gossip::default();
            gossip.resume(Now(0));
            let (rumors, rng) = (RumorStores::default(), ChaCha8Rng::seed_from_u64(1));
            Self { gossip, table, rumors, rng }
        }

        fn with<T>(&mut self, act: impl FnOnce(&mut Gossip, &mut Surroundings<'_>) -> T) -> T {
            let mut at = Surroundings {
                me: &id(1),
                table: &mut self.table,
                rumors: &self.rumors,
                envelope: &Envelope::new(None),
                rng: &mut self.rng,
                share_limit: 2,
            };
            act(&mut self.gossip, &mut at)
        }

        fn steps(&mut self, now: Now) -> Vec<Step> {
            self.with(|gossip, at| std::iter::from_fn(|| gossip.step(now, at)).collect())
        }
    }

    /// Numbers of pushes with their number of messages.
    fn pushes(steps: &[Step]) -> Vec<(u64, usize)> {
        let push = |step: &Step| match step {
            Step::Push { push, messages, .. } => Some((*push, messages.len())),
            Step::Failed => None,
        };
        steps.iter().filter_map(push).collect()
    }

    #[test]
    fn a_turn_serves_five_and_waits_for_pushes_that_have_not_ended() {
        let mut alone = Alone::new(9);
        alone.steps(alone.gossip.next());
        let first = alone.steps(alone.gossip.next());
        assert_eq!(pushes(&first), [(1, 9), (2, 9), (3, 9), (4, 9), (5, 9)]);
        let second = alone.steps(alone.gossip.next());
        assert_eq!(pushes(&second), [(6, 9), (7, 9), (8, 9)], "the rest of the round");
        let third = alone.steps(alone.gossip.next());
        assert_eq!(pushes(&third), [], "none has ended");
    }

    #[test]
    fn unsent_rumors_are_offered_again_and_those_sent_twice_are_not() {
        let mut alone = Alone::new(2);
        alone.steps(alone.gossip.next());
        let mut push = 0;
        let mut turn = |alone: &mut Alone, sent: usize| {
            let steps = alone.steps(alone.gossip.next());
            let made = pushes(&steps);
            push += made.len() as u64;
            let ended = alone.with(|gossip, at| gossip.ended(at, push, sent));
            (made.len(), ended.map(|ended| (ended.sent.len(), ended.failed)))
        };
        assert_eq!(turn(&mut alone, 1), (1, Some((1, true))));
        assert_eq!(turn(&mut alone, 2), (1, Some((2, false))));
        assert_eq!(turn(&mut alone, 2), (1, Some((2, false))));
        assert_eq!(turn(&mut alone, 2), (0, None));
    }

    #[test]
    fn a_push_without_a_reported_end_is_abandoned() {
        let mut alone = Alone::new(2);
        alone.steps(alone.gossip.next());
        let made = alone.gossip.next();
        assert_eq!(pushes(&alone.steps(made)).len(), 1);
        let mut failed = None;
        while failed.is_none() {
            let now = alone.gossip.next();
            let steps = alone.steps(now);
            let gave_up = steps.iter().any(|step| matches!(step, Step::Failed));
            failed = gave_up.then_some((now, pushes(&steps).len()));
        }
        assert_eq!(failed, Some((made.plus_ms(PUSH_MS), 1)), "and offered again");
    }
}
