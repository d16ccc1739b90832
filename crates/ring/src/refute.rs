//! Refutation of wrong claims about this member's health or incarnation (reference: ring §4.6,
//! §5.3), by a higher incarnation. Each one is a disk write that all messages wait for, so their
//! rate is limited; claims in between are refuted after the pause.

use rand::seq::IteratorRandom;

use crate::{
    member::{Health, Member},
    output::Event,
    ring::Ring,
    swim::SwimKind,
    table::Entry,
    time::Now,
};

/// Time within which several `PROBEPING`s raise the incarnation only once. All members that
/// received the accusation send one; one new incarnation answers them all.
const RAISE_MS: u64 = 5_000;
/// Least pause between refutations.
const REFUTE_MS: u64 = 1_000;
/// Members that are informed immediately.
const TOLD_AT_ONCE: usize = 5;
/// Number of refuted claims after which another machine must be using this id.
const CLAIMS_OF_A_DOUBLE: u32 = 3;
/// The pause between such refutations doubles this many times, to about a minute: otherwise two
/// machines with one id would raise each other's incarnation endlessly.
const MOST_DOUBLINGS: u32 = 6;
/// Without a claim for this long, the count is reset.
const CALM_MS: u64 = 600_000;

/// Past and pending refutations.
#[derive(Debug, Default)]
pub(crate) struct Refutations {
    /// When a `PROBEPING` last raised the incarnation.
    raised: Option<Now>,
    /// Claims that this member is not alive.
    accusations: Turn,
    /// Claims that it is alive in an incarnation that it never had.
    claims: Turn,
    /// Number of refuted claims without a long calm in between.
    claimed: u32,
}

/// One kind of wrong claim.
#[derive(Debug, Default)]
struct Turn {
    /// Time of the last refutation.
    last: Option<Now>,
    /// The highest incarnation claimed during the pause.
    waiting: Option<(u64, Health)>,
}

impl Turn {
    fn due(&self, pause_ms: u64) -> Now {
        self.last.map_or(Now(0), |last| last.plus_ms(pause_ms))
    }

    fn next(&self, pause_ms: u64) -> Now {
        if self.waiting.is_none() { Now::NEVER } else { self.due(pause_ms) }
    }
}

impl Refutations {
    pub(crate) fn next(&self) -> Now {
        self.accusations.next(REFUTE_MS).min(self.claims.next(self.claims_pause_ms()))
    }

    const fn claims_pause_ms(&self) -> u64 {
        let doublings = self.claimed.saturating_sub(1);
        REFUTE_MS << if doublings < MOST_DOUBLINGS { doublings } else { MOST_DOUBLINGS }
    }

    /// The turn for a claimed health, and its pause.
    const fn turn(&mut self, said: Health) -> (&mut Turn, u64) {
        let claims_pause_ms = self.claims_pause_ms();
        match said {
            Health::Alive => (&mut self.claims, claims_pause_ms),
            _ => (&mut self.accusations, REFUTE_MS),
        }
    }

    /// The pending refutation, if it is due.
    fn take_due(&mut self, now: Now) -> Option<(u64, Health)> {
        [Health::Alive, Health::Suspect].into_iter().find_map(|said| {
            let (turn, pause_ms) = self.turn(said);
            if turn.next(pause_ms) <= now { turn.waiting.take() } else { None }
        })
    }
}

impl Ring {
    /// A member claims a health of this one. A wrong claim is refuted, immediately or after a
    /// pause. So is a claim that it is alive in an incarnation that it never had: then it lost its
    /// file, another machine has its id, or a member lies, perhaps about the address. Habitat
    /// ignores that case.
    pub(crate) fn hear_of_oneself(&mut self, now: Now, incarnation: u64, said: Health) -> bool {
        let wrong = incarnation > self.me.incarnation
            || (incarnation == self.me.incarnation && said != Health::Alive);
        if self.leaving || !wrong || incarnation == u64::MAX {
            return false;
        }
        let (turn, pause_ms) = self.refutations.turn(said);
        if turn.due(pause_ms) > now {
            let waiting = turn.waiting.get_or_insert((incarnation, said));
            *waiting = (*waiting).max((incarnation, said));
            return false;
        }
        let before = turn.last.replace(now);
        turn.waiting = None;
        let incarnation = incarnation + 1;
        self.set_incarnation(incarnation);
        *self.counters.refutations.entry(said).or_default() += 1;
        if said != Health::Alive {
            self.note(Event::Refuted { incarnation });
            return true;
        }
        let claimed = &mut self.refutations.claimed;
        let was_calm = before.is_none_or(|before| before.plus_ms(CALM_MS) <= now);
        *claimed = if was_calm { 1 } else { claimed.saturating_add(1) };
        if *claimed >= CLAIMS_OF_A_DOUBLE {
            let id = self.me.id.clone();
            self.note(Event::Doubled { id });
        }
        true
    }

    /// Sends pending refutations.
    pub(crate) fn run_refutations(&mut self, now: Now) {
        if let Some((incarnation, said)) = self.refutations.take_due(now)
            && self.hear_of_oneself(now, incarnation, said)
        {
            self.tell_a_few();
        }
    }

    /// In Habitat a new incarnation spreads only with pings. Here a few members get it immediately,
    /// as an unsolicited answer. It is not a rumor, because that would have to include an address:
    /// the known own address comes from others, and may be old or wrong.
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

    /// A member asks whether this one is dead.
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
