//! Asks the HTTP gateways of all members. One round of a kind at a time, shared by all that ask
//! within two seconds; requests go only where a member announces its gateway, and never further.

mod ask;
mod compare;
mod health;
mod matrix;
mod read;
mod shared;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_api::{
    Problem, Snapshot,
    documents::ring::{
        health::{RingAnswer, RingHealth},
        matrix::RingMatrix,
        members::RingMember,
    },
};
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
    time::timeout,
};

use self::shared::Shared;

/// Members that are asked at the same time, by all rounds together.
const IN_FLIGHT: usize = 32;
/// Time for all of a member's answer.
const MEMBER_PATIENCE: Duration = Duration::from_secs(2);
/// Time for all members; the gateway ends an answer after 10 s.
const ROUND_PATIENCE: Duration = Duration::from_secs(8);

/// What becomes of asking a member.
type Outcome<T> = Result<T, ask::Failure>;

/// Asks the ring. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Fanout {
    health: Shared<RingHealth>,
    matrix: Shared<RingMatrix>,
    slots: Arc<Semaphore>,
    /// Sent to members, in plain text; see [`Fanout::new`].
    token: Option<Arc<str>>,
}

/// A member that can be asked.
#[derive(Debug)]
struct Target {
    id: String,
    gateway: SocketAddr,
}

impl Target {
    fn of(member: &RingMember) -> Option<Self> {
        let gateway = member.http.as_ref()?.parse().ok()?;
        Some(Self { id: member.id.clone(), gateway })
    }
}

/// What a member has come to before it is asked: why it is not, or that there was no time for it.
fn before_asking(member: &RingMember) -> (RingAnswer, &'static str) {
    if member.services.is_empty() {
        (RingAnswer::NoServices, "it announces no services, and so no gateway")
    } else if member.http.is_none() {
        (RingAnswer::NoGateway, "it announces no gateway that can be reached from other machines")
    } else {
        (RingAnswer::NotAsked, "there was no time left to ask it")
    }
}

/// What a member answered.
#[derive(Debug)]
struct Answer<T> {
    id: String,
    outcome: Outcome<T>,
    took: Duration,
}

impl Fanout {
    /// `token` is that of the own gateway. It `may_leave` when the ring has a key, because
    /// otherwise anyone could announce an address for it, and when gateways have no TLS, because
    /// members are asked in plain text.
    pub(crate) fn new(token: Option<&str>, may_leave: bool) -> Self {
        let token = token.filter(|token| may_leave && !token.is_empty()).map(Arc::from);
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        Self { health: Shared::default(), matrix: Shared::default(), slots, token }
    }

    /// The health of the ring, from a round that ended at most two seconds ago.
    pub(crate) async fn health(&self, snapshot: Arc<Snapshot>) -> Result<Arc<RingHealth>, Problem> {
        let fanout = self.clone();
        self.health.get(async move { health::round(&snapshot, &fanout).await }).await
    }

    /// How the members see each other, from a round that ended at most two seconds ago.
    pub(crate) async fn matrix(&self, snapshot: Arc<Snapshot>) -> Result<Arc<RingMatrix>, Problem> {
        let fanout = self.clone();
        self.matrix.get(async move { matrix::round(&snapshot, &fanout).await }).await
    }

    /// Asks all of these, in this order, and passes on what becomes of each. Those that are not
    /// passed on by the end of the round were not asked, or not to the end.
    async fn ask<T, Q, F>(&self, targets: Vec<Target>, question: Q, mut take: impl FnMut(Answer<T>))
    where
        T: Send + 'static,
        Q: Fn(Target, Option<Arc<str>>) -> F,
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        let mut pass_on = |ended: Result<Answer<T>, JoinError>| {
            if let Ok(answer) = ended {
                take(answer);
            }
        };
        let collect = async {
            for target in targets {
                // The semaphore is never closed.
                let slot = Arc::clone(&self.slots).acquire_owned().await;
                let (id, gateway) = (target.id.clone(), target.gateway);
                let answer = question(target, self.token.clone());
                asked.spawn(async move {
                    let _slot = slot;
                    let begun = Instant::now();
                    let outcome = timeout(MEMBER_PATIENCE, answer).await.unwrap_or_else(|_| {
                        let seconds = MEMBER_PATIENCE.as_secs();
                        let reason =
                            format!("no complete answer from {gateway} within {seconds} s");
                        Err(ask::Failure::new(RingAnswer::Unreachable, reason))
                    });
                    Answer { id, outcome, took: begun.elapsed() }
                });
            }
            while let Some(ended) = asked.join_next().await {
                pass_on(ended);
            }
        };
        // Dropping the set ends the requests that are still open.
        let _ = timeout(ROUND_PATIENCE, collect).await;
        while let Some(ended) = asked.try_join_next() {
            pass_on(ended);
        }
    }
}
