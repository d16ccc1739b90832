//! How this member takes part in elections (reference: ring §10): quorum, candidacy, votes,
//! restarts. The record and its merge rule are in `rumor/election.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Dropped, Duration, Election, Event, Health, MemberId, Now, Output, Ring, RumorKind, Status,
    limits::DEFERRED_ELECTIONS_MAX, rooms::Origin, rumor::ELECTION_ID,
};

/// Time between checks of whether an election has to be started anew.
const CHECK_MS: u64 = 1_000;
/// A suitability that is not told within this time counts as 0.
const SUITABILITY_MS: u64 = 60_000;
/// An unfinished election that has quorum is told again after this time: a vote got lost.
const NUDGE_MS: u64 = 10_000;
/// A merge that changed nothing here is told to others at most this often. Habitat tells it each
/// time, and so keeps telling for ever where two members got the same votes in another order.
const ECHO_MS: u64 = 2_000;
/// A leader that is not in the member list counts as dead after this time. Habitat does not
/// wait, and so restarts an election whose rumor arrives before that about the leader.
const UNKNOWN_LEADER_MS: u64 = 10_000;
/// So does a leader that was dead in the list already when its election arrived: others elected
/// it since, behind a cut. Members that gave each other up need some turns of their probers, in
/// both directions, until they meet again.
const STALE_DEATH_MS: u64 = 30_000;
/// A running election of a later term that the current leader has nothing to do with is joined
/// after it was heard of for this long. Habitat never joins, and so a member that was away while
/// the others began to elect can keep them from ever finishing.
const FOREIGN_TERM_MS: u64 = 15_000;
/// The suitability of a former leader or candidate that starts the election anew.
const FORMER_LEADER: u64 = u64::MAX;

/// An election of a group that waits for the suitability of this member.
#[derive(Debug)]
struct Waiting {
    term: u64,
    since: Now,
    /// The stored election is to be started anew; otherwise the first deferred one asked.
    restart: bool,
    /// What arrived meanwhile.
    deferred: Vec<Election>,
}

/// What this member keeps about the elections of its groups besides the elections themselves.
#[derive(Debug, Default)]
struct Watch {
    /// When this member joined it, until it is finished.
    joined: Option<Now>,
    had_quorum: bool,
    /// When it was last told to everybody.
    told: Now,
    /// Since when the leader is unknown, or is dead by older news than that of its election; or
    /// a candidate is dead or unknown.
    leader_missing_since: Option<Now>,
    /// When an election of a later term was heard of, first and last.
    foreign: Option<(Now, Now)>,
    /// It is to be told again once [`ECHO_MS`] are over.
    echo: bool,
}

/// State of taking part.
#[derive(Debug, Default)]
pub(crate) struct Elections {
    waiting: BTreeMap<String, Waiting>,
    watched: BTreeMap<(RumorKind, String), Watch>,
    /// Something changed that may matter.
    look: bool,
    checked: Now,
    /// When something is due without a change.
    due: Option<Now>,
}

impl Elections {
    /// Something changed: members, services or elections.
    pub(crate) const fn look(&mut self) {
        self.look = true;
    }

    pub(crate) fn next(&self) -> Now {
        let check = if self.look { self.checked.plus_ms(CHECK_MS) } else { Now::NEVER };
        let waiting = self.waiting.values().map(|waiting| waiting.since.plus_ms(SUITABILITY_MS));
        waiting.chain(self.due).fold(check, Now::min)
    }

    fn watch(&mut self, kind: RumorKind, group: &str) -> &mut Watch {
        self.watched.entry((kind, group.into())).or_default()
    }
}

/// Who may vote in a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Electorate {
    /// Members with a service in the group that are not Departed.
    population: usize,
    /// Those of them that are Alive.
    alive: BTreeSet<MemberId>,
}

impl Electorate {
    /// More than half are alive (reference: ring §10.1). There is no minimum of three.
    fn has_quorum(&self) -> bool {
        self.alive.len() > self.population / 2
    }
}

fn is_dead(health: Option<Health>) -> bool {
    matches!(health, Some(Health::Confirmed | Health::Departed))
}

impl Ring {
    fn electorate(&self, group: &str) -> Electorate {
        let mut electorate = Electorate::default();
        for id in self.rumors.population(group) {
            match self.health_of(id) {
                Some(Health::Alive) => {
                    electorate.population += 1;
                    electorate.alive.insert(id.clone());
                }
                Some(Health::Suspect | Health::Confirmed) => electorate.population += 1,
                Some(Health::Departed) | None => {}
            }
        }
        electorate
    }

    /// True when more than half of a group are alive.
    pub(crate) fn has_quorum(&self, group: &str) -> bool {
        self.electorate(group).has_quorum()
    }

    /// True when this member has a service in the group.
    fn takes_part(&self, group: &str) -> bool {
        self.me.id.with_text(|me| self.rumors.services.get(group, me).is_some())
    }

    /// Groups with an election of any kind that this member takes part in.
    pub fn own_elections(&self) -> impl Iterator<Item = &str> {
        let update = self.rumors.update_elections.list.keys();
        let groups = self.rumors.elections.list.keys().chain(update).map(|group| &**group);
        groups.filter(|group| self.takes_part(group))
    }

    /// Makes this member a candidate (reference: ring §10.2).
    pub(crate) fn start_election(
        &mut self,
        now: Now,
        kind: RumorKind,
        group: &str,
        term: u64,
        suitability: u64,
    ) -> Result<(), Dropped> {
        // a leader without a service would stop real Supervisors
        if !self.takes_part(group) {
            return Err(Dropped::NoOwnService);
        }
        let electorate = self.electorate(group);
        let status = if electorate.has_quorum() {
            Status::Running
        } else {
            let (alive, total) = (electorate.alive.len(), electorate.population);
            self.note(Event::NoQuorum { group: group.into(), alive, total });
            Status::NoQuorum
        };
        let me = self.me.id.clone();
        let watch = self.elections.watch(kind, group);
        watch.joined = Some(now);
        watch.told = now;
        watch.had_quorum = status == Status::Running;
        let votes = vec![me.clone()];
        let election =
            Election { member_id: me, group: group.into(), term, suitability, status, votes };
        self.merge_election(now, kind, election)?;
        self.start_hot(kind, group, ELECTION_ID);
        self.changed();
        self.elections.look();
        Ok(())
    }

    /// Merges an election into the store; true when it is to be spread.
    fn merge_election(
        &mut self,
        now: Now,
        kind: RumorKind,
        election: Election,
    ) -> Result<bool, Dropped> {
        let group = election.group.clone();
        let (merged, news, is_other) = match self.rumors.election(kind, &group) {
            None => (election, true, true),
            Some(stored) => {
                let stored = std::sync::Arc::clone(stored);
                let mut merged = (*stored).clone();
                let known = stored.says_the_same(&election);
                if stored.contradicts(&election) {
                    self.note(Event::ConflictingLeaders {
                        group: group.clone(),
                        term: stored.term,
                        one: stored.member_id.clone(),
                        other: election.member_id.clone(),
                    });
                }
                let news = merged.merge(election);
                if news && merged.says_the_same(&stored) {
                    if !known {
                        self.echo_election(now, kind, &group);
                    }
                    return Ok(false);
                }
                let whole = |election: &Election| (election.term, election.status);
                let is_other =
                    merged.member_id != stored.member_id || whole(&merged) != whole(&stored);
                (merged, news, is_other)
            }
        };
        if !news {
            return Ok(false);
        }
        let finished = merged.status == Status::Finished;
        let dead = is_dead(self.health_of(&merged.member_id));
        let origin = if self.restoring { Origin::DataFile } else { Origin::Ring };
        self.rumors.put_election(origin, kind, merged)?;
        let watch = self.elections.watch(kind, &group);
        if is_other {
            watch.leader_missing_since = dead.then_some(now);
        }
        if finished {
            watch.foreign = None;
        }
        self.start_hot(kind, &group, ELECTION_ID);
        self.elections.watch(kind, &group).told = now;
        if finished
            && let Some(watch) = self.elections.watched.get_mut(&(kind, group.clone()))
            && let Some(joined) = watch.joined.take()
            && kind == RumorKind::Election
        {
            let took_us = now.micros_since(joined);
            self.say(Output::Took(Duration::Election { group, took_us }));
        }
        Ok(true)
    }

    /// Somebody is behind: tells the election again, now or a little later.
    fn echo_election(&mut self, now: Now, kind: RumorKind, group: &str) {
        let watch = self.elections.watch(kind, group);
        let next = watch.told.plus_ms(ECHO_MS);
        watch.echo = next > now;
        if watch.echo {
            self.due_at(next);
        } else {
            watch.told = now;
            self.start_hot(kind, group, ELECTION_ID);
        }
    }

    /// Tells those elections again for which it was too early.
    fn tell_echoes(&mut self, now: Now) {
        let waiting: Vec<(RumorKind, String)> = self
            .elections
            .watched
            .iter()
            .filter(|(_, watch)| watch.echo)
            .map(|(key, _)| key.clone())
            .collect();
        for (kind, group) in waiting {
            if self.rumors.election(kind, &group).is_some() {
                self.echo_election(now, kind, &group);
            } else {
                self.elections.watch(kind, &group).echo = false;
            }
        }
    }

    /// Takes an election from another member, or the own one that came back
    /// (reference: ring §10.3). `suitability` is known once the hook was asked.
    pub(crate) fn receive_election(
        &mut self,
        now: Now,
        kind: RumorKind,
        mut election: Election,
        suitability: Option<u64>,
    ) -> Result<bool, Dropped> {
        let group = election.group.clone();
        if !self.takes_part(&group) {
            return self.merge_election(now, kind, election);
        }
        // it was decided to take part before the hook was asked
        let joins = suitability.is_some();
        // the hook cannot run while the data file is read; update elections have none
        let suitability =
            suitability.or((self.restoring || kind == RumorKind::ElectionUpdate).then_some(0));
        if suitability.is_none()
            && let Some(waiting) = self.elections.waiting.get_mut(&group)
        {
            if waiting.deferred.len() >= DEFERRED_ELECTIONS_MAX {
                return Err(Dropped::TooManyDeferred);
            }
            waiting.deferred.push(election);
            return Ok(true);
        }
        let me = self.me.id.clone();
        let stored = self.rumors.election(kind, &group).cloned();
        let candidacy = match &stored {
            None => Some(suitability),
            Some(stored) if election.term > stored.term => {
                if kind == RumorKind::ElectionUpdate {
                    Some(suitability)
                } else if stored.member_id == me {
                    Some(Some(FORMER_LEADER))
                } else if joins
                    || stored.member_id == election.member_id
                    || self.joins_foreign_term(now, kind, &election)
                {
                    Some(suitability)
                } else if election.status == Status::Finished {
                    // Habitat ignores this as well, and so does not learn who leads when it was
                    // away while the others elected
                    None
                } else {
                    return Err(Dropped::ForeignTerm);
                }
            }
            Some(_) => None,
        };
        match candidacy {
            Some(None) => {
                self.wait_for_suitability(now, &group, election.term, false, vec![election]);
                return Ok(true);
            }
            Some(Some(suitability)) => {
                if stored.is_some() {
                    self.rumors.remove_election(kind, &group);
                }
                self.start_election(now, kind, &group, election.term, suitability)?;
            }
            None => {}
        }
        let electorate = self.electorate(&group);
        let quorum = electorate.has_quorum();
        if stored.is_some() && election.member_id == me {
            if !quorum {
                election.status = Status::NoQuorum;
            } else if electorate.alive.iter().all(|voter| election.votes.contains(voter)) {
                election.status = Status::Finished;
            }
        }
        if election.status != Status::Finished {
            election.status = if quorum { Status::Running } else { Status::NoQuorum };
        }
        self.merge_election(now, kind, election)
    }

    /// True when an election of a later term has been heard of for long enough.
    fn joins_foreign_term(&mut self, now: Now, kind: RumorKind, election: &Election) -> bool {
        if election.status == Status::Finished {
            return false;
        }
        let watch = self.elections.watch(kind, &election.group);
        let first = match watch.foreign {
            Some((first, last)) if last.plus_ms(2 * NUDGE_MS) > now => first,
            _ => now,
        };
        let joins = first.plus_ms(FOREIGN_TERM_MS) <= now;
        watch.foreign = if joins { None } else { Some((first, now)) };
        joins
    }

    fn wait_for_suitability(
        &mut self,
        now: Now,
        group: &str,
        term: u64,
        restart: bool,
        deferred: Vec<Election>,
    ) {
        let waiting = Waiting { term, since: now, restart, deferred };
        self.elections.waiting.insert(group.into(), waiting);
        self.ask_suitability(group, term);
    }

    /// The suitability that an election waits for is known.
    pub(crate) fn suitability_known(&mut self, now: Now, group: &str, term: u64, value: u64) {
        let waiting = &mut self.elections.waiting;
        if waiting.get(group).is_none_or(|waiting| waiting.term != term) {
            return;
        }
        let Some(Waiting { restart, deferred, .. }) = waiting.remove(group) else { return };
        let kind = RumorKind::Election;
        let mut first = Some(value);
        if restart {
            self.rumors.remove_election(kind, group);
            if let Err(dropped) = self.start_election(now, kind, group, term, value) {
                self.count_drop(&dropped);
            }
            first = None;
        }
        for election in deferred {
            if let Err(dropped) = self.receive_election(now, kind, election, first.take()) {
                self.count_drop(&dropped);
            }
        }
        self.changed();
        self.elections.look();
    }

    /// Starts the stored election of a group anew (reference: ring §10.7).
    pub(crate) fn trigger_election(&mut self, now: Now, group: &str) {
        for kind in [RumorKind::Election, RumorKind::ElectionUpdate] {
            if self.takes_part(group) && self.rumors.election(kind, group).is_some() {
                self.restart_election(now, kind, group);
                return;
            }
        }
    }

    fn restart_election(&mut self, now: Now, kind: RumorKind, group: &str) {
        if kind == RumorKind::Election && self.elections.waiting.contains_key(group) {
            return;
        }
        let Some(stored) = self.rumors.election(kind, group) else { return };
        let term = stored.term.saturating_add(1);
        let suitability = match kind {
            RumorKind::ElectionUpdate => Some(0),
            _ if stored.member_id == self.me.id => Some(FORMER_LEADER),
            _ => None,
        };
        self.note(Event::ElectionStarted { group: group.into(), term });
        let Some(suitability) = suitability else {
            self.wait_for_suitability(now, group, term, true, Vec::new());
            return;
        };
        self.rumors.remove_election(kind, group);
        if let Err(dropped) = self.start_election(now, kind, group, term, suitability) {
            self.count_drop(&dropped);
        }
    }

    /// Looks at all elections that this member takes part in (reference: ring §10.5).
    pub(crate) fn run_elections(&mut self, now: Now) {
        if self.elections.next() > now {
            return;
        }
        self.elections.look = false;
        self.elections.checked = now;
        self.elections.due = None;
        let late: Vec<(String, u64)> = self
            .elections
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.since.plus_ms(SUITABILITY_MS) <= now)
            .map(|(group, waiting)| (group.clone(), waiting.term))
            .collect();
        for (group, term) in late {
            self.suitability_known(now, &group, term, 0);
        }
        self.tell_echoes(now);
        for kind in [RumorKind::Election, RumorKind::ElectionUpdate] {
            let groups: Vec<_> = self.rumors.elections_of(kind).list.keys().cloned().collect();
            for group in groups {
                if self.takes_part(&group) {
                    self.check_election(now, kind, &group);
                }
            }
        }
    }

    fn check_election(&mut self, now: Now, kind: RumorKind, group: &str) {
        let Some(stored) = self.rumors.election(kind, group) else { return };
        let stored = std::sync::Arc::clone(stored);
        let quorum = self.has_quorum(group);
        let is_mine = stored.member_id == self.me.id;
        if stored.status != Status::Finished
            && (is_mine || !self.is_candidate_dead(now, kind, group, &stored.member_id))
        {
            self.nudge_election(now, kind, group, quorum);
        } else if is_mine {
            if !quorum {
                self.note(Event::QuorumLost { group: group.into(), term: stored.term });
                self.restart_election(now, kind, group);
            }
        } else if stored.status != Status::Finished
            || self.is_leader_dead(now, kind, group, &stored.member_id)
        {
            self.note(Event::LeaderDead {
                me: self.me.id.clone(),
                leader: stored.member_id.clone(),
                group: group.into(),
                term: stored.term,
            });
            self.restart_election(now, kind, group);
        }
    }

    /// Only the candidate can finish an election, so one whose candidate died would go on for
    /// ever, as it does in Habitat. It gets the same time as a leader of whom news are late.
    fn is_candidate_dead(
        &mut self,
        now: Now,
        kind: RumorKind,
        group: &str,
        candidate: &MemberId,
    ) -> bool {
        let health = self.health_of(candidate);
        let watch = self.elections.watch(kind, group);
        if health.is_some() && !is_dead(health) {
            watch.leader_missing_since = None;
            return false;
        }
        let since = *watch.leader_missing_since.get_or_insert(now);
        let dead = since.plus_ms(UNKNOWN_LEADER_MS);
        if dead > now {
            self.due_at(dead);
        }
        dead <= now
    }

    fn is_leader_dead(
        &mut self,
        now: Now,
        kind: RumorKind,
        group: &str,
        leader: &MemberId,
    ) -> bool {
        let health = self.health_of(leader);
        let watch = self.elections.watch(kind, group);
        let since = match (health, watch.leader_missing_since) {
            (None, since) => *watch.leader_missing_since.insert(since.unwrap_or(now)),
            (Some(_), Some(since)) if is_dead(health) => since,
            (Some(_), _) => {
                watch.leader_missing_since = None;
                return is_dead(health);
            }
        };
        let wait_ms = if health.is_some() { STALE_DEATH_MS } else { UNKNOWN_LEADER_MS };
        let dead = since.plus_ms(wait_ms);
        if dead <= now {
            watch.leader_missing_since = None;
            return true;
        }
        self.due_at(dead);
        false
    }

    /// An unfinished election hangs when its rumors have cooled before quorum returned, or when
    /// a vote got lost. Telling it again, unchanged, brings it on.
    fn nudge_election(&mut self, now: Now, kind: RumorKind, group: &str, quorum: bool) {
        let watch = self.elections.watch(kind, group);
        let returned = quorum && !watch.had_quorum;
        watch.had_quorum = quorum;
        if !quorum {
            return;
        }
        if returned || watch.told.plus_ms(NUDGE_MS) <= now {
            watch.told = now;
            self.start_hot(kind, group, ELECTION_ID);
        }
        let again = self.elections.watch(kind, group).told.plus_ms(NUDGE_MS);
        self.due_at(again);
    }

    fn due_at(&mut self, due: Now) {
        self.elections.due = Some(self.elections.due.map_or(due, |old| old.min(due)));
    }
}
