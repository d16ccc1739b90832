//! Rebuilding groups from their old state and the state of the ring.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use roost_ident::{ElectionStatus, MemberHealth};

use crate::{
    census::Entry,
    content,
    group::Group,
    input::{ElectionFact, Input, ServiceFact},
    known::KnownMembers,
    measure::LIMITS,
    member::{Member, Standing, set_gossip_address, set_standing},
    reading::{Budget, Content},
};

/// Decrypts a BOX-1 message, or returns why it is closed.
pub type Decrypt<'a> = &'a mut dyn FnMut(&[u8]) -> Result<Vec<u8>, Closed>;

/// Why a BOX-1 message is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It cannot be opened, for this reason.
    Refused(String),
    /// The caller opens it beside this and updates the census again (see [`Census::waiting`]).
    ///
    /// [`Census::waiting`]: crate::Census::waiting
    Later,
}

/// Context of the rebuild.
pub(crate) struct Context<'a> {
    /// Id of the local Supervisor.
    pub(crate) me: &'a str,
    pub(crate) members: &'a KnownMembers,
    /// Groups visible to local services; `None` for all.
    pub(crate) looked_at: Option<&'a BTreeSet<String>>,
    /// Memory for parsed contents.
    pub(crate) budget: &'a Budget,
    /// The caller parses contents.
    pub(crate) read_beside: bool,
}

impl Context<'_> {
    /// True when a local service can see the group.
    pub(crate) fn sees(&self, group: &str) -> bool {
        self.looked_at.is_none_or(|groups| groups.contains(group))
    }

    /// An unparsed content.
    pub(crate) fn content(&self, bytes: &[u8], budget: Option<Budget>) -> Arc<Content> {
        let content = Content::new(bytes, LIMITS, budget);
        Arc::new(if self.read_beside { content.beside() } else { content })
    }

    /// True for a content that is parsed, or may be parsed now.
    pub(crate) fn may_ask(&self, content: &Content) -> bool {
        !self.read_beside || content.is_read()
    }
}

/// Applies the state of the ring to these groups; returns log lines.
pub(crate) fn rebuild(
    groups: &mut BTreeMap<String, Entry>,
    context: &Context<'_>,
    input: &Input<'_>,
    decrypt: Decrypt<'_>,
) -> Vec<String> {
    for entry in groups.values_mut() {
        Arc::make_mut(&mut entry.group).changed_service_files.clear();
    }
    take_services(groups, context, input);
    let elections = by_group(&input.elections);
    let update_elections = by_group(&input.update_elections);
    for (name, entry) in groups.iter_mut() {
        let group = Arc::make_mut(&mut entry.group);
        let election = elections.get(name.as_str()).copied();
        let update_election = update_elections.get(name.as_str()).copied();
        if let Some(election) = election {
            group.election_status = election.status;
        }
        if let Some(election) = update_election {
            group.update_election_status = election.status;
        }
        judge_members(group, context, election, update_election);
        find_leaders(group);
    }
    let mut warnings = Vec::new();
    content::take_configs(groups, context, input, decrypt, &mut warnings);
    content::take_files(groups, context, input, decrypt, &mut warnings);
    warnings
}

fn by_group<'a>(facts: &'a [ElectionFact<'a>]) -> HashMap<&'a str, &'a ElectionFact<'a>> {
    facts.iter().map(|fact| (fact.group, fact)).collect()
}

fn take_services(groups: &mut BTreeMap<String, Entry>, context: &Context<'_>, input: &Input<'_>) {
    for fact in &input.services {
        let Some(entry) = groups.get_mut(fact.group.as_str()) else { continue };
        let group = Arc::make_mut(&mut entry.group);
        group.pkg_incarnation = group.pkg_incarnation.max(fact.pkg_incarnation);
        match group.population.get_mut(fact.member_id) {
            Some(member) if member.incarnation == fact.incarnation => {}
            Some(member) => {
                // A new version often has the same exports.
                let cfg = match member.cfg.is_of(fact.cfg) {
                    true => Arc::clone(&member.cfg),
                    false => exports(fact, context),
                };
                *member = Arc::new(Member::new(fact, member.standing, cfg));
            }
            None => {
                let member = Member::new(fact, Standing::default(), exports(fact, context));
                group.population.insert(fact.member_id.into(), Arc::new(member));
            }
        }
    }
}

fn exports(fact: &ServiceFact<'_>, context: &Context<'_>) -> Arc<Content> {
    // Own exports always fit, however much others have sent.
    let budget = (fact.member_id != context.me).then(|| context.budget.clone());
    context.content(fact.cfg, budget)
}

fn judge_members(
    group: &mut Group,
    context: &Context<'_>,
    election: Option<&ElectionFact<'_>>,
    update_election: Option<&ElectionFact<'_>>,
) {
    for member in group.population.values_mut() {
        let mut standing = Standing {
            election_status: group.election_status,
            update_election_status: group.update_election_status,
            ..member.standing
        };
        if let Some(seen) = context.members.seen(&member.member_id) {
            standing.health = Some(seen.health);
            standing.persistent = true;
            set_gossip_address(member, seen);
        } else if member.member_id == context.me {
            standing.health = Some(MemberHealth::Alive);
        }
        if let Some(is_winner) = is_winner(election, member) {
            (standing.leader, standing.follower) = (is_winner, !is_winner);
        }
        if let Some(is_winner) = is_winner(update_election, member) {
            (standing.update_leader, standing.update_follower) = (is_winner, !is_winner);
        }
        set_standing(member, standing);
    }
}

/// Whether this member won the election; `None` while it is not finished.
fn is_winner(election: Option<&ElectionFact<'_>>, member: &Member) -> Option<bool> {
    let election = election.filter(|fact| fact.status == ElectionStatus::Finished)?;
    Some(election.candidate == member.member_id)
}

fn find_leaders(group: &mut Group) {
    let last = |is_leader: fn(&Member) -> bool| {
        let leader = group.population.values().rfind(|member| is_leader(member));
        leader.map(|member| member.member_id.clone())
    };
    let (leader_id, update_leader_id) =
        (last(|member| member.leader), last(|member| member.update_leader));
    group.leader_id = leader_id;
    group.update_leader_id = update_leader_id;
}
