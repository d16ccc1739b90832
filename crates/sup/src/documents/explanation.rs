//! `/v1/services/{sg}/explain`: the facts that an explanation is made of, and its document.

use std::collections::BTreeMap;

use roost_api::documents::explain::{Explanation, Remedy, Step};
use roost_census::{Census, Member};
use roost_fleet::{Fleet, Service};
use roost_ident::{MemberHealth, ServiceGroup, Topology, time::rfc3339_ms};
use roost_service::{
    ServiceState, Status,
    explain::{Facts, Voter, explain},
};

use crate::{services::built::Built, stops::Stops};

/// What is known of one service, by value.
struct Known<'a> {
    service: &'a Service<Built>,
    status: Status,
    voters: Vec<Voter>,
    /// The command that stopped it.
    stopped_by: Option<String>,
}

impl<'a> Known<'a> {
    fn of(service: &'a Service<Built>, census: &Census, stops: &Stops) -> Self {
        let is_led = service.spec().topology == Topology::Leader;
        let voters = if is_led { voters(census, service.group()) } else { Vec::new() };
        Self {
            service,
            status: service.status(),
            voters,
            stopped_by: stops.of(service.group().as_str()),
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            group: self.service.group(),
            spec: self.service.spec(),
            status: &self.status,
            binds: self.service.bind_reports(),
            voters: &self.voters,
            unread: self.service.unread(),
            stopped_by: self.stopped_by.as_deref(),
        }
    }
}

/// The members of a group that take part in its elections: those in the member list, which a
/// Supervisor joins when it meets another one.
pub(super) fn voters(census: &Census, group: &ServiceGroup) -> Vec<Voter> {
    let Some(group) = census.group(group) else { return Vec::new() };
    let voter = |member: &Member| {
        let is_listed =
            |health: &MemberHealth| member.persistent && *health != MemberHealth::Departed;
        let health = member.health.filter(is_listed)?;
        let name = format!("{} {}", member.sys.hostname, member.sys.gossip_ip);
        Some(Voter {
            member_id: member.member_id.clone(),
            name: roost_text::shown(name.trim()).into_owned(),
            health,
        })
    };
    group.population.values().filter_map(|member| voter(member)).collect()
}

/// The services of this Supervisor that one waits for, and those that they wait for, by group.
fn waited_for<'a>(
    fleet: &'a Fleet<Built>,
    known: &Known<'a>,
    stops: &Stops,
) -> BTreeMap<&'a str, Known<'a>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![(known.service, known.status.state)];
    while let Some((service, state)) = waiting.pop() {
        if state != ServiceState::Blocked {
            continue;
        }
        for bind in &service.spec().binds {
            // The name of a service is unique on a machine.
            let other = fleet.service(bind.group.service());
            let Some(other) = other.filter(|other| *other.group() == bind.group) else { continue };
            if !found.contains_key(other.group().as_str()) {
                let known = Known::of(other, fleet.census(), stops);
                waiting.push((other, known.status.state));
                found.insert(other.group().as_str(), known);
            }
        }
    }
    found
}

/// Explains a service of the fleet.
pub(crate) fn document(
    fleet: &Fleet<Built>,
    service: &Service<Built>,
    stops: &Stops,
    redact: bool,
) -> Explanation {
    let known = Known::of(service, fleet.census(), stops);
    let others = waited_for(fleet, &known, stops);
    let look_up = |group: &str| others.get(group).map(Known::facts);
    let roost_service::Explanation { answer, chain, remedies } =
        explain(&known.facts(), &look_up, redact);
    Explanation {
        id: service.group().to_string(),
        answer,
        chain: chain
            .into_iter()
            .map(|step| Step {
                code: step.code,
                evidence: step.evidence(redact),
                since: rfc3339_ms(step.since_unix_ms),
                message: step.message,
            })
            .collect(),
        remedies: remedies
            .into_iter()
            .map(|remedy| Remedy { text: remedy.text, command: remedy.command })
            .collect(),
    }
}
