//! Contradicting those who say that this member is not alive (ring chapters 4.6, 5.3): with a
//! higher incarnation. Each one is a write to disk that all messages wait for, so their rate has
//! a limit; what is said meanwhile is contradicted once it is over.

use crate::{Event, Health, Member, Now, Ring};

/// Time within which several `PROBEPING`s raise the incarnation only once. All who heard the same
/// accusation ask; one new incarnation answers them all.
const RAISE_MS: u64 = 5_000;
/// From one contradiction to the next.
const REFUTE_MS: u64 = 1_000;

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
    /// Somebody says that this member is not alive. True when that was contradicted at once.
    pub(crate) fn refute(&mut self, now: Now, incarnation: u64, said: Health) -> bool {
        let is_news = incarnation >= self.me.incarnation && incarnation < u64::MAX;
        if self.leaving || !is_news {
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
        *self.counters.refutations.entry(said).or_default() += 1;
        self.note(Event::Refuted { incarnation });
        true
    }

    /// Contradicts what had to wait.
    pub(crate) fn run_refutations(&mut self, now: Now) {
        if self.refutations.next() <= now
            && let Some((incarnation, said)) = self.refutations.waiting.take()
            && self.refute(now, incarnation, said)
        {
            self.spread_own_record(now);
        }
    }

    /// Habitat lets a new incarnation travel with pings alone. Where the own address is known,
    /// the news may spread as a rumor at once.
    pub(crate) fn spread_own_record(&mut self, now: Now) {
        let Some(address) = self.table.get(&self.me.id).map(|known| known.address) else { return };
        let own = Member { address: Some(address), ..self.own_member() };
        // the list has it already, so there is no limit to meet
        let _ = self.insert(now, &own, address, Health::Alive);
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
