//! Refutation of wrong claims about this member's health or incarnation (reference: ring §4.6,
//! §5.3), by a higher incarnation. Each one is a disk write that all messages wait for, so their
//! rate is limited; claims in between are refuted after the pause.

use crate::{member::Health, time::Now};

/// Time within which several `PROBEPING`s raise the incarnation only once. All members that
/// received the accusation send one; one new incarnation answers them all.
const RAISE_MS: u64 = 5_000;
/// Least pause between refutations.
const REFUTE_MS: u64 = 1_000;
/// After so many contradictions of claims, another machine must be using the id of this one.
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

    /// What waits and is due.
    pub(crate) fn take_due(&mut self, now: Now) -> Option<(u64, Health)> {
        [Health::Alive, Health::Suspect].into_iter().find_map(|said| {
            let (turn, pause_ms) = self.turn(said);
            if turn.next(pause_ms) <= now { turn.waiting.take() } else { None }
        })
    }

    /// A wrong report of this incarnation has arrived. `None` when the last contradiction of its
    /// kind is too recent: then it waits.
    ///
    /// Neither is a member alive in an incarnation that it never had: it lost its file, or another
    /// machine has its id, or another member lies about it, perhaps about its address. Habitat
    /// lets that pass.
    pub(crate) fn contradict(
        &mut self,
        now: Now,
        incarnation: u64,
        said: Health,
    ) -> Option<Contradiction> {
        let (turn, pause_ms) = self.turn(said);
        if turn.due(pause_ms) > now {
            let waiting = turn.waiting.get_or_insert((incarnation, said));
            *waiting = (*waiting).max((incarnation, said));
            return None;
        }
        let before = turn.last.replace(now);
        turn.waiting = None;
        if said != Health::Alive {
            return Some(Contradiction::Accusation);
        }
        let was_calm = before.is_none_or(|before| before.plus_ms(CALM_MS) <= now);
        self.claimed = if was_calm { 1 } else { self.claimed.saturating_add(1) };
        let is_double = self.claimed >= CLAIMS_OF_A_DOUBLE;
        Some(if is_double { Contradiction::ClaimOfDouble } else { Contradiction::Claim })
    }

    /// True when a `PROBEPING` raises the incarnation: none has done so lately.
    pub(crate) fn raises(&mut self, now: Now) -> bool {
        let is_due = self.raised.is_none_or(|raised| raised.plus_ms(RAISE_MS) <= now);
        if is_due {
            self.raised = Some(now);
        }
        is_due
    }
}

/// What is contradicted now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contradiction {
    /// That this member were not alive.
    Accusation,
    /// That it were alive in an incarnation that it never had.
    Claim,
    /// So often that another machine must be using its id.
    ClaimOfDouble,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Now {
        Now(ms * 1000)
    }

    #[test]
    fn accusations_are_contradicted_once_per_second_and_the_worst_one_waits() {
        let mut refutations = Refutations::default();
        let accusation = Some(Contradiction::Accusation);
        assert_eq!(refutations.contradict(at(5), 1, Health::Suspect), accusation);
        assert_eq!(refutations.contradict(at(6), 2, Health::Confirmed), None);
        assert_eq!(refutations.contradict(at(7), 2, Health::Suspect), None);
        assert_eq!(refutations.next(), at(1005));
        assert_eq!(refutations.take_due(at(1004)), None);
        assert_eq!(refutations.take_due(at(1005)), Some((2, Health::Confirmed)));
        assert_eq!(refutations.next(), Now::NEVER);
    }

    #[test]
    fn claims_without_calm_are_those_of_a_double_and_get_rare() {
        let mut refutations = Refutations::default();
        let mut now = at(0);
        let mut outcomes = Vec::new();
        for incarnation in 1..=4 {
            outcomes.extend(refutations.contradict(now, incarnation, Health::Alive));
            assert_eq!(refutations.contradict(now, incarnation, Health::Alive), None);
            now = refutations.next();
            refutations.take_due(now);
        }
        use Contradiction::{Claim, ClaimOfDouble};
        assert_eq!(outcomes, [Claim, Claim, ClaimOfDouble, ClaimOfDouble]);
        assert_eq!(now, at(1_000 + 2_000 + 4_000 + 8_000), "pauses double");
    }

    #[test]
    fn many_probepings_raise_the_incarnation_once() {
        let mut refutations = Refutations::default();
        assert!(refutations.raises(at(0)));
        assert!(!refutations.raises(at(4_999)));
        assert!(refutations.raises(at(5_000)));
    }
}
