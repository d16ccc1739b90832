//! Actions of the member against wrong claims about it.

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

/// Members that get a refutation immediately.
const TOLD_AT_ONCE: usize = 5;

impl Ring {
    /// Another member reports the health of this one. A wrong report is refuted, immediately or
    /// after a pause. True when it was immediate.
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

    /// Sends pending refutations.
    pub(super) fn run_refutations(&mut self, now: Now) {
        if let Some((incarnation, said)) = self.refutations.take_due(now)
            && self.hear_of_oneself(now, incarnation, said)
        {
            self.tell_a_few();
        }
    }

    /// In Habitat a new incarnation spreads only with pings. Here a few members get it immediately,
    /// as an unsolicited answer. It is not a rumor, because that would have to include an address:
    /// the known own address comes from others, and may be old or wrong.
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
