//! What services use at the moment, read on request, beside the Supervisor's task.
//!
//! A reading looks at every process of the machine. It is shared by all who ask within a second,
//! or within ten times what it took: asking costs at most a tenth of a core.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_api::Snapshot;
use roost_usage::{Detail, Own, Reader, Reading, Usage};
use tokio::sync::{Mutex, watch};

use crate::{clock, vital};

/// How long a reading is shared at least.
const SHARED: Duration = Duration::from_secs(1);
/// How long it is shared, as a multiple of what it took.
const SHARE_OF_CORE: u32 = 10;

/// Readings, shared. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Usages {
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    state: Arc<Mutex<State>>,
}

/// What one thread at a time reads.
#[derive(Debug, Default)]
struct State {
    reader: Reader,
    sample: Option<Arc<Sample>>,
    /// Details of services in the sample, by first process.
    details: BTreeMap<u32, Arc<Detail>>,
}

/// A reading and its time.
#[derive(Debug)]
pub(crate) struct Sample {
    began: Instant,
    took: Duration,
    /// When it began, in milliseconds since 1970.
    pub(crate) at_unix_ms: u64,
    /// The first processes that were looked for.
    roots: Vec<u32>,
    /// The figures, or why there are none.
    pub(crate) reading: Result<Reading, String>,
    /// This process.
    pub(crate) supervisor: Option<Own>,
    /// Its launcher, with its process id.
    pub(crate) launcher: Option<(u32, Own)>,
}

impl Sample {
    fn is_fresh(&self) -> bool {
        self.began.elapsed() < SHARED.max(self.took * SHARE_OF_CORE)
    }

    /// What the service with this first process uses. `None` when that is not known.
    pub(crate) fn usage(&self, pid: u32) -> Option<&Usage> {
        self.reading.as_ref().ok()?.services.get(&pid)
    }
}

impl State {
    fn read(&mut self, roots: Vec<u32>) -> Arc<Sample> {
        let (began, at_unix_ms) = (Instant::now(), clock::unix_ms());
        let reading = vital::guarded(|| self.reader.read(&roots));
        let reading = reading.and_then(|reading| reading.map_err(|error| error.to_string()));
        let launcher = rustix::process::getppid().map(|pid| pid.as_raw_pid().unsigned_abs());
        let own = |pid| vital::guarded(|| roost_usage::own(pid)).ok().flatten();
        let sample = Arc::new(Sample {
            began,
            took: began.elapsed(),
            at_unix_ms,
            roots,
            reading,
            supervisor: own(std::process::id()),
            launcher: launcher.and_then(|pid| Some((pid, own(pid)?))),
        });
        self.sample = Some(Arc::clone(&sample));
        self.details.clear();
        sample
    }

    fn detail(&mut self, sample: &Sample, pid: u32) -> Option<Arc<Detail>> {
        if let Some(known) = self.details.get(&pid) {
            return Some(Arc::clone(known));
        }
        let usage = sample.usage(pid)?;
        let detail = Arc::new(vital::guarded(|| Detail::read(pid, usage)).unwrap_or_default());
        self.details.insert(pid, Arc::clone(&detail));
        Some(detail)
    }
}

impl Usages {
    pub(crate) fn new(snapshots: watch::Receiver<Option<Arc<Snapshot>>>) -> Self {
        Self { snapshots, state: Arc::default() }
    }

    /// A reading that is at most some seconds old.
    pub(crate) async fn sample(&self) -> Arc<Sample> {
        self.read(None).await.0
    }

    /// A reading that looked for the service with this first process, and the details about it.
    pub(crate) async fn of(&self, pid: u32) -> (Arc<Sample>, Option<Arc<Detail>>) {
        self.read(Some(pid)).await
    }

    async fn read(&self, pid: Option<u32>) -> (Arc<Sample>, Option<Arc<Detail>>) {
        // Further requests wait here and share the result. The thread holds the lock, so that there
        // is one reading at a time also when its requests are gone.
        let mut state = Arc::clone(&self.state).lock_owned().await;
        // A process that started after the last reading is not in it.
        let looked_for = |sample: &Sample| pid.is_none_or(|pid| sample.roots.contains(&pid));
        let known = state.sample.clone().filter(|known| known.is_fresh() && looked_for(known));
        if let (Some(known), None) = (&known, pid) {
            return (Arc::clone(known), None);
        }
        let mut roots = self.roots();
        roots.extend(pid.filter(|pid| !roots.contains(pid)));
        let read = vital::spawn_blocking("usage", move || {
            let sample = known.unwrap_or_else(|| state.read(roots));
            let detail = pid.and_then(|pid| state.detail(&sample, pid));
            (sample, detail)
        });
        read.await.expect("a panic in it ends the process")
    }

    /// First processes of the services that run.
    fn roots(&self) -> Vec<u32> {
        let snapshot = self.snapshots.borrow().clone();
        let services = snapshot.iter().flat_map(|snapshot| snapshot.services());
        services.filter_map(|entry| entry.v1_documents().service.pid).collect()
    }
}
