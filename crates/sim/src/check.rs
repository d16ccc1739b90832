//! What must hold after each step, and what is counted because it may happen.

use std::collections::BTreeMap;

use roost_ring::{Health, Now, Status};

use crate::{node::id_of, world::World};

/// A view counts as stable when it did not change for this long, in milliseconds.
const STABLE_MS: u64 = 30_000;

/// A member that came back, or a network that was healed, is given this long before a death
/// that others had in mind counts as wrong, in milliseconds.
const GRACE_MS: u64 = 15_000;

/// Counts and violations of a run.
#[derive(Debug, Default)]
pub struct Checks {
    /// What must not happen, with the time at which it did.
    pub violations: Vec<String>,
    /// A running and reachable member was declared dead by somebody.
    pub false_confirmations: u64,
    /// The same, of a member that was cut off or paused.
    pub confirmations_while_cut: u64,
    /// Dead members declared dead.
    pub true_confirmations: u64,
    /// Members suspected by a probe of their own failing.
    pub suspicions: u64,
    /// Times that two members led one group in one term.
    pub double_leaders: u64,
    /// Who leads which group in which term, by its own word.
    leading: BTreeMap<usize, (String, u64)>,
}

impl World {
    /// Looks at a member after each of its steps.
    pub fn check_member(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        let Some(ring) = &node.ring else { return };
        if ring.incarnation() < node.incarnation {
            let was = node.incarnation;
            self.violate(&format!("member {number}: incarnation fell from {was}"));
        } else {
            node.incarnation = ring.incarnation();
        }
        for group in 0..self.groups {
            self.check_leader(number, &format!("group{group}.default"));
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
            if self.net.connects(number, rival) && self.is_stable(number) && self.is_stable(rival) {
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

    /// Somebody declared a member dead.
    pub fn count_confirmation(&mut self, by: usize, about: usize) {
        let alive = self.nodes[about].ring.is_some();
        let returned_at = self.nodes[about].paused_until.max(self.healed_at);
        let paused = returned_at.0 > 0 && returned_at.plus_ms(GRACE_MS) > self.now;
        if !alive || self.nodes[about].departed {
            self.checks.true_confirmations += 1;
        } else if paused || !self.net.connects(by, about) {
            self.checks.confirmations_while_cut += 1;
        } else {
            self.checks.false_confirmations += 1;
        }
    }

    /// Notes something that must not happen.
    pub fn violate(&mut self, what: &str) {
        self.trace(|| format!("VIOLATION {what}"));
        let at = self.now.0 / 1000;
        if self.checks.violations.len() < 20 {
            self.checks.violations.push(format!("at {at} ms: {what}"));
        }
    }

    /// True when all that run list each other as alive, and nobody else.
    #[must_use]
    pub fn all_agree(&self) -> bool {
        let running = self.nodes.iter().filter(|node| node.ring.is_some()).count();
        self.nodes.iter().filter_map(|node| node.ring.as_ref()).all(|ring| {
            let (_, tally) = ring.tally();
            tally.alive == running && tally.suspect == 0
        })
    }

    /// True when all that run name the same leader of a group, in the same term.
    #[must_use]
    pub fn one_leader(&self, group: &str) -> bool {
        let mut seen = None;
        for ring in self.nodes.iter().filter_map(|node| node.ring.as_ref()) {
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

    /// Who sees which election of a group: member (`*` when it takes part), candidate, term,
    /// status.
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

    /// Members that some others do not see alive.
    #[must_use]
    pub fn disagreements(&self) -> String {
        let mut lines = Vec::new();
        for (number, _) in self.nodes.iter().enumerate().filter(|(_, node)| node.ring.is_some()) {
            let id = id_of(number);
            let doubters: Vec<String> = self
                .nodes
                .iter()
                .enumerate()
                .filter_map(|(by, node)| Some((by, node.ring.as_ref()?.health_of(&id))))
                .filter(|(_, health)| *health != Some(Health::Alive))
                .map(|(by, health)| format!("{by} {health:?}"))
                .collect();
            if !doubters.is_empty() {
                lines.push(format!("{number}: {}", doubters.join(", ")));
            }
        }
        lines.join("; ")
    }

    /// How many running members know that a member has this health or worse.
    #[must_use]
    pub fn aware_of(&self, about: usize, health: Health) -> usize {
        let id = id_of(about);
        self.nodes
            .iter()
            .filter_map(|node| node.ring.as_ref())
            .filter(|ring| ring.health_of(&id).is_some_and(|known| known >= health))
            .count()
    }

    /// Simulated time, in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.now.micros_since(Now(0)) / 1000
    }
}
