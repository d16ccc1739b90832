//! Times that govern a machine.

/// Restart back-off, set by options of `sup run`; all in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffSettings {
    /// `--service-min-backoff-period`, default 0.
    pub min_ms: u64,
    /// `--service-max-backoff-period`, default 0.
    pub max_ms: u64,
    /// `--service-restart-cooldown-period`, default 300 s.
    pub cooldown_ms: u64,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        Self { min_ms: 0, max_ms: 0, cooldown_ms: 300_000 }
    }
}

/// Times that govern a machine, all in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Restart back-off.
    pub backoff: BackoffSettings,
    /// Starts of one service are at least this far apart, unless the process ran that long.
    pub start_floor_ms: u64,
    /// A health check that runs longer is ended and counts as unknown.
    pub health_timeout_ms: u64,
    /// A `post-stop` hook that runs longer is ended, so that it cannot hold up a restart.
    pub post_stop_timeout_ms: u64,
    /// A failed build is tried again after this time even if no file was seen to change.
    pub rebuild_pause_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backoff: BackoffSettings::default(),
            start_floor_ms: 1_000,
            health_timeout_ms: 60_000,
            post_stop_timeout_ms: 300_000,
            rebuild_pause_ms: 30_000,
        }
    }
}
