//! Participation of a member in elections (reference: ring §10): quorum, candidacy, votes,
//! restarts. The record and its merge rule are in `rumor/election.rs`.

mod checks;
mod electorate;
#[cfg(test)]
mod tests;
mod turns;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::watch::{Watch, is_dead};
pub(crate) use self::{
    electorate::Electorate,
    turns::{Reason, Turn},
};
use crate::{
    dropped::Dropped,
    id::MemberId,
    limits::DEFERRED_ELECTIONS_MAX,
    output::Event,
    rooms::Origin,
    rumor::{Election, ElectionKind, Merge, RumorType, Status},
    stores::RumorStores,
    table::Table,
    time::Now,
    view::Conflict,
};

/// Time between checks of whether an election has to be restarted.
const CHECK_MS: u64 = 1_000;
/// A suitability that does not arrive within this time counts as 0.
const SUITABILITY_MS: u64 = 60_000;
/// The suitability of a former leader or candidate that restarts the election.
const FORMER_LEADER: u64 = u64::MAX;

/// Participation of a member in the elections of its groups. It owns the state of each
/// participation; the elections themselves are rumors like others. Its decisions are queued: drain
/// [`Elections::poll`] after every call.
#[derive(Debug, Default)]
pub(crate) struct Elections {
    waiting: BTreeMap<String, Waiting>,
    watched: BTreeMap<(ElectionKind, String), Watch>,
    /// A relevant state may have changed.
    look: bool,
    checked: Now,
    /// Next due time without a change.
    due: Option<Now>,
    decisions: VecDeque<Decision>,
    /// Groups with two leaders of one term; bounded by the groups with an election.
    conflicts: BTreeMap<String, Conflict>,
    /// Elections that changed since [`Elections::look_back`].
    touched: BTreeSet<(ElectionKind, String)>,
}

/// An election of a group that waits for the suitability of this member.
#[derive(Debug)]
struct Waiting {
    term: u64,
    since: Now,
    /// Why the stored election is to be restarted; otherwise the first deferred one caused the
    /// request.
    restart: Option<Reason>,
    /// Elections that arrived in the meantime.
    deferred: Vec<Election>,
}

/// Which election is stored.
#[derive(Debug, PartialEq, Eq)]
struct Stored {
    member_id: MemberId,
    term: u64,
    status: Status,
}

impl Stored {
    fn of(election: &Election) -> Self {
        let Election { member_id, term, status, .. } = election;
        Self { member_id: member_id.clone(), term: *term, status: *status }
    }
}

/// What the member is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Write a log line.
    Note(Event),
    /// Ask for the suitability of the own service in this group.
    AskSuitability { group: String, term: u64 },
    /// Report how long a leader election took, in microseconds.
    Took { group: String, took_us: u64 },
    /// Count a deferred or restarted election that was refused.
    Count(Dropped),
    /// Record a step of an election.
    Turn { kind: ElectionKind, group: String, turn: Turn },
    /// Publish a changed view.
    Show,
}

/// The state of the member that elections read and change.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) me: &'a MemberId,
    pub(crate) table: &'a Table,
    pub(crate) rumors: &'a mut RumorStores,
    /// The data file is being read.
    pub(crate) restoring: bool,
}

impl Surroundings<'_> {
    fn electorate(&self, group: &str) -> Electorate {
        Electorate::of(group, self.table, self.rumors)
    }

    /// True when this member has a service in the group.
    fn takes_part(&self, group: &str) -> bool {
        self.rumors.has_service(group, self.me)
    }
}

impl Elections {
    /// The next decision, in order.
    pub(crate) fn poll(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// Groups with two leaders of one term.
    pub(crate) const fn conflicts(&self) -> &BTreeMap<String, Conflict> {
        &self.conflicts
    }

    /// Something changed: members, services or elections.
    pub(crate) const fn look(&mut self) {
        self.look = true;
    }

    /// Time when [`Elections::wake`] is due.
    pub(crate) fn next(&self) -> Now {
        let check = if self.look { self.checked.plus_ms(CHECK_MS) } else { Now::NEVER };
        let waiting = self.waiting.values().map(|waiting| waiting.since.plus_ms(SUITABILITY_MS));
        waiting.chain(self.due).fold(check, Now::min)
    }

    /// Makes this member a candidate (reference: ring §10.2).
    pub(crate) fn start(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        group: &str,
        term: u64,
        suitability: u64,
        reason: Reason,
    ) -> Result<(), Dropped> {
        // a leader without a service would stop real Supervisors
        if !at.takes_part(group) {
            return Err(Dropped::NoOwnService);
        }
        let electorate = at.electorate(group);
        let has_quorum = electorate.has_quorum();
        if !has_quorum {
            let (alive, total) = (electorate.alive.len(), electorate.population);
            self.note(Event::NoQuorum { group: group.into(), alive, total });
        }
        self.watch(kind, group).join(now, has_quorum, reason);
        let election = Election {
            member_id: at.me.clone(),
            group: group.into(),
            term,
            suitability,
            status: if has_quorum { Status::Running } else { Status::NoQuorum },
            votes: vec![at.me.clone()],
        };
        self.merge(now, at, kind, election)?;
        at.rumors.start_election_hot(kind, group);
        self.show();
        Ok(())
    }

    /// Receives an election of another member, or an echo of the own one (reference: ring §10.3).
    /// True when it is to be spread.
    pub(crate) fn receive(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        election: Election,
    ) -> Result<bool, Dropped> {
        self.take(now, at, kind, election, None)
    }

    /// `suitability` is present when participation was decided before the hook ran.
    fn take(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        mut election: Election,
        asked: Option<u64>,
    ) -> Result<bool, Dropped> {
        let group = election.group.clone();
        if !at.takes_part(&group) {
            return self.merge(now, at, kind, election);
        }
        let joins = asked.is_some();
        // the hook cannot run while the data file is read; update elections have none
        let needs_no_hook = at.restoring || kind == ElectionKind::Update;
        let suitability = asked.or(needs_no_hook.then_some(0));
        if suitability.is_none()
            && let Some(waiting) = self.waiting.get_mut(&group)
        {
            if waiting.deferred.len() >= DEFERRED_ELECTIONS_MAX {
                return Err(Dropped::TooManyDeferred);
            }
            waiting.deferred.push(election);
            return Ok(true);
        }
        let stored = at.rumors.election(kind, &group).map(Stored::of);
        let candidacy = match &stored {
            None => Some(suitability),
            Some(stored) if election.term > stored.term => {
                if kind == ElectionKind::Update {
                    Some(suitability)
                } else if stored.member_id == *at.me {
                    Some(Some(FORMER_LEADER))
                } else if joins
                    || stored.member_id == election.member_id
                    || (election.status != Status::Finished
                        && self.watch(kind, &group).joins_foreign_term(now))
                {
                    Some(suitability)
                } else if election.status == Status::Finished {
                    // Habitat ignores this too, and so does not learn the leader if it was away
                    // while the others elected
                    None
                } else {
                    return Err(Dropped::ForeignTerm);
                }
            }
            Some(_) => None,
        };
        match candidacy {
            Some(None) => {
                self.wait_for_suitability(now, &group, election.term, None, vec![election]);
                return Ok(true);
            }
            Some(Some(suitability)) => {
                if stored.is_some() {
                    at.rumors.remove_election(kind, &group);
                }
                let reason = Reason::Joined;
                self.start(now, at, kind, &group, election.term, suitability, reason)?;
            }
            None => {}
        }
        let electorate = at.electorate(&group);
        let quorum = electorate.has_quorum();
        if stored.is_some() && election.member_id == *at.me {
            if !quorum {
                election.status = Status::NoQuorum;
            } else if electorate.alive.iter().all(|voter| election.votes.contains(voter)) {
                election.status = Status::Finished;
            }
        }
        if election.status != Status::Finished {
            election.status = if quorum { Status::Running } else { Status::NoQuorum };
        }
        self.merge(now, at, kind, election)
    }

    /// Merges an election into the store; true when it is to be spread.
    fn merge(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        kind: ElectionKind,
        election: Election,
    ) -> Result<bool, Dropped> {
        let group = election.group.clone();
        let (merged, is_other) = match at.rumors.election(kind, &group) {
            None => (election, true),
            Some(stored) => {
                let is_known = stored.says_the_same(&election);
                if stored.contradicts(&election) {
                    self.note(Event::ConflictingLeaders {
                        group: group.clone(),
                        term: stored.term,
                        one: stored.member_id.clone(),
                        other: election.member_id.clone(),
                    });
                    self.dispute(at, kind, stored, &election);
                    if kind == ElectionKind::Leader {
                        let leaders = [stored.member_id.clone(), election.member_id.clone()];
                        self.conflicts.insert(group.clone(), Conflict::new(stored.term, leaders));
                        self.decisions.push_back(Decision::Show);
                    }
                }
                let Merge::News(merged) = stored.merged(election) else { return Ok(false) };
                if merged.says_the_same(stored) {
                    if !is_known {
                        self.echo(now, at, kind, &group);
                    }
                    return Ok(false);
                }
                let is_other = Stored::of(stored) != Stored::of(&merged);
                (merged, is_other)
            }
        };
        let is_over = |conflict: &Conflict| merged.term > conflict.term;
        if kind == ElectionKind::Leader && self.conflicts.get(&group).is_some_and(is_over) {
            self.conflicts.remove(&group);
        }
        let finished = merged.status == Status::Finished;
        let dead = is_dead(at.table.health_of(&merged.member_id));
        let origin = if at.restoring { Origin::DataFile } else { Origin::Ring };
        at.rumors.put_election(origin, kind, merged)?;
        at.rumors.start_election_hot(kind, &group);
        self.touched.insert((kind, group.clone()));
        let watch = self.watch(kind, &group);
        watch.sent(now);
        if is_other {
            watch.replaced(now, dead);
        }
        if finished
            && let Some(took_us) = watch.finish(now)
            && kind == ElectionKind::Leader
        {
            self.decisions.push_back(Decision::Took { group, took_us });
        }
        Ok(true)
    }

    fn wait_for_suitability(
        &mut self,
        now: Now,
        group: &str,
        term: u64,
        restart: Option<Reason>,
        deferred: Vec<Election>,
    ) {
        let waiting = Waiting { term, since: now, restart, deferred };
        self.waiting.insert(group.into(), waiting);
        self.decisions.push_back(Decision::AskSuitability { group: group.into(), term });
    }

    /// The suitability that an election waits for has arrived.
    pub(crate) fn suitability_known(
        &mut self,
        now: Now,
        at: &mut Surroundings<'_>,
        group: &str,
        term: u64,
        value: u64,
    ) {
        if self.waiting.get(group).is_none_or(|waiting| waiting.term != term) {
            return;
        }
        let Some(Waiting { restart, deferred, .. }) = self.waiting.remove(group) else { return };
        let kind = ElectionKind::Leader;
        let mut first = Some(value);
        if let Some(reason) = restart {
            at.rumors.remove_election(kind, group);
            let started = self.start(now, at, kind, group, term, value, reason);
            self.count(started);
            first = None;
        }
        for election in deferred {
            let taken = self.take(now, at, kind, election, first.take());
            self.count(taken.map(drop));
        }
        self.show();
    }

    fn watch(&mut self, kind: ElectionKind, group: &str) -> &mut Watch {
        self.watched.entry((kind, group.into())).or_default()
    }

    fn due_at(&mut self, due: Now) {
        self.due = Some(self.due.map_or(due, |old| old.min(due)));
    }

    fn note(&mut self, event: Event) {
        self.decisions.push_back(Decision::Note(event));
    }

    fn show(&mut self) {
        self.decisions.push_back(Decision::Show);
        self.look();
    }

    fn count(&mut self, result: Result<(), Dropped>) {
        if let Err(dropped) = result {
            self.decisions.push_back(Decision::Count(dropped));
        }
    }
}
