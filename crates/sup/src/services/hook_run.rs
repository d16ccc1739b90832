//! Hooks that run right now: their output, their log files, how they end.

use std::{collections::BTreeMap, time::Instant};

use roost_ident::Hook;
use roost_launch::wire::{self, WireStatus};
use roost_logs::Stream;
use roost_pkg::SvcPaths;
use roost_service::HookOutcome;

use super::{
    capture::{Capture, KEPT_BYTES_MAX},
    small_files::SmallFiles,
};
use crate::output::Output;

/// One run of a hook.
#[derive(Debug)]
struct HookRun {
    /// Which hook.
    hook: Hook,
    /// When it was started.
    started: Instant,
    /// The service group, in front of its lines.
    group: String,
    /// How its lines name it.
    label: String,
    captures: [Capture; 2],
    logged_bytes: [usize; 2],
}

/// A hook that has ended: nothing more comes from it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) hook: Hook,
    /// The service group.
    pub(crate) group: String,
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
        group: &str,
        hook: Hook,
        label: String,
        svc: &SvcPaths,
    ) {
        self.log.open(id, [svc.stdout_log(hook), svc.stderr_log(hook)]);
        let run = HookRun {
            hook,
            started: Instant::now(),
            group: group.into(),
            label,
            captures: Default::default(),
            logged_bytes: [0; 2],
        };
        self.runs.insert(id, run);
    }

    /// True when this is a hook that runs.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.runs.contains_key(&id)
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
    pub(crate) fn ended(&mut self, id: u64, status: Option<WireStatus>) -> Option<Ended> {
        let outcome = match status {
            Some(WireStatus::Code(code)) => HookOutcome::Exit(code),
            Some(WireStatus::Signal(signal)) => HookOutcome::Signal(signal),
            None => HookOutcome::CouldNotRun("its end was not seen".into()),
        };
        self.take(id, outcome)
    }

    /// It was not started at all.
    pub(crate) fn not_started(&mut self, id: u64, reason: String) -> Option<Ended> {
        self.take(id, HookOutcome::CouldNotRun(reason))
    }

    fn take(&mut self, id: u64, outcome: HookOutcome) -> Option<Ended> {
        let mut run = self.runs.remove(&id)?;
        for stream in 0..2 {
            if let Some(line) = run.captures[stream].finish() {
                run.show(id, stream, &line, &self.output, &self.log);
            }
        }
        let cut = run.logged_bytes.map(|bytes| bytes > KEPT_BYTES_MAX);
        let [stdout, stderr] = run.captures.map(Capture::into_text);
        self.log.close(id, [cut[0].then(|| stdout.clone()), cut[1].then(|| stderr.clone())]);
        Some(Ended {
            hook: run.hook,
            group: run.group,
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
