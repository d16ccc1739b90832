//! Requests to the launcher that start services and hooks.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt, path::Path};

use roost_fleet::{HookRun, HookSource, Shutdown};
use roost_ident::Hook;
use roost_launch::wire::{self, Ids, KeptLines, Kind, Spawn, Variable};
use roost_pkg::{SvcPaths, user::Credentials};

use super::{built::Built, environment};

/// The process of a service.
pub(crate) fn service(
    id: u64,
    service: &str,
    group: String,
    release: &Built,
    shutdown: Shutdown,
) -> Spawn {
    let Shutdown { signal, timeout_ms } = shutdown;
    let program = Program {
        service,
        path: &release.svc.run(),
        environment: &release.environment,
        credentials: release.credentials.as_ref(),
    };
    let shutdown = wire::Shutdown { signal, timeout_ms };
    Spawn { kind: Kind::Service.into(), shutdown, ..program.spawn(id, group) }
}

/// The process of a hook.
pub(crate) fn hook(run: HookRun<Built>) -> Spawn {
    let HookRun { id, service: _, group, hook, label, source } = run;
    // Checks repeat for as long as a service runs, and their results are kept elsewhere.
    let is_kept = !matches!(hook, Hook::HealthCheck | Hook::Suitability);
    let kept = is_kept.then(|| KeptLines { group: group.clone(), hook: label });
    let spawn = match source {
        HookSource::Release(built) => {
            let program = Program {
                service: &built.package.ident.name,
                path: &built.svc.hook(hook),
                environment: &built.environment,
                credentials: built.credentials.as_ref(),
            };
            program.spawn(id, format!("{group} {hook}"))
        }
        HookSource::Install { package, hook: ready } => {
            let program = Program {
                service: &package.name,
                path: &ready.svc.hook(hook),
                environment: &ready.environment,
                credentials: ready.credentials.as_ref(),
            };
            program.spawn(id, format!("{} install", package.name))
        }
    };
    Spawn { kind: Kind::Hook.into(), kept, ..spawn }
}

/// The directories that a hook belongs to.
pub(crate) fn paths(run: &HookRun<Built>) -> &SvcPaths {
    match &run.source {
        HookSource::Release(built) => &built.svc,
        HookSource::Install { package: _, hook } => &hook.svc,
    }
}

/// A program with what it runs in.
struct Program<'a> {
    /// Name of the service, or of the package of an install hook.
    service: &'a str,
    path: &'a Path,
    environment: &'a BTreeMap<String, String>,
    credentials: Option<&'a Credentials>,
}

impl Program<'_> {
    fn spawn(&self, id: u64, name: String) -> Spawn {
        let environment = environment::complete(self.service, self.environment);
        Spawn {
            id,
            name,
            program: self.path.as_os_str().as_bytes().to_vec(),
            env: environment.into_iter().map(Variable::from).collect(),
            user: self.credentials.map(|credentials| Ids {
                uid: credentials.uid,
                gid: credentials.gid,
                groups: credentials.groups.clone(),
            }),
            ..Spawn::default()
        }
    }
}
