//! How a process is stopped without its service.

pub(crate) const SIGTERM: i32 = 15;
pub(crate) const SIGKILL: i32 = 9;

/// How a process is stopped by those who do not know its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Number of the signal.
    pub signal: i32,
    /// Time between it and `KILL`, milliseconds.
    pub timeout_ms: u64,
}

impl Default for Shutdown {
    /// `TERM` and 8 seconds (reference: services §1.6).
    fn default() -> Self {
        Self { signal: SIGTERM, timeout_ms: 8_000 }
    }
}

/// A process that only the end of the Supervisor stops, because the launcher is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Its process id, which is that of its group.
    pub pid: u32,
    /// How it is stopped.
    pub shutdown: Shutdown,
}
