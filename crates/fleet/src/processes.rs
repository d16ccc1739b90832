//! The launcher's numbers: whose process or hook each of them is.

use std::{collections::BTreeMap, path::PathBuf};

use roost_ident::{Hook, PackageIdent};
use roost_service::HookOutcome;

/// What a hook runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The machine of its service asked for it, and looks after its time.
    Machine(Hook),
    /// A package is installed.
    Install {
        package: PackageIdent,
        /// Where its status is kept.
        path: PathBuf,
    },
    /// An election waits for what it prints.
    Suitability { group: String, term: u64 },
}

impl Purpose {
    pub(crate) fn hook(&self) -> Hook {
        match self {
            Self::Machine(hook) => *hook,
            Self::Install { .. } => Hook::Install,
            Self::Suitability { .. } => Hook::Suitability,
        }
    }
}

/// How long a hook may run that no machine looks after.
#[derive(Debug, Clone, Copy)]
struct Limit {
    until_ms: u64,
    /// After how many seconds that is.
    seconds: u64,
    passed: bool,
}

#[derive(Debug)]
struct HookRun {
    service: String,
    purpose: Purpose,
    limit: Option<Limit>,
}

/// A hook that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EndedHook {
    pub(crate) service: String,
    pub(crate) purpose: Purpose,
    pub(crate) outcome: HookOutcome,
}

/// Processes and hooks by the launcher's number.
#[derive(Debug)]
pub(crate) struct Processes {
    next_id: u64,
    services: BTreeMap<u64, String>,
    hooks: BTreeMap<u64, HookRun>,
}

impl Processes {
    /// `next_id` is the smallest number that was never used.
    pub(crate) fn new(next_id: u64) -> Self {
        Self { next_id, services: BTreeMap::new(), hooks: BTreeMap::new() }
    }

    fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A number for the process of a service that is about to be started.
    pub(crate) fn begin(&mut self, service: &str) -> u64 {
        let id = self.new_id();
        self.services.insert(id, service.to_owned());
        id
    }

    /// A process that was taken back.
    pub(crate) fn adopt(&mut self, id: u64, service: &str) {
        self.services.insert(id, service.to_owned());
    }

    /// The service that a process is of.
    pub(crate) fn service(&self, id: u64) -> Option<&str> {
        self.services.get(&id).map(String::as_str)
    }

    /// The service that a process or hook is of.
    pub(crate) fn owner(&self, id: u64) -> Option<&str> {
        let hook = || self.hooks.get(&id).map(|run| run.service.as_str());
        self.service(id).or_else(hook)
    }

    /// Nothing of a process lives; returns its service.
    pub(crate) fn end(&mut self, id: u64) -> Option<String> {
        self.services.remove(&id)
    }

    /// A number for a hook that is about to be started. With a limit it is ended after so many
    /// milliseconds.
    pub(crate) fn begin_hook(
        &mut self,
        service: &str,
        purpose: Purpose,
        now_ms: u64,
        limit_ms: Option<u64>,
    ) -> u64 {
        let id = self.new_id();
        let limit = limit_ms.map(|limit_ms| Limit {
            until_ms: now_ms.saturating_add(limit_ms),
            seconds: limit_ms / 1_000,
            passed: false,
        });
        self.hooks.insert(id, HookRun { service: service.to_owned(), purpose, limit });
        id
    }

    /// The number of a service's hook that runs.
    pub(crate) fn find_hook(&self, service: &str, hook: Hook) -> Option<u64> {
        let mut runs = self.hooks.iter();
        let is_it = |run: &HookRun| run.purpose.hook() == hook && run.service == service;
        runs.find(|(_, run)| is_it(run)).map(|(id, _)| *id)
    }

    /// A hook has ended; one that ran too long could not be run.
    pub(crate) fn end_hook(&mut self, id: u64, outcome: HookOutcome) -> Option<EndedHook> {
        let HookRun { service, purpose, limit } = self.hooks.remove(&id)?;
        let outcome = match limit.filter(|limit| limit.passed) {
            None => outcome,
            Some(Limit { seconds, .. }) => HookOutcome::CouldNotRun(format!(
                "it ran longer than {seconds} secs and was stopped"
            )),
        };
        Some(EndedHook { service, purpose, outcome })
    }

    /// Hooks that have run too long and are to be ended; each is returned once.
    pub(crate) fn take_late(&mut self, now_ms: u64) -> Vec<u64> {
        let mut late = Vec::new();
        for (id, run) in &mut self.hooks {
            if let Some(limit) = &mut run.limit
                && !limit.passed
                && limit.until_ms <= now_ms
            {
                limit.passed = true;
                late.push(*id);
            }
        }
        late
    }

    pub(crate) fn next_wake_ms(&self) -> Option<u64> {
        let limits = self.hooks.values().filter_map(|run| run.limit);
        limits.filter(|limit| !limit.passed).map(|limit| limit.until_ms).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_used_twice() {
        let mut processes = Processes::new(7);
        let first = processes.begin("web");
        let hook = processes.begin_hook("web", Purpose::Machine(Hook::Init), 0, None);
        assert_eq!((first, hook), (7, 8));
        assert_eq!(processes.end(first).as_deref(), Some("web"));
        assert_eq!(processes.begin("web"), 9);
        assert_eq!((processes.service(8), processes.owner(8)), (None, Some("web")));
    }

    #[test]
    fn a_hook_is_found_by_service_and_kind_while_it_runs() {
        let mut processes = Processes::new(1);
        let id = processes.begin_hook("web", Purpose::Machine(Hook::Init), 0, None);
        assert_eq!(processes.find_hook("web", Hook::Init), Some(id));
        assert_eq!(processes.find_hook("web", Hook::Run), None);
        assert_eq!(processes.find_hook("db", Hook::Init), None);
        let ended = processes.end_hook(id, HookOutcome::Exit(0)).expect("it ran");
        assert_eq!((ended.service.as_str(), ended.outcome), ("web", HookOutcome::Exit(0)));
        assert_eq!(processes.end_hook(id, HookOutcome::Exit(0)), None);
    }

    #[test]
    fn what_runs_too_long_is_ended_once_and_could_not_be_run() {
        let mut processes = Processes::new(1);
        let asked = Purpose::Suitability { group: "web.default".into(), term: 3 };
        let id = processes.begin_hook("web", asked, 10, Some(60_000));
        assert_eq!(processes.next_wake_ms(), Some(60_010));
        assert!(processes.take_late(60_009).is_empty());
        assert_eq!(processes.take_late(60_010), [id]);
        assert!(processes.take_late(70_000).is_empty() && processes.next_wake_ms().is_none());
        let outcome = processes.end_hook(id, HookOutcome::Signal(9)).map(|ended| ended.outcome);
        let text = "it ran longer than 60 secs and was stopped".into();
        assert_eq!(outcome, Some(HookOutcome::CouldNotRun(text)));
    }
}
