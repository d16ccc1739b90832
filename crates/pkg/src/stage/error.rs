//! Why a directory was not staged.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use roost_ident::Hook;

use crate::{metafile::Fault, read::ReadError, sources::SourceError};

/// A fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file.
    pub path: PathBuf,
    /// The line number, from 1.
    pub line: usize,
    /// The problem and its remedy.
    pub problem: String,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.problem)
    }
}

/// Why a directory was not staged. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The directory has nothing to run.
    #[error(
        "{}: is not a service directory: it has no hooks/run. A service directory holds hooks/run \
         (a script that starts the program in the foreground, with exec) and, as needed, \
         hooks/health-check, hooks/init, config/, default.toml and roost.toml",
        .0.display()
    )]
    NotAService(PathBuf),
    /// Two plans in one directory.
    #[error("{} and {}: two plans; remove one", one.display(), other.display())]
    TwoPlans {
        /// One plan.
        one: PathBuf,
        /// The other plan.
        other: PathBuf,
    },
    /// Two files for one hook.
    #[error("{} and {}: both are the hook {hook}; remove one", one.display(), other.display())]
    TwoHooks {
        /// The hook.
        hook: Hook,
        /// One file.
        one: PathBuf,
        /// The other file.
        other: PathBuf,
    },
    /// A file is malformed.
    #[error("{}:{line}: {problem}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The problem and its remedy.
        problem: String,
    },
    /// All faults of a plan, one line each.
    #[error("{}", lines(.0))]
    Faults(Vec<Located>),
    /// The facts are inconsistent; one line for each problem.
    #[error("{}", .problems.iter().map(|problem| format!("{}: {problem}", dir.display()))
        .collect::<Vec<_>>().join("\n"))]
    Facts {
        /// The directory.
        dir: PathBuf,
        /// Each problem with its remedy.
        problems: Vec<String>,
    },
    /// The directory would change a property that was agreed to when it was loaded.
    #[error(
        "{}: {problem}. To agree to it: hab svc load --force {0}",
        dir.display()
    )]
    Pinned {
        /// The directory.
        dir: PathBuf,
        /// The change.
        problem: String,
    },
    /// An entry of the directory cannot be part of a release.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The entry.
        path: PathBuf,
        /// The problem and its remedy.
        problem: String,
    },
    /// The name of an installed release sorts after every time.
    #[error(
        "{}: is newer than anything staged from a directory can be; \
         uninstall it, or set another version in roost.toml",
        path.display()
    )]
    NotNewer {
        /// The release.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Templates cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A system call failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The affected path.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

fn lines(faults: &[Located]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl StageError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    pub(super) fn fault(path: &Path, fault: Fault) -> Self {
        Self::Fault { path: path.into(), line: fault.line, problem: fault.problem }
    }
}
