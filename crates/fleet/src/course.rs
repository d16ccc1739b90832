//! What the fleet does as a whole: it starts, runs, or ends.

/// How long an end waits for the specs of services that still run and were not taken back yet.
const SPECS_PATIENCE_MS: u64 = 5_000;

/// Why the Supervisor ends, once nothing is left to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// An orderly shutdown, or a restart that leaves the services running.
    Done,
    /// This member was departed by hand.
    Departed,
    /// The launcher is gone.
    LauncherGone,
}

/// The present part of the fleet's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Not every service can be shown yet.
    Starting {
        /// The spec directory was read once.
        specs_read: bool,
    },
    /// Every service that the specs named at the start can be shown.
    Running,
    /// Every service is being stopped, or was let go.
    Ending {
        /// Why.
        ending: Ending,
        /// The end waits for the specs, no longer than this: with them, what still runs is stopped
        /// as its package wants.
        specs_until_ms: Option<u64>,
    },
}

impl Course {
    pub(crate) fn start() -> Self {
        Self::Starting { specs_read: false }
    }

    /// The specs were read; true when that was the first time.
    pub(crate) fn read_specs(&mut self) -> bool {
        match self {
            Self::Starting { specs_read } => !std::mem::replace(specs_read, true),
            Self::Running | Self::Ending { .. } => false,
        }
    }

    /// Turns to `Running` when every service can be shown; true when it did.
    pub(crate) fn run(&mut self, all_settled: impl FnOnce() -> bool) -> bool {
        let runs = *self == Self::Starting { specs_read: true } && all_settled();
        if runs {
            *self = Self::Running;
        }
        runs
    }

    /// Begins the end. It waits for the specs when those were not read yet and `has_inherited`
    /// processes depend on them; true when it does.
    pub(crate) fn end(&mut self, ending: Ending, has_inherited: bool, now_ms: u64) -> bool {
        let waits = *self == Self::Starting { specs_read: false } && has_inherited;
        let specs_until_ms = waits.then(|| now_ms.saturating_add(SPECS_PATIENCE_MS));
        *self = Self::Ending { ending, specs_until_ms };
        waits
    }

    pub(crate) fn is_ending(&self) -> bool {
        matches!(self, Self::Ending { .. })
    }

    /// Until when the end waits for the specs.
    pub(crate) fn specs_until_ms(&self) -> Option<u64> {
        match self {
            Self::Ending { specs_until_ms, .. } => *specs_until_ms,
            Self::Starting { .. } | Self::Running => None,
        }
    }

    /// The end waits no longer.
    pub(crate) fn stop_waiting(&mut self) {
        if let Self::Ending { specs_until_ms, .. } = self {
            *specs_until_ms = None;
        }
    }

    /// Why the Supervisor ends, once only services and processes are left to wait for.
    pub(crate) fn ending(&self) -> Option<Ending> {
        match self {
            Self::Ending { ending, specs_until_ms: None } => Some(*ending),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_once_the_specs_were_read_and_every_service_can_be_shown() {
        let mut course = Course::start();
        assert!(!course.run(|| true), "the specs are not read");
        assert!(course.read_specs());
        assert!(!course.run(|| false));
        assert!(!course.read_specs(), "only the first time counts");
        assert!(course.run(|| true));
        assert!(!course.run(|| true), "it runs already");
    }

    #[test]
    fn an_end_waits_for_the_specs_only_while_they_matter() {
        let mut early = Course::start();
        assert!(early.end(Ending::Done, true, 7));
        assert_eq!((early.ending(), early.specs_until_ms()), (None, Some(5_007)));
        early.stop_waiting();
        assert_eq!((early.ending(), early.specs_until_ms()), (Some(Ending::Done), None));

        let mut without = Course::start();
        assert!(!without.end(Ending::Departed, false, 7));
        assert_eq!(without.ending(), Some(Ending::Departed));

        let mut late = Course::Running;
        assert!(!late.end(Ending::Done, true, 7));
        assert!(late.is_ending());
        assert!(!late.run(|| true), "an end is not a start");
    }
}
