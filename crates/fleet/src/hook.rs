//! A hook that runs, and what it printed.

use std::sync::Arc;

use roost_ident::{Hook, PackageIdent};
use roost_service::Probe;

use crate::release::Release;

/// A check to run.
#[derive(Debug, Clone)]
pub struct ProbeRun {
    /// The service.
    pub service: String,
    /// Number of the round of checks.
    pub round: u64,
    /// Place of the check in it.
    pub place: usize,
    /// The check.
    pub probe: Arc<Probe>,
}

/// A hook to start.
#[derive(Debug)]
pub struct HookRun<R: Release> {
    /// The launcher's number for it.
    pub id: u64,
    /// The service that it runs for.
    pub service: String,
    /// That service's group.
    pub group: String,
    /// Which hook.
    pub hook: Hook,
    /// How its lines name it.
    pub label: String,
    /// Where it comes from.
    pub source: HookSource<R>,
}

/// Where a hook comes from.
#[derive(Debug)]
pub enum HookSource<R: Release> {
    /// The release that the service is made of.
    Release(Arc<R>),
    /// A package that is being installed.
    Install {
        /// The package.
        package: PackageIdent,
        /// Its hook, as it was rendered.
        hook: Box<R::InstallHook>,
    },
}

/// What a hook printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookOutput {
    /// To stdout.
    pub stdout: String,
    /// To stderr.
    pub stderr: String,
}
