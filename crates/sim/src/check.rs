//! Invariants checked after each step, and counters of events that are allowed.

use std::collections::BTreeMap;

/// Counts and violations of a run.
#[derive(Debug, Default)]
pub struct Checks {
    /// Violated invariants, with their time.
    pub violations: Vec<String>,
    /// A running and reachable member was confirmed as dead.
    pub false_confirmations: u64,
    /// A member that was cut off or paused was confirmed as dead.
    pub confirmations_while_cut: u64,
    /// Dead members confirmed as dead.
    pub true_confirmations: u64,
    /// Members suspected after a failed probe.
    pub suspicions: u64,
    /// Times that two members led one group in one term.
    pub double_leaders: u64,
    /// The group and term that each member leads, by its own state.
    pub(crate) leading: BTreeMap<usize, (String, u64)>,
}

/// Wrong beliefs of honest members.
#[derive(Debug, Default, Clone, Copy)]
pub struct Wrong {
    /// Pairs where one does not believe that the other, running one is alive.
    pub doubts: usize,
    /// The longest member list.
    pub listed: usize,
    /// Forged services in all lists together.
    pub services: usize,
    /// Leaders that lie, do not exist or have no service in their group, over all groups and
    /// members.
    pub leaders: usize,
}

/// The effect of lies.
#[derive(Debug, Default)]
pub struct Harm {
    /// A member lies in this run.
    pub lied: bool,
    /// The members that lie.
    pub liars: Vec<usize>,
    /// At the last count.
    pub now: Wrong,
    /// The most at any count.
    pub most: Wrong,
    /// The highest incarnation that an honest member was driven to.
    pub incarnation: u64,
}
