//! State of a member about one election besides the election itself, and the resulting times.

use super::turns::{Context, Reason, Recorded};
use crate::{member::Health, time::Now};

/// An unfinished election that has quorum is sent again after this time: a vote got lost.
const NUDGE_MS: u64 = 10_000;
/// A merge without a change is sent to others at most this often. Habitat sends it each time, and
/// so never stops when two members have the same votes in different order.
const ECHO_MS: u64 = 2_000;
/// A leader that is not in the member list counts as dead after this time. Habitat does not
/// wait, and so restarts an election whose rumor arrives before that about the leader.
const UNKNOWN_LEADER_MS: u64 = 10_000;
/// A leader that was already dead in the list when its election arrived is treated alike: others
/// elected it later, behind a network partition. Members that confirmed each other as dead need
/// some rounds of their probers, in both directions, until they meet again.
const STALE_DEATH_MS: u64 = 30_000;
/// A running election of a later term that the current leader does not take part in is joined after
/// it was seen for this long. Habitat never joins, and so a member that was away while the others
/// started to elect can keep them from ever finishing.
const FOREIGN_TERM_MS: u64 = 15_000;

/// State about an election.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// When this member joined it; `None` once it is finished.
    joined: Option<Now>,
    had_quorum: bool,
    /// When it was last sent to all members.
    sent: Now,
    /// Since when the leader is unknown, or dead by older news than its election; or a candidate is
    /// dead or unknown.
    leader_missing_since: Option<Now>,
    /// The election of a later term that this member does not take part in yet.
    foreign: Option<Foreign>,
    /// It is to be sent again after [`ECHO_MS`].
    echo: bool,
    /// What was recorded of it, and what is known for the next time.
    recorded: Recorded,
    context: Context,
}

/// Observation of an election of a later term.
#[derive(Debug, Clone, Copy)]
struct Foreign {
    first: Now,
    last: Now,
}

/// Whether a leader or candidate is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Lives,
    Dead,
    /// It counts as dead from this time on, unless there is news of it.
    DeadFrom(Now),
}

pub(super) fn is_dead(health: Option<Health>) -> bool {
    matches!(health, Some(Health::Confirmed | Health::Departed))
}

impl Watch {
    /// This member becomes a candidate.
    pub(super) fn join(&mut self, now: Now, has_quorum: bool, reason: Reason) {
        self.context.reason = Some(reason);
        self.joined = Some(now);
        self.sent = now;
        self.had_quorum = has_quorum;
    }

    /// Its term, status or leader has changed; the new leader is dead in the list.
    pub(super) fn replaced(&mut self, now: Now, is_leader_dead: bool) {
        self.leader_missing_since = is_leader_dead.then_some(now);
    }

    /// It is finished. Returns the time since this member joined, in microseconds.
    pub(super) fn finish(&mut self, now: Now) -> Option<u64> {
        self.foreign = None;
        let took_us = self.joined.take().map(|joined| now.micros_since(joined));
        self.context.took_us = took_us.or(self.context.took_us);
        took_us
    }

    /// Two leaders of this term were seen. False when that is known.
    pub(super) fn dispute(&mut self, term: u64) -> bool {
        self.context.disputed.replace(term) != Some(term)
    }

    /// What was recorded of it, and what happened since. The latter is used once, but for the
    /// disputed term.
    pub(super) fn look_back(&mut self) -> (&mut Recorded, Context) {
        let disputed = self.context.disputed;
        let context =
            std::mem::replace(&mut self.context, Context { disputed, ..Context::default() });
        (&mut self.recorded, context)
    }

    pub(super) const fn sent(&mut self, now: Now) {
        self.sent = now;
    }

    pub(super) const fn wants_echo(&self) -> bool {
        self.echo
    }

    pub(super) const fn cancel_echo(&mut self) {
        self.echo = false;
    }

    /// Another member is behind. `None` when the election is to be sent now, else the time when it
    /// is.
    pub(super) fn echo(&mut self, now: Now) -> Option<Now> {
        let due = self.sent.plus_ms(ECHO_MS);
        self.echo = due > now;
        if self.echo {
            return Some(due);
        }
        self.sent = now;
        None
    }

    /// True when an unfinished election of a later term has been seen for long enough.
    pub(super) fn joins_foreign_term(&mut self, now: Now) -> bool {
        let first = match self.foreign {
            Some(Foreign { first, last }) if last.plus_ms(2 * NUDGE_MS) > now => first,
            _ => now,
        };
        let joins = first.plus_ms(FOREIGN_TERM_MS) <= now;
        self.foreign = if joins { None } else { Some(Foreign { first, last: now }) };
        joins
    }

    /// Only the candidate can finish an election, so one with a dead candidate would never end, as
    /// in Habitat. It gets the same time as a leader with late news.
    pub(super) fn candidate(&mut self, now: Now, health: Option<Health>) -> Life {
        if health.is_some() && !is_dead(health) {
            self.leader_missing_since = None;
            return Life::Lives;
        }
        let since = *self.leader_missing_since.get_or_insert(now);
        let dead = since.plus_ms(UNKNOWN_LEADER_MS);
        if dead > now { Life::DeadFrom(dead) } else { Life::Dead }
    }

    /// A leader that dies while it leads is dead immediately.
    pub(super) fn leader(&mut self, now: Now, health: Option<Health>) -> Life {
        let since = match (health, self.leader_missing_since) {
            (None, since) => *self.leader_missing_since.insert(since.unwrap_or(now)),
            (Some(_), Some(since)) if is_dead(health) => since,
            (Some(_), _) => {
                self.leader_missing_since = None;
                return if is_dead(health) { Life::Dead } else { Life::Lives };
            }
        };
        let wait_ms = if health.is_some() { STALE_DEATH_MS } else { UNKNOWN_LEADER_MS };
        let dead = since.plus_ms(wait_ms);
        if dead > now {
            return Life::DeadFrom(dead);
        }
        self.leader_missing_since = None;
        Life::Dead
    }

    /// An unfinished election stalls when its rumors cooled before quorum returned, or when a vote
    /// got lost. True when it is to be sent again unchanged, which resumes it.
    pub(super) fn nudge(&mut self, now: Now, has_quorum: bool) -> bool {
        let returned = has_quorum && !self.had_quorum;
        self.had_quorum = has_quorum;
        let is_due = has_quorum && (returned || self.sent.plus_ms(NUDGE_MS) <= now);
        if is_due {
            self.sent = now;
        }
        is_due
    }

    /// Time when [`Watch::nudge`] is due without a change.
    pub(super) fn next_nudge(&self) -> Option<Now> {
        self.had_quorum.then(|| self.sent.plus_ms(NUDGE_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Now {
        Now(ms * 1000)
    }

    #[test]
    fn a_leader_that_dies_is_dead_at_once_and_one_whose_news_are_late_after_a_while() {
        let mut watch = Watch::default();
        assert_eq!(watch.leader(at(0), Some(Health::Suspect)), Life::Lives);
        assert_eq!(watch.leader(at(1), Some(Health::Confirmed)), Life::Dead);
        assert_eq!(watch.leader(at(1), None), Life::DeadFrom(at(10_001)));
        assert_eq!(watch.leader(at(9_000), None), Life::DeadFrom(at(10_001)));
        assert_eq!(watch.leader(at(10_001), None), Life::Dead);
        watch.replaced(at(20_000), true);
        assert_eq!(watch.leader(at(20_000), Some(Health::Confirmed)), Life::DeadFrom(at(50_000)));
        assert_eq!(watch.leader(at(20_001), Some(Health::Alive)), Life::Lives);
        assert_eq!(watch.leader(at(20_002), Some(Health::Departed)), Life::Dead);
    }

    #[test]
    fn a_candidate_that_dies_gets_some_time() {
        let mut watch = Watch::default();
        assert_eq!(watch.candidate(at(5), Some(Health::Confirmed)), Life::DeadFrom(at(10_005)));
        assert_eq!(watch.candidate(at(6), Some(Health::Alive)), Life::Lives);
        assert_eq!(watch.candidate(at(7), None), Life::DeadFrom(at(10_007)));
        assert_eq!(watch.candidate(at(10_007), None), Life::Dead);
    }

    #[test]
    fn a_later_term_is_joined_after_it_was_seen_for_long_enough() {
        let mut watch = Watch::default();
        assert!(!watch.joins_foreign_term(at(0)));
        assert!(!watch.joins_foreign_term(at(14_000)));
        assert!(watch.joins_foreign_term(at(15_000)));
        assert!(!watch.joins_foreign_term(at(16_000)), "that was another one");
        assert!(!watch.joins_foreign_term(at(36_000)), "it was silent in between");
        assert!(watch.joins_foreign_term(at(51_000)));
    }

    #[test]
    fn echoes_keep_a_distance_and_nudges_wait_for_quorum() {
        let mut watch = Watch::default();
        watch.join(at(1_000), false, Reason::Service);
        assert_eq!(watch.echo(at(2_000)), Some(at(3_000)));
        assert!(watch.wants_echo());
        assert_eq!(watch.echo(at(3_000)), None);
        assert!(!watch.wants_echo());
        assert!(!watch.nudge(at(5_000), false));
        assert_eq!(watch.next_nudge(), None);
        assert!(watch.nudge(at(5_001), true), "quorum has returned");
        assert_eq!(watch.next_nudge(), Some(at(15_001)));
        assert!(!watch.nudge(at(15_000), true));
        assert!(watch.nudge(at(15_001), true));
    }
}
