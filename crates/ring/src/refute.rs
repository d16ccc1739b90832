//! Contradicting those who say that this member is not alive, or what it did not say (ring
//! chapters 4.6, 5.3): with a higher incarnation. Each one is a write to disk that all messages
//! wait for, so their rate has a limit; what is said meanwhile is contradicted once it is over.

use rand::seq::IteratorRandom;

use crate::{Event, Health, Member, Now, Ring, SwimKind, table::Entry};

/// Time within which several `PROBEPING`s raise the incarnation only once. All who heard the same
/// accusation ask; one new incarnation answers them all.
const RAISE_MS: u64 = 5_000;
/// From one contradiction to the next.
const REFUTE_MS: u64 = 1_000;
/// Members that are told at once.
const TOLD_AT_ONCE: usize = 5;

/// What was contradicted, and what waits to be.
#[derive(Debug, Default)]
pub(crate) struct Refutations {
    /// When a `PROBEPING` last raised the incarnation.
    raised: Option<Now>,
    /// When an accusation was last contradicted.
    refuted: Option<Now>,
    /// The accusation of the highest incarnation that came too soon after that.
    waiting: Option<(u64, Health)>,
}

impl Refutations {
    pub(crate) fn next(&self) -> Now {
        if self.waiting.is_none() { Now::NEVER } else { self.due() }
    }

    fn due(&self) -> Now {
        self.refuted.map_or(Now(0), |refuted| refuted.plus_ms(REFUTE_MS))
    }
}

impl Ring {
    /// Somebody says how this member is. When it is not so, that is contradicted, at once or a
    /// little later. Neither is it alive in an incarnation that it never had: it lost its file, or
    /// somebody lies about it, perhaps about its address. Habitat lets that pass.
    pub(crate) fn hear_of_oneself(&mut self, now: Now, incarnation: u64, said: Health) -> bool {
        let wrong = incarnation > self.me.incarnation
            || (incarnation == self.me.incarnation && said != Health::Alive);
        if self.leaving || !wrong || incarnation == u64::MAX {
            return false;
        }
        if self.refutations.due() > now {
            let waiting = self.refutations.waiting.get_or_insert((incarnation, said));
            *waiting = (*waiting).max((incarnation, said));
            return false;
        }
        self.refutations.refuted = Some(now);
        self.refutations.waiting = None;
        let incarnation = incarnation + 1;
        self.set_incarnation(incarnation);
        if said != Health::Alive {
            *self.counters.refutations.entry(said).or_default() += 1;
            self.note(Event::Refuted { incarnation });
        }
        true
    }

    /// Contradicts what had to wait.
    pub(crate) fn run_refutations(&mut self, now: Now) {
        if self.refutations.next() <= now
            && let Some((incarnation, said)) = self.refutations.waiting.take()
            && self.hear_of_oneself(now, incarnation, said)
        {
            self.tell_a_few();
        }
    }

    /// Habitat lets a new incarnation travel with pings alone. Here a few members get it at once,
    /// as an answer that they did not ask for. It is no rumor, because that would have to name an
    /// address: what is known here of the own one comes from others, and may be old or a lie.
    pub(crate) fn tell_a_few(&mut self) {
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

    /// Somebody asks whether this member is dead.
    pub(crate) fn answer_doubt(&mut self, now: Now) {
        let raised = &mut self.refutations.raised;
        let is_due = raised.is_none_or(|raised| raised.plus_ms(RAISE_MS) <= now);
        if is_due && self.me.incarnation < u64::MAX {
            *raised = Some(now);
            self.set_incarnation(self.me.incarnation + 1);
            *self.counters.refutations.entry(Health::Confirmed).or_default() += 1;
        }
    }
}
