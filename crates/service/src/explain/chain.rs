//! The causes, from the effect to the root.

use std::collections::BTreeSet;

use roost_ident::{BindState, MemberHealth, ServiceBind, time::rfc3339_s};

use super::{Facts, Step, Voter};
use crate::{
    binds::BindReport,
    excerpt::Excerpt,
    machine::lack,
    status::ServiceState,
    why::{Reason, ReasonCode},
};

/// Most members that an election's evidence lists.
const VOTERS_MAX: usize = 20;

/// A step, and the service that it is about.
pub(super) struct Link<'a> {
    pub(super) step: Step,
    pub(super) about: Facts<'a>,
    /// The step is about another service than the one that is explained.
    pub(super) is_foreign: bool,
    /// The bind that it is about.
    pub(super) bind: Option<&'a BindReport>,
}

/// All causes of a service.
pub(super) fn links<'a>(
    facts: &Facts<'a>,
    look_up: &dyn Fn(&str) -> Option<Facts<'a>>,
) -> Vec<Link<'a>> {
    let mut seen = BTreeSet::from([facts.group.as_str().to_owned()]);
    of(facts, look_up, &mut seen)
}

fn of<'a>(
    facts: &Facts<'a>,
    look_up: &dyn Fn(&str) -> Option<Facts<'a>>,
    seen: &mut BTreeSet<String>,
) -> Vec<Link<'a>> {
    let own = |step| Link { step, about: *facts, is_foreign: false, bind: None };
    let status = facts.status;
    let mut links = Vec::new();
    match status.state {
        ServiceState::Down => {
            links.push(own(down(facts)));
            links.extend(facts.unread.map(|error| own(unread(facts, error))));
        }
        ServiceState::Blocked => links.extend(blocked(facts, look_up, seen)),
        state => {
            if state == ServiceState::BackingOff {
                links.push(own(backing_off(facts)));
            }
            let cause = status.cause.as_ref();
            links.extend(cause.map(|reason| own(stopping_fact(facts, step(reason)))));
        }
    }
    // A candidate is the effect of what is wrong with it, so conditions come after the cause.
    let is_new = |condition: &&Reason| {
        status.cause.as_ref().is_none_or(|cause| !cause.message.contains(&condition.message))
    };
    links.extend(status.conditions.iter().filter(is_new).map(|it| own(step(it))));
    links
}

fn step(reason: &Reason) -> Step {
    Step {
        code: reason.code,
        message: reason.message.clone(),
        since_unix_ms: reason.since_unix_ms,
        facts: Vec::new(),
        output: reason.evidence.clone(),
    }
}

fn bare(code: ReasonCode, message: String, since_unix_ms: u64) -> Step {
    Step { code, message, since_unix_ms, facts: Vec::new(), output: Excerpt::default() }
}

fn down(facts: &Facts<'_>) -> Step {
    let status = facts.status;
    let exit = status.account.exit.as_ref();
    let since_ms = status.process.state_entered_ms;
    let message = status.account.stopped(facts.stopped_by);
    Step {
        facts: exit.map(crate::account::LastExit::sentence).into_iter().collect(),
        ..bare(ReasonCode::DesiredDown, message, since_ms)
    }
}

/// It could not be read, so it would not start.
fn unread(facts: &Facts<'_>, error: &str) -> Step {
    let code = facts.status.cause.as_ref().map_or(ReasonCode::ConfigError, |cause| cause.code);
    let code = if code == ReasonCode::DesiredDown { ReasonCode::ConfigError } else { code };
    bare(code, format!("it cannot start: {error}"), facts.status.process.state_entered_ms)
}

fn backing_off(facts: &Facts<'_>) -> Step {
    let status = facts.status;
    let ends = [
        status.account.exit.as_ref().map(|exit| exit.at_unix_ms),
        status.account.hook.as_ref().map(|hook| hook.at_unix_ms),
    ];
    let since_ms = ends.into_iter().flatten().max().unwrap_or(status.process.state_entered_ms);
    let message = match status.next_restart_at_s {
        Some(at_s) => {
            format!("it waits until {} for its next start", rfc3339_s(at_s.saturating_mul(1_000)))
        }
        None => "it waits a moment for its next start".into(),
    };
    let restarts = format!("restarts after failures: {}", status.restart_count);
    Step { facts: vec![restarts], ..bare(ReasonCode::BackingOff, message, since_ms) }
}

/// A stop that the system does not permit names the processes that are left.
fn stopping_fact(facts: &Facts<'_>, step: Step) -> Step {
    match (&facts.status.reason, step.code) {
        (Some(reason), ReasonCode::Stopping) => Step { facts: vec![reason.clone()], ..step },
        _ => step,
    }
}

fn blocked<'a>(
    facts: &Facts<'a>,
    look_up: &dyn Fn(&str) -> Option<Facts<'a>>,
    seen: &mut BTreeSet<String>,
) -> Vec<Link<'a>> {
    let since_ms = facts.status.process.state_entered_ms;
    let link = |step, bind| Link { step, about: *facts, is_foreign: false, bind };
    let mut links = Vec::new();
    for bind in &facts.spec.binds {
        let report = report_of(facts.binds, bind);
        if report.is_some_and(BindReport::is_satisfied) {
            continue;
        }
        let (code, message) = match report {
            Some(report) => lack(report),
            None => {
                let text = format!("bind '{}' waits for {}", bind.name, bind.group);
                (ReasonCode::WaitingForBinds, text)
            }
        };
        let needs = match report.map(|report| &report.state) {
            Some(BindState::MissingExports(fields)) => {
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                format!("{}:{} needs {}", bind.name, bind.group, fields.join(", "))
            }
            _ => format!("{}:{}", bind.name, bind.group),
        };
        let step = Step { facts: vec![needs], ..bare(code, message, since_ms) };
        links.push(link(step, report));
        if seen.insert(bind.group.as_str().to_owned())
            && let Some(other) = look_up(bind.group.as_str())
        {
            for mut link in of(&other, look_up, seen) {
                if !link.is_foreign {
                    link.step.message = format!("{}: {}", bind.group, link.step.message);
                }
                link.is_foreign = true;
                links.push(link);
            }
        }
    }
    if links.is_empty() {
        links.extend(election(facts).into_iter().map(|step| link(step, None)));
    }
    links
}

fn report_of<'a>(reports: &'a [BindReport], bind: &ServiceBind) -> Option<&'a BindReport> {
    let is_it =
        |report: &&BindReport| report.name == bind.name && report.group == bind.group.as_str();
    reports.iter().find(is_it)
}

/// Members needed for a quorum: more than half (reference: ring §10.1).
pub(super) fn quorum(voters: &[Voter]) -> usize {
    voters.len() / 2 + 1
}

pub(super) fn alive(voters: &[Voter]) -> usize {
    voters.iter().filter(|voter| voter.health == MemberHealth::Alive).count()
}

/// Its group has no leader. An election that goes on ends only with a quorum, which may be lost
/// meanwhile.
fn election(facts: &Facts<'_>) -> Vec<Step> {
    let (status, voters) = (facts.status, facts.voters);
    let since_ms = status.process.state_entered_ms;
    let step =
        |code, message: String| Step { facts: listed(voters), ..bare(code, message, since_ms) };
    let is_lost = status.cause.as_ref().is_some_and(|cause| cause.code == ReasonCode::NoQuorum);
    let mut steps = Vec::new();
    if !is_lost {
        let message = "it waits for its group to elect a leader";
        steps.push(step(ReasonCode::ElectionInProgress, message.into()));
    }
    if voters.is_empty() && is_lost {
        let message = "this Supervisor has not met another member of the ring, without which \
                       there is no election";
        steps.push(step(ReasonCode::NoQuorum, message.into()));
    } else if !voters.is_empty() && (is_lost || alive(voters) < quorum(voters)) {
        let message = format!(
            "{} of {} members of its group are alive, and an election needs {}",
            alive(voters),
            voters.len(),
            quorum(voters)
        );
        steps.push(step(ReasonCode::NoQuorum, message));
    }
    steps
}

fn listed(voters: &[Voter]) -> Vec<String> {
    let line =
        |voter: &Voter| format!("{} ({}): {}", voter.name, voter.member_id, voter.health.lower());
    let mut lines: Vec<String> = voters.iter().take(VOTERS_MAX).map(line).collect();
    if voters.len() > VOTERS_MAX {
        lines.push(format!("and {} more", voters.len() - VOTERS_MAX));
    }
    lines
}
