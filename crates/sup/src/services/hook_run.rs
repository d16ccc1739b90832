//! Hooks that run right now: their output, their log files, how they end.

use std::{collections::BTreeMap, time::Instant};

use roost_ident::Hook;
use roost_launch::wire::{self, Status, Stream};
use roost_pkg::SvcPaths;
use roost_service::HookOutcome;

use super::{
    capture::{Capture, KEPT_BYTES_MAX},
    small_files::SmallFiles,
};
use crate::output::Output;

/// One run of a hook.
#[derive(Debug)]
pub(crate) struct HookRun {
    /// Name of the service it runs for.
    pub(crate) service: String,
    /// Which hook.
    pub(crate) hook: Hook,
    /// When it was started.
    pub(crate) started: Instant,
    /// The service group, in front of its lines.
    group: String,
    /// How its lines name it.
    label: String,
    captures: [Capture; 2],
    logged_bytes: [usize; 2],
    limit: Option<Limit>,
}

/// How long a hook may run that no state machine looks after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    /// When it is ended, on the clock of state machines.
    pub(crate) until_ms: u64,
    /// After how many seconds that is.
    pub(crate) seconds: u64,
    ended: bool,
}

impl Limit {
    pub(crate) fn new(now_ms: u64, timeout_ms: u64) -> Self {
        let until_ms = now_ms.saturating_add(timeout_ms);
        Self { until_ms, seconds: timeout_ms / 1_000, ended: false }
    }
}

/// A hook that has ended: nothing more comes from it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) service: String,
    pub(crate) hook: Hook,
    pub(crate) outcome: HookOutcome,
    pub(crate) started: Instant,
    /// What it printed to stdout and stderr, bounded.
    pub(crate) printed: (String, String),
}

/// All runs, by the launcher's number.
#[derive(Debug)]
pub(crate) struct HookRuns {
    runs: BTreeMap<u64, HookRun>,
    output: Output,
    log: SmallFiles,
}

impl HookRuns {
    pub(crate) fn new(output: Output, log: SmallFiles) -> Self {
        Self { runs: BTreeMap::new(), output, log }
    }

    /// A hook of the service is about to be started. Its lines begin with the service group and
    /// the hook's label: its name, for an install hook of another package with that package.
    pub(crate) fn begin(
        &mut self,
        id: u64,
        (service, group): (&str, &str),
        hook: Hook,
        label: String,
        svc: &SvcPaths,
    ) {
        self.log.open(id, [svc.stdout_log(hook), svc.stderr_log(hook)]);
        let run = HookRun {
            service: service.into(),
            hook,
            started: Instant::now(),
            group: group.into(),
            label,
            captures: Default::default(),
            logged_bytes: [0; 2],
            limit: None,
        };
        self.runs.insert(id, run);
    }

    /// Sets how long a hook may run.
    pub(crate) fn limit(&mut self, id: u64, limit: Limit) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.limit = Some(limit);
        }
    }

    /// When the next one has run too long.
    pub(crate) fn next_late_ms(&self) -> Option<u64> {
        let limits = self.runs.values().filter_map(|run| run.limit);
        limits.filter(|limit| !limit.ended).map(|limit| limit.until_ms).min()
    }

    /// Those that have run too long and are to be ended; each is given once.
    pub(crate) fn take_late(&mut self, now_ms: u64) -> Vec<u64> {
        let mut late = Vec::new();
        for (id, run) in &mut self.runs {
            if let Some(limit) = &mut run.limit
                && !limit.ended
                && limit.until_ms <= now_ms
            {
                limit.ended = true;
                late.push(*id);
            }
        }
        late
    }

    pub(crate) fn get(&self, id: u64) -> Option<&HookRun> {
        self.runs.get(&id)
    }

    /// The number of a service's hook that runs.
    pub(crate) fn find(&self, service: &str, hook: Hook) -> Option<u64> {
        let mut runs = self.runs.iter();
        runs.find(|(_, run)| run.hook == hook && run.service == service).map(|(id, _)| *id)
    }

    /// A piece of output.
    pub(crate) fn printed(&mut self, output: &wire::Output) {
        let Some(run) = self.runs.get_mut(&output.id) else { return };
        let stream = match output.stream() {
            Stream::Stdout => 0,
            Stream::Stderr => 1,
        };
        for line in run.captures[stream].push(&output.bytes) {
            run.show(output.id, stream, &line, &self.output, &self.log);
        }
    }

    /// It ended and will print no more.
    pub(crate) fn ended(&mut self, id: u64, status: Option<Status>) -> Option<Ended> {
        let outcome = match status {
            Some(Status::Code(code)) => HookOutcome::Exit(code),
            Some(Status::Signal(signal)) => HookOutcome::Signal(signal),
            None => HookOutcome::CouldNotRun("its end was not seen".into()),
        };
        self.take(id, outcome)
    }

    /// It was not started at all.
    pub(crate) fn not_started(&mut self, id: u64, reason: String) -> Option<Ended> {
        self.take(id, HookOutcome::CouldNotRun(reason))
    }

    fn take(&mut self, id: u64, mut outcome: HookOutcome) -> Option<Ended> {
        let mut run = self.runs.remove(&id)?;
        for stream in 0..2 {
            if let Some(line) = run.captures[stream].finish() {
                run.show(id, stream, &line, &self.output, &self.log);
            }
        }
        let cut = run.logged_bytes.map(|bytes| bytes > KEPT_BYTES_MAX);
        if let Some(limit) = run.limit.filter(|limit| limit.ended) {
            let text = format!("it ran longer than {} secs and was stopped", limit.seconds);
            outcome = HookOutcome::CouldNotRun(text);
        }
        let [stdout, stderr] = run.captures.map(Capture::into_text);
        self.log.close(id, [cut[0].then(|| stdout.clone()), cut[1].then(|| stderr.clone())]);
        Some(Ended {
            service: run.service,
            hook: run.hook,
            outcome,
            started: run.started,
            printed: (stdout, stderr),
        })
    }
}

impl HookRun {
    fn show(&mut self, id: u64, stream: usize, line: &str, output: &Output, log: &SmallFiles) {
        let printed_to = [Stream::Stdout, Stream::Stderr][stream];
        output.hook(&self.group, &self.label, printed_to, line);
        self.logged_bytes[stream] += line.len() + 1;
        if self.logged_bytes[stream] <= KEPT_BYTES_MAX {
            log.line(id, stream, line);
        }
    }
}
