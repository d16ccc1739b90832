//! Time limits of a machine.

use roost_ident::Hook;

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

/// Time limits of a machine, all in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Restart back-off.
    pub backoff: BackoffSettings,
    /// Least time between starts of one service, unless the process ran that long.
    pub start_floor_ms: u64,
    /// Time limits of hooks.
    pub hook_timeouts: HookTimeouts,
    /// A failed build is retried after this time even without a file change.
    pub rebuild_pause_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backoff: BackoffSettings::default(),
            start_floor_ms: 1_000,
            hook_timeouts: HookTimeouts::default(),
            rebuild_pause_ms: 30_000,
        }
    }
}

/// Time limit of each hook in milliseconds; the hook is then stopped, and the service continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookTimeouts([u64; Hook::ALL.len()]);

impl HookTimeouts {
    /// Default time limit of a hook; 0 for `run`, which has no limit.
    ///
    /// Hooks that prepare a service (`install`, `init`, `post-run`) may restore a database; hooks
    /// beside a running one delay the next change.
    #[must_use]
    pub const fn default_ms(hook: Hook) -> u64 {
        match hook {
            Hook::Install | Hook::Init | Hook::PostRun => 3_600_000,
            Hook::PostStop | Hook::Uninstall => 300_000,
            Hook::HealthCheck | Hook::Reconfigure | Hook::FileUpdated | Hook::Suitability => 60_000,
            Hook::Run => 0,
        }
    }

    /// Time limit of a hook; 0 for `run`.
    #[must_use]
    pub fn ms(&self, hook: Hook) -> u64 {
        let place = Hook::ALL.iter().position(|known| *known == hook);
        place.map_or(0, |place| self.0[place])
    }

    /// Sets the time limit of a hook.
    #[must_use]
    pub fn with(mut self, hook: Hook, ms: u64) -> Self {
        if let Some(place) = Hook::ALL.iter().position(|known| *known == hook) {
            self.0[place] = ms;
        }
        self
    }
}

impl Default for HookTimeouts {
    fn default() -> Self {
        let mut timeouts = Self([0; Hook::ALL.len()]);
        for (place, hook) in Hook::ALL.iter().enumerate() {
            timeouts.0[place] = Self::default_ms(*hook);
        }
        timeouts
    }
}
