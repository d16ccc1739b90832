//! `/v1/ring/health`: the services of all members.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use roost_api::{
    Snapshot,
    documents::ring::{
        health::{RingAnswer, RingHealth, RingMemberHealth, RingServiceHealth, RingSource},
        members::{MemberState, RingMember},
    },
};
use roost_ident::{DesiredState, time::rfc3339_ms};

use super::{
    Fanout, Outcome, Target,
    ask::{self, MemberServices},
    before_asking,
};
use crate::clock::unix_ms;

/// Asks all members of a snapshot.
pub(super) async fn round(snapshot: &Snapshot, fanout: &Fanout) -> RingHealth {
    let at = rfc3339_ms(unix_ms());
    let present = snapshot.ring().members.iter().map(|(_, member)| member);
    let present: Vec<_> = present.filter(|member| member.state != MemberState::Departed).collect();
    let mut members: BTreeMap<String, RingMemberHealth> =
        present.iter().map(|member| (member.id.clone(), unasked(snapshot, member))).collect();
    let is_open = |member: &&&RingMember| {
        members.get(&member.id).is_some_and(|it| it.result == RingAnswer::NotAsked)
    };
    let targets = present.iter().filter(is_open).filter_map(|member| Target::of(member)).collect();
    let question = |target: Target, token: Option<Arc<str>>| async move {
        ask::services(target.gateway, &target.id, token.as_deref()).await
    };
    fanout
        .ask(targets, question, |answer| {
            if let Some(member) = members.get_mut(&answer.id) {
                take(member, answer.outcome, answer.took);
            }
        })
        .await;
    let members: Vec<_> = members.into_values().collect();
    let partial = members
        .iter()
        .any(|member| !matches!(member.result, RingAnswer::Answered | RingAnswer::NoServices));
    RingHealth { at, partial, members }
}

/// The entry of a member that has not answered yet; of this Supervisor, its own services.
fn unasked(snapshot: &Snapshot, member: &RingMember) -> RingMemberHealth {
    let known = RingMemberHealth {
        id: member.id.clone(),
        hostname: member.hostname.clone(),
        state: member.state,
        announced: member.services.clone(),
        ..RingMemberHealth::default()
    };
    if member.own {
        return RingMemberHealth {
            result: RingAnswer::Answered,
            source: Some(RingSource::Own),
            at: Some(rfc3339_ms(unix_ms())),
            took_ms: Some(0),
            version: member.version.clone(),
            services: own_services(snapshot),
            ..known
        };
    }
    let (result, reason) = match member.state {
        MemberState::Confirmed => (RingAnswer::Dead, "it is dead in the ring"),
        _ => before_asking(member),
    };
    RingMemberHealth { result, reason: Some(reason.into()), ..known }
}

fn own_services(snapshot: &Snapshot) -> Vec<RingServiceHealth> {
    let services = snapshot.services().iter().map(|entry| {
        let service = &entry.v1_documents().service;
        RingServiceHealth {
            id: service.id.clone(),
            state: service.state,
            stopped: entry.document().desired_state == DesiredState::Down,
            health: service.health,
            why: service.why.clone(),
        }
    });
    services.collect()
}

fn take(member: &mut RingMemberHealth, outcome: Outcome<MemberServices>, took: Duration) {
    match outcome {
        Ok(answer) => {
            member.result = RingAnswer::Answered;
            member.reason = None;
            member.source = Some(answer.source);
            member.at = Some(rfc3339_ms(unix_ms()));
            member.took_ms = u64::try_from(took.as_millis()).ok();
            member.version = answer.version;
            member.services = answer.services;
        }
        Err(failure) => {
            member.result = failure.result;
            member.reason = Some(failure.reason);
        }
    }
}
