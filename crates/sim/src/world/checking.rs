//! Checks what must hold, and counts what may happen.

use std::collections::BTreeMap;

use roost_ring::{Health, Now, Status};

use super::World;
use crate::{
    check::Wrong,
    fault::group_name,
    liar::FORGED_PACKAGE,
    node::{Node, id_of},
};

/// A view counts as stable when it did not change for this long, in milliseconds.
const STABLE_MS: u64 = 30_000;
/// Time that a member that came back, or a healed network, gets before a death that others had
/// planned counts as wrong, in milliseconds.
const GRACE_MS: u64 = 15_000;

impl World {
    /// Checks a member after each of its steps.
    pub fn check_member(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let Some(ring) = &node.ring else { return };
        if ring.incarnation() < node.incarnation {
            let was = node.incarnation;
            self.violate(&format!("member {number}: incarnation decreased from {was}"));
        } else {
            node.incarnation = ring.incarnation();
        }
        for group in 0..self.groups {
            self.check_leader(number, &group_name(group));
        }
        let Some(ring) = &self.nodes[number].ring else { return };
        if ring.tally().0 > self.members_max {
            let limit = self.members_max;
            self.violate(&format!("member {number} lists more than {limit} members"));
        }
    }

    fn check_leader(&mut self, number: usize, group: &str) {
        let me = id_of(number);
        let election = self.nodes[number].ring.as_ref().and_then(|ring| ring.election(group));
        let leads = election
            .filter(|election| election.status == Status::Finished && election.member_id == me)
            .map(|election| (group.to_owned(), election.term));
        let Some(leads) = leads else {
            if self.checks.leading.get(&number).is_some_and(|(led, _)| led == group) {
                self.checks.leading.remove(&number);
            }
            return;
        };
        if self.checks.leading.get(&number) == Some(&leads) {
            return;
        }
        let rivals: Vec<usize> = self
            .checks
            .leading
            .iter()
            .filter(|(other, led)| **other != number && **led == leads)
            .map(|(other, _)| *other)
            .filter(|other| self.nodes[*other].ring.is_some())
            .collect();
        for rival in rivals {
            self.checks.double_leaders += 1;
            let reachable = self.net.connects(number, rival);
            // a liar may name any leaders
            let told = !self.harm.lied;
            if told && reachable && self.is_stable(number) && self.is_stable(rival) {
                let (group, term) = &leads;
                let text = format!("members {number} and {rival} both lead {group} in term {term}");
                self.violate(&text);
            }
        }
        self.checks.leading.insert(number, leads);
    }

    fn is_stable(&self, number: usize) -> bool {
        self.nodes[number].changed_at.plus_ms(STABLE_MS) <= self.now
    }

    /// A member confirmed another one as dead.
    pub fn count_confirmation(&mut self, by: usize, about: usize) {
        let alive = self.nodes[about].ring.is_some();
        let returned_at = self.nodes[about].paused_until.max(self.healed_at);
        let paused = returned_at.0 > 0 && returned_at.plus_ms(GRACE_MS) > self.now;
        if !alive || self.nodes[about].gone {
            self.checks.true_confirmations += 1;
        } else if paused || !self.net.connects(by, about) || !self.share_key(by, about) {
            self.checks.confirmations_while_cut += 1;
        } else {
            self.checks.false_confirmations += 1;
        }
    }

    /// Records a violation.
    pub fn violate(&mut self, what: &str) {
        self.trace(|| format!("VIOLATION {what}"));
        let at = self.now.0 / 1000;
        if self.checks.violations.len() < 20 {
            self.checks.violations.push(format!("at {at} ms: {what}"));
        }
    }

    /// True when all running members with the ring's key list each other as alive, and no others.
    /// Those with another key may form several separate rings.
    #[must_use]
    pub fn all_agree(&self) -> bool {
        let members = || self.nodes.iter().filter(|node| node.ring.is_some() && !node.wrong_key);
        let running = members().count();
        members().filter(|node| !node.gone).filter_map(|node| node.ring.as_ref()).all(|ring| {
            let (_, tally) = ring.tally();
            tally.alive == running && tally.suspect == 0
        })
    }

    /// True when all running members have the same leader of a group, in the same term.
    #[must_use]
    pub fn one_leader(&self, group: &str) -> bool {
        let mut seen = None;
        let members = self.nodes.iter().filter(|node| !node.gone && !node.wrong_key);
        for ring in members.filter_map(|node| node.ring.as_ref()) {
            let Some(election) = ring.election(group) else { return false };
            let this = (&election.member_id, election.term, election.status);
            if election.status != Status::Finished || *seen.get_or_insert(this) != this {
                return false;
            }
            if ring.health_of(&election.member_id) != Some(Health::Alive) {
                return false;
            }
        }
        true
    }

    /// The latest term of all known elections.
    #[must_use]
    pub fn last_term(&self) -> Option<u64> {
        let rings = self.nodes.iter().filter_map(|node| node.ring.as_ref());
        let terms = rings.flat_map(|ring| {
            let groups = (0..self.groups).map(group_name);
            groups.filter_map(|group| ring.election(&group).map(|election| election.term))
        });
        terms.max()
    }

    /// The views of a group's election: member (`*` when it participates), candidate, term, status.
    #[must_use]
    pub fn views_of(&self, group: &str) -> String {
        let mut views: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(ring) = &node.ring else { continue };
            let part = if ring.service(group, &id_of(number)).is_some() { "*" } else { "" };
            let view = ring.election(group).map_or_else(
                || "nothing".into(),
                |election| {
                    let candidate = self.number_of_id(&election.member_id);
                    let (term, status) = (election.term, election.status);
                    let votes: Vec<_> =
                        election.votes.iter().map(|vote| self.number_of_id(vote)).collect();
                    format!(
                        "{candidate:?} term {term} {status:?} suitability {} votes {votes:?}",
                        election.suitability
                    )
                },
            );
            views.entry(view).or_default().push(format!("{number}{part}"));
        }
        format!("{views:#?}")
    }

    /// Members that some others do not list as alive.
    #[must_use]
    pub fn disagreements(&self) -> String {
        let mut lines = Vec::new();
        for (number, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.ring.is_some()) {
            let id = id_of(number);
            let doubters: Vec<String> = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(by, node)| !node.wrong_key && self.share_key(*by, number))
                .filter_map(|(by, node)| Some((by, node.ring.as_ref()?.health_of(&id))))
                .filter(|(_, health)| *health != Some(Health::Alive))
                .map(|(by, health)| format!("{by} {health:?}"))
                .collect();
            if !doubters.is_empty() {
                lines.push(format!("{number}: {}", doubters.join(", ")));
            }
        }
        let strangers = |(number, node): (usize, &Node)| {
            let alive = node.ring.as_ref()?.tally().1.alive;
            (alive > self.nodes.len()).then(|| format!("{number} lists {alive} alive"))
        };
        lines.extend(self.nodes.iter().enumerate().filter_map(strangers));
        lines.join("; ")
    }

    /// Counts wrong beliefs of the members.
    pub fn count_harm(&mut self) {
        let mut wrong = Wrong::default();
        let honest = |number: &usize| {
            let node = &self.nodes[*number];
            let misled = node.gone || node.wrong_key || self.harm.liars.contains(number);
            node.ring.is_some() && !misled
        };
        let honest: Vec<usize> = (0..self.nodes.len()).filter(honest).collect();
        let ids: Vec<_> = (0..self.nodes.len()).map(id_of).collect();
        for number in &honest {
            let Some(ring) = &self.nodes[*number].ring else { continue };
            let doubted = |other: &&usize| {
                *other != number && ring.health_of(&ids[**other]) != Some(Health::Alive)
            };
            wrong.doubts += honest.iter().filter(doubted).count();
            wrong.listed = wrong.listed.max(ring.tally().0);
            self.harm.incarnation = self.harm.incarnation.max(ring.incarnation());
            let groups: Vec<String> = (0..self.groups).map(group_name).collect();
            for group in &groups {
                let forged = |id| ring.service(group, id).is_some_and(|s| s.pkg == FORGED_PACKAGE);
                wrong.services += ids.iter().filter(|id| forged(id)).count();
                let leader = ring.election(group).filter(|e| e.status == Status::Finished);
                wrong.leaders += usize::from(leader.is_some_and(|leader| {
                    let known = self.number_of_id(&leader.member_id);
                    let service = ring.service(group, &leader.member_id);
                    known.is_none_or(|number| self.harm.liars.contains(&number))
                        || service.is_none_or(|service| service.pkg == FORGED_PACKAGE)
                }));
            }
        }
        self.harm.now = wrong;
        let most = &mut self.harm.most;
        most.doubts = most.doubts.max(wrong.doubts);
        most.listed = most.listed.max(wrong.listed);
        most.services = most.services.max(wrong.services);
        most.leaders = most.leaders.max(wrong.leaders);
    }

    /// Simulated time, in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.now.micros_since(Now(0)) / 1000
    }
}
