//! What the HTTP gateway answers beside its snapshots: each method of [`Live`] starts the work that
//! makes one answer. The Supervisor's task is not involved, unless a method asks it.

mod lines;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use roost_api::{
    Ask, Code, Live,
    documents::{
        Stats, StatsList, SupervisorV1,
        availability::{AvailabilityV1, TimelineV1},
        probe::Check,
    },
    live::{Chunks, Pending, Reply},
};
use roost_journal::Record;

use crate::{
    availability,
    conditions::Conditions,
    documents::{
        supervisor::{self, Facts},
        usage,
    },
    fanout::Fanout,
    history::{self, View},
    output::Output,
    self_checks::SelfChecks,
    usages::Usages,
};

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Answers {
    /// `FS_ROOT`.
    pub(crate) root: PathBuf,
    /// What happened.
    pub(crate) record: Record,
    /// How events are shown.
    pub(crate) view: View,
    pub(crate) usages: Usages,
    pub(crate) output: Output,
    pub(crate) conditions: Conditions,
    pub(crate) self_checks: SelfChecks,
    pub(crate) fanout: Fanout,
    /// Known once all ports are open.
    pub(crate) facts: Arc<OnceLock<Facts>>,
}

impl Live for Answers {
    fn log(&self, line: &str) {
        self.output.sup(line);
    }

    fn lines(&self, ask: Ask) -> Pending<Chunks> {
        lines::answer(&self.root, &ask)
    }

    fn events(&self, ask: Ask) -> Pending<Reply> {
        history::page(&self.record, self.view, &ask)
    }

    fn availability(&self, ask: Ask) -> Pending<AvailabilityV1> {
        availability::of(&self.record, self.view, &ask)
    }

    fn timeline(&self, ask: Ask) -> Pending<TimelineV1> {
        availability::timeline(&self.record, &ask)
    }

    fn event_stream(&self, ask: Ask) -> Pending<Chunks> {
        history::stream(&self.record, self.view, &ask)
    }

    fn all_stats(&self, ask: Ask) -> Pending<StatsList> {
        let usages = self.usages.clone();
        Box::pin(async move {
            let snapshot = ask.snapshot.ok_or(Code::Starting)?;
            let sample = usages.sample().await;
            Ok(usage::all_stats(&snapshot, &sample))
        })
    }

    fn stats(&self, ask: Ask) -> Pending<Stats> {
        let usages = self.usages.clone();
        Box::pin(async move {
            let service = ask.service.ok_or(Code::NotFound)?;
            let service = &service.v1_documents().service;
            let (sample, detail) = match service.pid {
                Some(pid) => usages.of(pid).await,
                None => (usages.sample().await, None),
            };
            Ok(usage::stats(service, &sample, detail.as_deref()))
        })
    }

    fn checks(&self, ask: Ask) -> Pending<Vec<Check>> {
        let checks = self.self_checks.clone();
        Box::pin(async move { Ok(checks.checks(ask.snapshot.is_some())) })
    }

    fn ring_health(&self, ask: Ask) -> Pending<Reply> {
        let fanout = self.fanout.clone();
        Box::pin(async move {
            let snapshot = ask.snapshot.ok_or(Code::Starting)?;
            Ok(Reply::json(&*fanout.health(snapshot).await?))
        })
    }

    fn ring_matrix(&self, ask: Ask) -> Pending<Reply> {
        let fanout = self.fanout.clone();
        Box::pin(async move {
            let snapshot = ask.snapshot.ok_or(Code::Starting)?;
            Ok(Reply::json(&*fanout.matrix(snapshot).await?))
        })
    }

    fn supervisor(&self, ask: Ask) -> Pending<SupervisorV1> {
        let (usages, conditions) = (self.usages.clone(), self.conditions.clone());
        let facts = Arc::clone(&self.facts);
        Box::pin(async move {
            let facts = facts.get().ok_or(Code::Starting)?;
            let sample = usages.sample().await;
            Ok(supervisor::document(facts, &conditions, ask.snapshot.as_deref(), &sample))
        })
    }
}
