//! Install hooks of a service's package and its dependencies, one after the other.

use roost_ident::{Hook, PackageIdent};
use roost_service::{HookOutcome, MachineEvent, PhaseName, Printed};

use super::Fleet;
use crate::{
    action::Action,
    event::InstallReady,
    hook::{HookRun, HookSource},
    job::Job,
    processes::Purpose,
    release::Release,
    stored::Stored,
    work::{Kind, unread},
};

impl<R: Release> Fleet<R> {
    /// Runs the outstanding install hooks of what is being started, or of what was checked to
    /// replace it.
    pub(super) fn begin_installs(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        let is_beside = service.machine.status().phase != PhaseName::Installing;
        let release = if is_beside { &service.candidate } else { &service.built };
        let outstanding = release.as_ref().map(|release| release.installs().to_vec());
        service.installs = outstanding.unwrap_or_default().into();
        self.next_install(name);
    }

    /// Renders the next outstanding install hook.
    fn next_install(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(package) = service.installs.pop_front() else {
            return service.machine.handle(self.now, MachineEvent::Installed);
        };
        if !self.work.begin(name, Kind::Install, self.now.mono_ms) {
            return service.machine.handle(self.now, failed(unread()));
        }
        self.actions.work(Job::PrepareInstall { service: name.into(), package });
    }

    /// An install hook is rendered: it runs, unless the service does not want it any more.
    pub(super) fn run_install_hook(
        &mut self,
        name: &str,
        result: Result<InstallReady<R::InstallHook>, String>,
    ) {
        if !self.work.end(name, Kind::Install) {
            return self.ended_late(name, Kind::Install);
        }
        let is_wanted = self.services.get(name).is_some_and(|it| it.machine.is_installing());
        let InstallReady { package, path, timeout_ms, changes, hook } = match result {
            Err(error) => return self.fail_install(name, error),
            Ok(_) if !is_wanted => {
                return self.fail_install(name, "the service is being stopped".into());
            }
            Ok(ready) => ready,
        };
        for change in changes {
            self.say(name, change.key, change.text);
        }
        let Some(service) = self.services.get(name) else { return };
        let limit_ms = self.limit_ms(Hook::Install, timeout_ms);
        let purpose = Purpose::Install { package: package.clone(), path };
        let id = self.processes.begin_hook(name, purpose, self.now.mono_ms, Some(limit_ms));
        self.actions.push(Action::RunHook(HookRun {
            id,
            service: name.into(),
            group: service.group().to_string(),
            hook: Hook::Install,
            label: label(name, &package),
            source: HookSource::Install { package, hook },
        }));
    }

    /// An install hook ended: its status is kept with the package, then the next one runs.
    pub(super) fn install_hook_ended(
        &mut self,
        name: &str,
        package: &PackageIdent,
        path: std::path::PathBuf,
        outcome: &HookOutcome,
        printed: Printed,
    ) {
        if let HookOutcome::Exit(code) = outcome {
            self.actions.store(Stored::InstallStatus { package: path, code: *code });
        }
        if let Some(line) = failure(outcome) {
            let error = match package.name == name {
                true => line,
                false => format!("{}/{}: {line}", package.origin, package.name),
            };
            self.say(name, "HK", error.clone());
            return self.tell(name, MachineEvent::InstallFailed { error, printed });
        }
        self.next_install(name);
        self.drive(name);
    }

    pub(super) fn fail_install(&mut self, name: &str, error: String) {
        self.tell(name, failed(error));
    }
}

fn failed(error: String) -> MachineEvent {
    MachineEvent::InstallFailed { error, printed: Printed::default() }
}

/// How lines of an install hook name it: a dependency's is named with its package.
fn label(service: &str, package: &PackageIdent) -> String {
    let hook = Hook::Install;
    match package.name == service {
        true => hook.to_string(),
        false => format!("{hook} {}/{}", package.origin, package.name),
    }
}

/// The line about an install hook that failed, key `HK`.
fn failure(outcome: &HookOutcome) -> Option<String> {
    let hook = Hook::Install;
    match outcome {
        HookOutcome::Exit(0) => None,
        HookOutcome::Exit(code) => {
            Some(format!("Installation failed! '{hook}' exited with status code {code}"))
        }
        HookOutcome::Signal(_) => {
            Some(format!("Installation failed! '{hook}' exited without a status code"))
        }
        HookOutcome::CouldNotRun(reason) => Some(format!("Hook failed to run, {hook}, {reason}")),
    }
}
