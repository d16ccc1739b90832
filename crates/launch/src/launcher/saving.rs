//! The tables on disk: when they are written, and which processes wait for that.
//!
//! A process executes nothing before it is recorded, so that a killed launcher leaves no unknown
//! child. The wait for a hanging disk is limited: then the process starts, and a line reports the
//! consequence.

use std::time::{Duration, Instant};

use super::Launcher;
use crate::{child::State, disk::News, proc, table, wire::Kind};

/// Interval of retries of a failed write.
const SAVE_PAUSE: Duration = Duration::from_secs(2);
/// Longest wait of a process for its record.
const RECORD_PATIENCE: Duration = Duration::from_secs(1);
/// Interval of checks of the age of the services' table.
const AGE_CHECK: Duration = Duration::from_secs(60);

/// State of both tables.
#[derive(Default)]
pub(super) struct Saving {
    services: Progress,
    hooks: Progress,
    /// The last write failed; time of the next one.
    again: Option<Instant>,
    /// The failure to write tables was logged.
    told: bool,
    /// Next check of the age of the services' table.
    age_due: Option<Instant>,
    /// Number of processes started by the kernel at the last handover.
    forks: Option<u64>,
}

struct Progress {
    /// The content on disk is outdated.
    unsaved: bool,
    /// Number of the last content handed over, and since when its result is missing.
    handed: u64,
    since: Option<Instant>,
    /// Number of the last content with a result.
    answered: u64,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { unsaved: true, handed: 0, since: None, answered: 0 }
    }
}

impl Saving {
    fn progress(&mut self, kind: Kind) -> &mut Progress {
        match kind {
            Kind::Service => &mut self.services,
            Kind::Hook => &mut self.hooks,
        }
    }

    /// Time of the next write.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (self.services.unsaved || self.hooks.unsaved).then(|| self.again.unwrap_or(now))
    }

    /// A disk without a result for this long counts as hanging.
    fn hangs(&self, now: Instant) -> bool {
        let late = |since: Instant| now >= since + RECORD_PATIENCE;
        [self.services.since, self.hooks.since].into_iter().flatten().any(late)
    }
}

impl Launcher {
    pub(super) fn mark_unsaved(&mut self, kind: Kind) {
        self.saving.progress(kind).unsaved = true;
    }

    pub(super) fn save_when_due(&mut self, now: Instant) {
        if self.saving.due(now).is_some_and(|at| now >= at) {
            self.save_tables(now);
        }
    }

    /// Hands over changed tables.
    pub(super) fn save_tables(&mut self, now: Instant) {
        for kind in [Kind::Service, Kind::Hook] {
            if !self.saving.progress(kind).unsaved {
                continue;
            }
            // hooks start and end all the time, and old ones are irrelevant
            let forks = if kind == Kind::Service { proc::forks() } else { None };
            let entries =
                self.children.iter().filter(|child| child.kind == kind && child.is_recorded());
            let entries = entries.map(|child| &child.entry);
            let text = table::format(&self.setup.boot_id, forks, entries);
            if kind == Kind::Service {
                self.saving.forks = forks;
            }
            let progress = self.saving.progress(kind);
            progress.unsaved = false;
            progress.handed += 1;
            progress.since.get_or_insert(now);
            self.disk.write(kind, progress.handed, text);
        }
        self.saving.again = None;
    }

    /// Writes the table of services when so many processes were started since that process ids may
    /// be reused: a number alone identifies a group only for a limited time.
    pub(super) fn check_age(&mut self) {
        let now = Instant::now();
        if self.saving.age_due.is_some_and(|due| now < due) {
            return;
        }
        self.saving.age_due = Some(now + AGE_CHECK);
        let (Some(forks), Some(before), Some(all)) =
            (proc::forks(), self.saving.forks, proc::pid_max())
        else {
            return;
        };
        let has_services = self.children.iter().any(|child| child.kind == Kind::Service);
        if has_services && forks.saturating_sub(before) > all / 8 {
            self.mark_unsaved(Kind::Service);
        }
    }

    /// Holds a process until it is recorded.
    pub(super) fn hold(&mut self, kind: Kind) -> (u64, Instant) {
        let now = Instant::now();
        self.mark_unsaved(kind);
        self.save_tables(now);
        let until = if self.saving.hangs(now) { now } else { now + RECORD_PATIENCE };
        (self.saving.progress(kind).handed, until)
    }

    /// Time when the first process is started without a record.
    pub(super) fn held_until(&self) -> Option<Instant> {
        let until = |state: &State| match state {
            State::Held { until, .. } => Some(*until),
            _ => None,
        };
        self.children.iter().filter_map(|child| until(&child.state)).min()
    }

    /// Threads have results.
    pub(super) fn on_disk(&mut self) {
        for news in self.disk.news() {
            match news {
                News::Written { kind, number, result } => self.written(kind, number, result.err()),
                News::Found { id, result } => self.found_way(id, result),
                News::ServiceLog { text } => self.printer.log_error(&text),
            }
        }
    }

    fn written(&mut self, kind: Kind, number: u64, error: Option<std::io::Error>) {
        let progress = self.saving.progress(kind);
        progress.answered = number;
        if number == progress.handed {
            progress.since = None;
        } else {
            progress.since = Some(Instant::now());
        }
        match error {
            None => self.saving.told &= self.saving.again.is_some(),
            Some(error) => {
                progress.unsaved = true;
                self.saving.again = Some(Instant::now() + SAVE_PAUSE);
                self.tell_unsaved(&format!("cannot be written ({error})"));
            }
        }
        self.release(|child_kind, held, _| child_kind == kind && held <= number);
    }

    /// A full or hanging disk must not keep services from running; it is logged once.
    fn tell_unsaved(&mut self, what: &str) {
        if !std::mem::replace(&mut self.saving.told, true) {
            self.printer.own(&format!(
                "The process table below hab/launcher {what}; if this launcher is killed, the \
                 next one will not find running services"
            ));
        }
    }

    /// Starts processes that have waited long enough for their record.
    pub(super) fn release_late(&mut self, now: Instant) {
        if self.held_until().is_none_or(|until| now < until) {
            return;
        }
        let patience_s = RECORD_PATIENCE.as_secs();
        self.tell_unsaved(&format!("cannot be written (no answer of the disk for {patience_s} s)"));
        self.release(|_, _, until| now >= until);
    }

    fn release(&mut self, is_due: impl Fn(Kind, u64, Instant) -> bool) {
        for child in &mut self.children {
            if let State::Held { number, until, .. } = &child.state
                && is_due(child.kind, *number, *until)
            {
                child.go();
            }
        }
    }

    /// The last action: removes files that matter only while a launcher runs, and the tables when
    /// no process is left.
    pub(super) fn remove_files(&mut self) {
        let mut paths = vec![self.setup.pid_file.clone()];
        if self.children.is_empty() {
            paths.extend(self.setup.tables.iter().cloned());
        }
        self.disk.remove(paths);
    }
}
