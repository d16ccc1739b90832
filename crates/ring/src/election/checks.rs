//! What becomes of elections that are under way or over: restarts, repetitions, checks of leaders
//! and candidates.

use std::sync::Arc;

use super::{Elections, FORMER_LEADER, Reason, SUITABILITY_MS, Stored, Surroundings, watch::Life};
use crate::{
    output::Event,
    rumor::{ElectionKind, Status},
    time::Now,
};

impl Elections {
    /// Restarts the stored election of a group (reference: ring §10.7).
    pub(crate) fn trigger(&mut self, now: Now, at: &mut Surroundings<'_>, group: &str) {
        for kind in ElectionKind::ALL {
            if at.takes_part(group) && at.rumors.election(kind, group).is_some() {
                self.restart(now, at, kind, group, Reason::Triggered);
                return;
            }
        }
    }

    fn restart(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        group: &str,
        reason: Reason,
    ) {
        if kind == ElectionKind::Leader && self.waiting.contains_key(group) {
            return;
        }
        let Some(stored) = at.rumors.election(kind, group) else { return };
        let term = stored.term.saturating_add(1);
        let suitability = match kind {
            ElectionKind::Update => Some(0),
            ElectionKind::Leader if stored.member_id == *at.me => Some(FORMER_LEADER),
            ElectionKind::Leader => None,
        };
        self.note(Event::ElectionStarted { group: group.into(), term });
        let Some(suitability) = suitability else {
            self.wait_for_suitability(now, group, term, Some(reason), Vec::new());
            return;
        };
        at.rumors.remove_election(kind, group);
        let started = self.start(now, at, kind, group, term, suitability, reason);
        self.count(started);
    }

    /// Checks all elections with participation of this member (reference: ring §10.5).
    pub(crate) fn wake(&mut self, now: Now, at: &mut Surroundings<'_>) {
        if self.next() > now {
            return;
        }
        self.look = false;
        self.checked = now;
        self.due = None;
        let late: Vec<(String, u64)> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.since.plus_ms(SUITABILITY_MS) <= now)
            .map(|(group, waiting)| (group.clone(), waiting.term))
            .collect();
        for (group, term) in late {
            self.suitability_known(now, at, &group, term, 0);
        }
        self.send_echoes(now, at);
        for kind in ElectionKind::ALL {
            let groups: Vec<Arc<str>> = at.rumors.groups_with_election(kind).cloned().collect();
            for group in groups {
                if at.takes_part(&group) {
                    self.check(now, at, kind, &group);
                }
            }
        }
    }

    fn check(&mut self, now: Now, at: &mut Surroundings<'_>, kind: ElectionKind, group: &str) {
        let Some(stored) = at.rumors.election(kind, group).map(Stored::of) else { return };
        let has_quorum = at.electorate(group).has_quorum();
        let is_mine = stored.member_id == *at.me;
        let is_finished = stored.status == Status::Finished;
        let leader_health = at.table.health_of(&stored.member_id);
        if is_finished && is_mine {
            if !has_quorum {
                self.note(Event::QuorumLost { group: group.into(), term: stored.term });
                self.restart(now, at, kind, group, Reason::QuorumLost);
            }
            return;
        }
        let watch = self.watch(kind, group);
        let life = match (is_mine, is_finished) {
            (true, _) => Life::Lives,
            (false, true) => watch.leader(now, leader_health),
            (false, false) => watch.candidate(now, leader_health),
        };
        match life {
            Life::Dead => {
                self.note(Event::LeaderDead {
                    me: at.me.clone(),
                    leader: stored.member_id.clone(),
                    group: group.into(),
                    term: stored.term,
                });
                let dead = stored.member_id;
                let reason = match is_finished {
                    true => Reason::LeaderDead(dead),
                    false => Reason::CandidateDead(dead),
                };
                self.restart(now, at, kind, group, reason);
                return;
            }
            Life::DeadFrom(due) => self.due_at(due),
            Life::Lives => {}
        }
        if !is_finished {
            self.nudge(now, at, kind, group, has_quorum);
        }
    }

    fn nudge(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        group: &str,
        has_quorum: bool,
    ) {
        let watch = self.watch(kind, group);
        let is_due = watch.nudge(now, has_quorum);
        let next = watch.next_nudge();
        if is_due {
            at.rumors.start_election_hot(kind, group);
        }
        if let Some(next) = next {
            self.due_at(next);
        }
    }

    /// Another member is behind: sends the election again, now or after a pause.
    pub(super) fn echo(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        group: &str,
    ) {
        match self.watch(kind, group).echo(now) {
            Some(later) => self.due_at(later),
            None => at.rumors.start_election_hot(kind, group),
        }
    }

    /// Sends the elections whose pause is over.
    fn send_echoes(&mut self, now: Now, at: &mut Surroundings<'_>) {
        let waiting: Vec<(ElectionKind, String)> = self
            .watched
            .iter()
            .filter(|(_, watch)| watch.wants_echo())
            .map(|(key, _)| key.clone())
            .collect();
        for (kind, group) in waiting {
            if at.rumors.election(kind, &group).is_some() {
                self.echo(now, at, kind, &group);
            } else {
                self.watch(kind, &group).cancel_echo();
            }
        }
    }
}
