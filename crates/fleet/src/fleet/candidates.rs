//! What would replace that which a service runs from: read and rendered beside it, without a
//! change on disk.

use std::sync::Arc;

use roost_ident::{BindingMode, ServiceGroup};
use roost_service::{BindReport, MachineEvent, ServiceSpec};
use roost_template::config::Layers;

use super::Fleet;
use crate::{
    job::{Blueprint, Job},
    release::Release,
    service::{Checking, Service, binds},
    work::{Kind, unread},
};

impl<R: Release> Fleet<R> {
    /// Reads what an attempt with this spec would be made of.
    pub(super) fn check(
        &mut self,
        name: &str,
        spec: ServiceSpec,
        group: ServiceGroup,
        release: Option<String>,
    ) {
        let Some(service) = self.services.get_mut(name) else { return };
        if !self.work.begin(name, Kind::Check, self.now.mono_ms) {
            return service.machine.handle(self.now, MachineEvent::Checked(Err(unread())));
        }
        let directory = self.directories.path(name);
        let blueprint =
            Blueprint { pin: release, prepare: false, directory, ..Blueprint::of(&spec) };
        service.checking = Some(Checking { spec, group });
        self.actions.work(Job::Check { blueprint });
    }

    /// It was read: its templates see the ring as they would once it runs.
    pub(super) fn candidate_built(&mut self, name: &str, result: Result<Box<R>, String>) {
        if !self.work.end(name, Kind::Check) {
            return self.ended_late(name, Kind::Check);
        }
        let release = match result {
            Ok(release) => release,
            Err(error) => return self.refuse_candidate(name, error),
        };
        let Some(service) = self.services.get_mut(name) else { return };
        let Some(Checking { spec, group }) = service.checking.take() else { return };
        let bound = spec.binds.iter().map(|bind| &bind.group);
        let contents =
            self.context.census.unread([service.group(), &group].into_iter().chain(bound));
        // It was begun when it was read, and nothing else of the kind began since.
        self.work.begin(name, Kind::Check, self.now.mono_ms);
        if !contents.is_empty() {
            service.checking = Some(Checking { spec, group });
            let service = name.into();
            return self.actions.work(Job::ReadForCandidate { service, release, contents });
        }
        let binds = binds(&spec, Some(&*release));
        let is_open = |report: &&BindReport| !report.is_satisfied();
        if spec.binding_mode == BindingMode::Strict
            && let Some(report) = self.context.reports(&binds).iter().find(is_open)
        {
            self.work.end(name, Kind::Check);
            return self.refuse_candidate(name, report.line());
        }
        let cfg = self.layers_of(name, &release, &group).merged().0;
        // A group that this service is not in yet looks like the present one.
        let own = self.services.get(name).map(Service::group);
        let scope = self
            .context
            .scope(&cfg, &group, &binds)
            .or_else(|| self.context.scope(&cfg, own?, &binds));
        self.actions.work(Job::CheckRendering { service: name.into(), release, scope });
    }

    fn layers_of(&self, name: &str, release: &R, group: &ServiceGroup) -> Layers {
        let mut layers = release.layers().clone();
        let own = self.services.get(name).filter(|service| service.group() == group);
        if let Some(own) = own {
            layers.gossip.clone_from(&own.configuration.layers().gossip);
        } else if let Some(config) =
            self.census().group(group).and_then(|group| group.service_config.as_ref())
        {
            layers.take_gossip(config.incarnation, (**config.value.table()).clone());
        }
        layers
    }

    /// Everything of it is rendered.
    pub(super) fn candidate_checked(&mut self, name: &str, result: Result<Box<R>, String>) {
        if !self.work.end(name, Kind::Check) {
            return self.ended_late(name, Kind::Check);
        }
        match result {
            Err(error) => self.refuse_candidate(name, error),
            Ok(release) => {
                let plan = release.plan();
                if let Some(service) = self.services.get_mut(name) {
                    service.candidate = Some(Arc::from(release));
                }
                self.tell(name, MachineEvent::Checked(Ok(plan)));
            }
        }
    }

    /// It cannot start: what it is made of is watched, so that it is checked again at once when
    /// that is mended.
    fn refuse_candidate(&mut self, name: &str, error: String) {
        self.tell(name, MachineEvent::Checked(Err(error)));
        self.watch_sources(name);
    }
}
