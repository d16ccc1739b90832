//! Checks of `monitor.toml` that are not hooks, as tasks beside the Supervisor's.
//!
//! Each has a total time limit and bounded memory. What they connect to is foreign: a bug that it
//! reveals fails one check.

mod connect;
mod http;
mod tcp;
mod tls;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_fleet::{FleetEvent, ProbeRun, Release};
use roost_ident::HealthStatus;
use roost_service::{Probe, ProbeFound, monitor::Target};
use tokio::{sync::Semaphore, task::AbortHandle, time::timeout};

use self::connect::Lookups;
use crate::vital;

/// Checks of all services at once; further ones wait.
const AT_ONCE: usize = 128;
/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The checks that run, by service.
#[derive(Debug)]
pub(crate) struct Probes {
    running: BTreeMap<String, Vec<AbortHandle>>,
    places: Arc<Semaphore>,
    lookups: Lookups,
}

impl Probes {
    pub(crate) fn new() -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Self { running: BTreeMap::new(), places, lookups: Lookups::new() }
    }

    /// Starts a check; `answer` gets what it finds.
    pub(crate) fn run<R: Release + Send + 'static>(
        &mut self,
        run: ProbeRun,
        answer: impl FnOnce(FleetEvent<R>) + Send + 'static,
    ) {
        let ProbeRun { service, round, place, probe } = run;
        let (places, lookups, name) =
            (Arc::clone(&self.places), self.lookups.clone(), probe.name.clone());
        let check = tokio::spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            check(&probe, &lookups).await
        });
        let running = self.running.entry(service.clone()).or_default();
        running.retain(|task| !task.is_finished());
        running.push(check.abort_handle());
        vital::spawn("checks", async move {
            let found = match check.await {
                Ok(found) => found,
                Err(error) if error.is_cancelled() => return,
                Err(_) => {
                    let text = format!("{name}: this is a bug in Roost, please report it");
                    ProbeFound { status: HealthStatus::Unknown, text, duration_ms: 0 }
                }
            };
            answer(FleetEvent::Probed { service, round, place, found });
        });
    }

    /// Stops the checks of a service.
    pub(crate) fn end(&mut self, service: &str) {
        for task in self.running.remove(service).unwrap_or_default() {
            task.abort();
        }
    }
}

async fn check(probe: &Probe, lookups: &Lookups) -> ProbeFound {
    let started = Instant::now();
    let limit = Duration::from_millis(probe.timeout_ms);
    let result = match &probe.target {
        Target::Http(target) => timeout(limit, http::check(target, lookups)).await,
        Target::Tcp(target) => timeout(limit, tcp::check(target, lookups)).await,
    };
    let result = result.unwrap_or_else(|_| {
        let seconds = probe.timeout_ms / 1_000;
        Err(match &probe.target {
            Target::Http(target) => format!("no answer within {seconds} s from {}", target.url),
            Target::Tcp(target) => format!("no answer within {seconds} s from {}", target.address),
        })
    });
    let (status, text) = match result {
        Ok(text) => (HealthStatus::Ok, text),
        Err(text) => (HealthStatus::Critical, text),
    };
    let text = format!("{}: {text}", probe.name);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    ProbeFound { status, text, duration_ms }
}

/// The first line of an answer that is not blank, safe to show.
fn first_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(roost_service::excerpt::one_line);
    lines.find(|line| !line.is_empty())
}

/// True when the bytes contain the text.
fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests;
