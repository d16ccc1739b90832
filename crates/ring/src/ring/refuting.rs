//! Contradictions: what the member does when others are wrong about it.

use rand::seq::IteratorRandom;

use super::Ring;
use crate::{
    member::{Health, Member},
    output::Event,
    refute::Contradiction,
    swim::SwimKind,
    table::Entry,
    time::Now,
};

/// Members that get a contradiction at once.
const TOLD_AT_ONCE: usize = 5;

impl Ring {
    /// Another member reports how this one is. When that is wrong it is contradicted, at once or
    /// a little later. True when it was at once.
    pub(super) fn hear_of_oneself(&mut self, now: Now, incarnation: u64, said: Health) -> bool {
        let wrong = incarnation > self.me.incarnation
            || (incarnation == self.me.incarnation && said != Health::Alive);
        if self.leaving || !wrong || incarnation == u64::MAX {
            return false;
        }
        let Some(contradiction) = self.refutations.contradict(now, incarnation, said) else {
            return false;
        };
        let incarnation = incarnation + 1;
        self.set_incarnation(incarnation);
        *self.counters.refutations.entry(said).or_default() += 1;
        match contradiction {
            Contradiction::Accusation => self.note(Event::Refuted { incarnation }),
            Contradiction::Claim => {}
            Contradiction::ClaimOfDouble => {
                let id = self.me.id.clone();
                self.note(Event::Doubled { id });
            }
        }
        true
    }

    /// Contradicts what had to wait.
    pub(super) fn run_refutations(&mut self, now: Now) {
        if let Some((incarnation, said)) = self.refutations.take_due(now)
            && self.hear_of_oneself(now, incarnation, said)
        {
            self.tell_a_few();
        }
    }

    /// Habitat lets a new incarnation travel with pings alone. Here a few members get it at once,
    /// as an answer that they did not ask for. It is no rumor, because that would have to name an
    /// address: what is known here of the own one comes from others, and may be old or a lie.
    pub(super) fn tell_a_few(&mut self) {
        let others = self.table.entries.iter();
        let others = others.filter(|entry| entry.id != self.me.id && entry.health == Health::Alive);
        let few: Vec<Member> =
            others.map(Entry::member).choose_multiple(&mut self.rng, TOLD_AT_ONCE);
        for member in few {
            if let Some(to) = member.swim_addr() {
                let ack = SwimKind::Ack { from: self.own_member(), forward_to: None };
                self.say_swim(to, ack, Some(&member.id));
            }
        }
    }

    /// Another member asks whether this one is dead.
    pub(super) fn answer_doubt(&mut self, now: Now) {
        if self.me.incarnation < u64::MAX && self.refutations.raises(now) {
            self.set_incarnation(self.me.incarnation + 1);
            *self.counters.refutations.entry(Health::Confirmed).or_default() += 1;
        }
    }
}
