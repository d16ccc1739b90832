//! Why a file is refused.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use roost_files::ReadError;

/// Why a file with tokens cannot be used: file, line, problem, remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    path: PathBuf,
    line: Option<usize>,
    problem: String,
    remedy: String,
}

impl Fault {
    pub(crate) fn new(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn in_line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    /// The file does not exist.
    pub(crate) fn missing(path: &Path) -> Self {
        Self::new(path, "the file does not exist", "'hab sup token new' makes it")
    }

    pub(crate) fn unreadable(error: &ReadError) -> Self {
        let remedy = match error {
            ReadError::Io { .. } => "make it readable for the user of the Supervisor",
            ReadError::NotAFile { .. } => "replace it by a file",
            ReadError::TooLarge { .. } => "make it smaller",
            ReadError::NotUtf8 { .. } => "save it as UTF-8",
        };
        Self::new(error.path(), error.reason(), remedy)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for Fault {}
