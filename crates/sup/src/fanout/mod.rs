//! Asks the HTTP gateways of all members. One round at a time, shared by all that ask within two
//! seconds; requests go only where a member announces its gateway, and never further.

mod ask;
mod read;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_api::{
    Code, Problem, Snapshot,
    documents::ring::{
        health::{RingAnswer, RingHealth, RingMemberHealth, RingServiceHealth, RingSource},
        members::{MemberState, RingMember},
    },
};
use roost_ident::{DesiredState, time::rfc3339_ms};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::timeout,
};

use crate::clock::unix_ms;

/// How long an answer is shared.
const SHARED: Duration = Duration::from_secs(2);
/// Members that are asked at the same time.
const IN_FLIGHT: usize = 32;
/// Time for all of a member's answer.
const MEMBER_PATIENCE: Duration = Duration::from_secs(2);
/// Time for all members; the gateway ends an answer after 10 s.
const ROUND_PATIENCE: Duration = Duration::from_secs(8);

/// What becomes of asking a member.
type Outcome = Result<ask::Told, ask::Failure>;

/// The last time that all members were asked.
#[derive(Debug)]
struct Round {
    ended: Instant,
    health: Arc<RingHealth>,
}

/// Asks the ring. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Fanout {
    last: Arc<Mutex<Option<Round>>>,
    /// Sent to members, in plain text; see [`Fanout::new`].
    token: Option<Arc<str>>,
}

impl Fanout {
    /// `token` is that of the own gateway. It `may_leave` when the ring has a key, because
    /// otherwise anyone could announce an address for it, and when gateways have no TLS, because
    /// members are asked in plain text.
    pub(crate) fn new(token: Option<&str>, may_leave: bool) -> Self {
        let token = token.filter(|token| may_leave && !token.is_empty()).map(Arc::from);
        Self { last: Arc::default(), token }
    }

    /// The health of the ring, at most two seconds old.
    pub(crate) async fn health(&self, snapshot: Arc<Snapshot>) -> Result<Arc<RingHealth>, Problem> {
        let fanout = self.clone();
        // A round goes on for the others when the client that began it leaves.
        let round = tokio::spawn(async move {
            let mut last = fanout.last.lock().await;
            if let Some(Round { ended, health }) = &*last
                && ended.elapsed() < SHARED
            {
                return Arc::clone(health);
            }
            let health = Arc::new(round(&snapshot, fanout.token.as_ref()).await);
            *last = Some(Round { ended: Instant::now(), health: Arc::clone(&health) });
            health
        });
        round.await.map_err(|_| Code::Unavailable.into())
    }
}

/// Asks all members of a snapshot.
async fn round(snapshot: &Snapshot, token: Option<&Arc<str>>) -> RingHealth {
    let at = rfc3339_ms(unix_ms());
    let present = snapshot.ring().members.iter().map(|(_, member)| member);
    let present = present.filter(|member| member.state != MemberState::Departed);
    let mut members: BTreeMap<String, RingMemberHealth> =
        present.map(|member| (member.id.clone(), unasked(snapshot, member))).collect();
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut asked = JoinSet::new();
    for (_, member) in &snapshot.ring().members {
        let is_open = members.get(&member.id).is_some_and(|it| it.result == RingAnswer::NotAsked);
        let Some(gateway) = member.http.as_ref().and_then(|it| it.parse().ok()) else { continue };
        if !is_open {
            continue;
        }
        let (id, token, slots) = (member.id.clone(), token.cloned(), Arc::clone(&slots));
        asked.spawn(async move {
            // The semaphore is never closed.
            let _slot = slots.acquire().await;
            let begun = Instant::now();
            let told = timeout(MEMBER_PATIENCE, ask::member(gateway, &id, token.as_deref())).await;
            let outcome = told.unwrap_or_else(|_| {
                let seconds = MEMBER_PATIENCE.as_secs();
                let reason = format!("no complete answer from {gateway} within {seconds} s");
                Err(ask::Failure::new(RingAnswer::Unreachable, reason))
            });
            (id, outcome, begun.elapsed())
        });
    }
    let collect = async {
        while let Some(ended) = asked.join_next().await {
            let Ok((id, outcome, took)) = ended else { continue };
            if let Some(member) = members.get_mut(&id) {
                take(member, outcome, took);
            }
        }
    };
    // What is not there by then stays as not asked; dropping the set ends its requests.
    let _ = timeout(ROUND_PATIENCE, collect).await;
    let members: Vec<_> = members.into_values().collect();
    let partial = members
        .iter()
        .any(|member| !matches!(member.result, RingAnswer::Answered | RingAnswer::NoServices));
    RingHealth { at, partial, members }
}

/// A member before it is asked, or what is known without asking.
fn unasked(snapshot: &Snapshot, member: &RingMember) -> RingMemberHealth {
    let known = RingMemberHealth {
        id: member.id.clone(),
        hostname: member.hostname.clone(),
        state: member.state,
        announced: member.services.clone(),
        ..RingMemberHealth::default()
    };
    let without = |result, reason: &str| RingMemberHealth {
        result,
        reason: Some(reason.into()),
        ..known.clone()
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
    match member.state {
        MemberState::Confirmed => without(RingAnswer::Dead, "it is dead in the ring"),
        _ if member.services.is_empty() => {
            without(RingAnswer::NoServices, "it announces no services, and so no gateway")
        }
        _ if member.http.is_none() => without(
            RingAnswer::NoGateway,
            "it announces no gateway that can be reached from other machines",
        ),
        _ => without(RingAnswer::NotAsked, "there was no time left to ask it"),
    }
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

fn take(member: &mut RingMemberHealth, outcome: Outcome, took: Duration) {
    match outcome {
        Ok(told) => {
            member.result = RingAnswer::Answered;
            member.reason = None;
            member.source = Some(told.source);
            member.at = Some(rfc3339_ms(unix_ms()));
            member.took_ms = u64::try_from(took.as_millis()).ok();
            member.version = told.version;
            member.services = told.services;
        }
        Err(failure) => {
            member.result = failure.result;
            member.reason = Some(failure.reason);
        }
    }
}
