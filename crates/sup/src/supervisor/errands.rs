//! Slow work for services: reading what they are made of, rendering.
//!
//! It runs beside the Supervisor's task, one piece of a kind at a time for each service, and is
//! not waited for without end: a file system that does not answer (a dead mount) must hold up
//! neither the stop of its service nor the documents of all others. The service then counts as
//! refused, with the reason. Work that was given up stays under way, because nothing can end it,
//! and when it has ended at last the service is tried again.

use std::collections::BTreeMap;

use roost_ident::DesiredState;
use roost_service::{BuildFailure, Event as Told, PhaseName, RenderFailure, Rendering};

use super::{Supervisor, effects::install_failed, managed::Managed};
use crate::services::DISK_PATIENCE;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A service is read, to be started.
    Build,
    /// A service is read for the documents alone.
    Look,
    /// What would replace that which it runs from is read and rendered.
    Check,
    /// Its templates are rendered.
    Render,
    /// An install hook is rendered.
    Install,
}

/// Work under way by service and kind, with the time when it is given up; `None` once it was.
#[derive(Debug, Default)]
pub(super) struct Errands(BTreeMap<(String, Kind), Option<u64>>);

impl Errands {
    pub(super) fn is_under_way(&self, service: &str, kind: Kind) -> bool {
        self.0.contains_key(&(service.to_owned(), kind))
    }

    /// Notes that work begins. False when the one before it, which was given up, has not ended.
    pub(super) fn begin(&mut self, service: &str, kind: Kind, now_ms: u64) -> bool {
        if self.is_under_way(service, kind) {
            return false;
        }
        let patience_ms = u64::try_from(DISK_PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now_ms.saturating_add(patience_ms);
        self.0.insert((service.to_owned(), kind), Some(until_ms));
        true
    }

    /// Work has ended: true when somebody still waits for what came of it.
    pub(super) fn end(&mut self, service: &str, kind: Kind) -> bool {
        self.0.remove(&(service.to_owned(), kind)).flatten().is_some()
    }

    pub(super) fn next_wake_ms(&self) -> Option<u64> {
        self.0.values().flatten().copied().min()
    }

    /// Gives up what takes too long, and returns it.
    fn give_up(&mut self, now_ms: u64) -> Vec<(String, Kind)> {
        let is_late = |until_ms: &mut u64| *until_ms <= now_ms;
        let late = self
            .0
            .iter_mut()
            .filter_map(|(errand, until_ms)| until_ms.take_if(is_late).map(|_| errand.clone()));
        late.collect()
    }
}

/// What is wrong with a service whose files do not come.
pub(super) fn unread() -> String {
    format!(
        "its files could not be read or written within {} secs; does a file system not answer? \
         It is tried again once they can be",
        DISK_PATIENCE.as_secs()
    )
}

impl Supervisor {
    /// Answers in the place of work that takes too long.
    pub(super) fn give_up_errands(&mut self) {
        for (service, kind) in self.errands.give_up(self.world.clock.now().mono_ms) {
            match kind {
                Kind::Build => {
                    let Some(managed) = self.services.get_mut(&service) else { continue };
                    managed.settled = true;
                    let failure = match managed.held_build.take() {
                        None => unread(),
                        Some(_) => {
                            // It never began.
                            self.errands.end(&service, kind);
                            "a process of an earlier run still lives and is being stopped".into()
                        }
                    };
                    self.tell(&service, Told::BuildFailed(BuildFailure::Refused(failure)));
                }
                Kind::Look => {
                    let Some(managed) = self.services.get_mut(&service) else { continue };
                    managed.settled = true;
                    managed.look_failure = Some(unread());
                    self.touched.insert(service);
                }
                Kind::Render => {
                    let rendering = Rendering::failed(RenderFailure::Unfinished(unread()));
                    self.tell(&service, Told::Rendered(rendering));
                }
                Kind::Check => self.tell(&service, Told::Checked(Err(unread()))),
                Kind::Install => self.tell(&service, install_failed(unread())),
            }
        }
    }

    /// Work that was given up has ended: now the service can be tried again.
    pub(super) fn ended_late(&mut self, service: &str, kind: Kind) {
        match kind {
            Kind::Build | Kind::Check => self.tell(service, Told::FilesChanged),
            Kind::Look => {
                let spec = self.services.get(service).map(|managed| managed.spec().clone());
                if let Some(spec) = spec.filter(|spec| spec.desired_state == DesiredState::Down) {
                    self.look(&spec);
                }
            }
            Kind::Render => {
                let Some(mut managed) = self.services.remove(service) else { return };
                let waits = managed.render_waits;
                if waits {
                    self.render(&mut managed);
                }
                self.services.insert(service.into(), managed);
                if !waits {
                    self.tell(service, Told::ContextChanged);
                }
            }
            // Tried again without end, at the floor of starts.
            Kind::Install => {}
        }
    }

    pub(super) fn refuse_unread(&self, managed: &mut Managed) {
        managed.settled = true;
        let failure = Told::BuildFailed(BuildFailure::Refused(unread()));
        managed.machine.handle(self.world.clock.now(), failure);
    }

    /// A stop waits for every answer, and what did not even begin would be answered late or,
    /// once the ring is left, never.
    pub(super) fn give_up_unbegun(&mut self, managed: &mut Managed) {
        if managed.machine.status().phase != PhaseName::Stopping {
            return;
        }
        let now = self.world.clock.now();
        if std::mem::take(&mut managed.render_waits) {
            managed.machine.handle(now, Told::Rendered(Rendering::default()));
        }
        if managed.held_build.take().is_some() {
            self.errands.end(&managed.name, Kind::Build);
            let failure = BuildFailure::Refused("the service is being stopped".into());
            managed.machine.handle(now, Told::BuildFailed(failure));
        }
    }

    pub(super) fn refuse_install(&self, managed: &mut Managed) {
        managed.machine.handle(self.world.clock.now(), install_failed(unread()));
    }
}
