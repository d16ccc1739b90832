//! What would replace that which a service runs from: read and rendered beside it, without a
//! change on disk; and what it is gone back to when that cannot start.

use std::sync::Arc;

use roost_census::Content;
use roost_ident::{BindingMode, ServiceGroup};
use roost_pkg::dirs;
use roost_service::{BindReport, BuildFailure, Event as Told, ServiceSpec};
use roost_template::{config::Layers, value::to_json};

use super::{
    Supervisor,
    errands::{Kind, unread},
    event::Event,
    managed::{Managed, binds},
};
use crate::{
    services::{
        built::{Blueprint, Built},
        rendering,
        user_layer::{self, UserLayer},
    },
    vital::guarded,
};

impl Supervisor {
    /// Reads what an attempt with this spec would be made of.
    pub(super) fn check(
        &mut self,
        managed: &mut Managed,
        spec: ServiceSpec,
        group: ServiceGroup,
        release: Option<String>,
    ) {
        if !self.begin_errand(&managed.name, Kind::Check) {
            let failure = Told::Checked(Err(unread()));
            return managed.machine.handle(self.world.clock.now(), failure);
        }
        let blueprint = Blueprint { pin: release, prepare: false, ..self.blueprint(&spec) };
        managed.checking = Some((spec, group));
        let service = managed.name.clone();
        self.beside(move || {
            let built = guarded(|| blueprint.build().map(Box::new));
            let result = built.unwrap_or_else(|bug| Err(BuildFailure::Refused(bug)));
            Event::CandidateBuilt { service, result: result.map_err(|error| error.to_string()) }
        });
    }

    /// It was read: its templates see the ring as they would once it runs.
    pub(super) fn candidate_built(&mut self, service: &str, result: Result<Box<Built>, String>) {
        if !self.errands.end(service, Kind::Check) {
            return self.ended_late(service, Kind::Check);
        }
        let built = match result {
            Ok(built) => built,
            Err(error) => return self.refuse_candidate(service, error),
        };
        let Some(managed) = self.services.get_mut(service) else { return };
        let Some((spec, group)) = managed.checking.take() else { return };
        let seen = [managed.group(), &group].into_iter();
        let unread = self.census.unread(seen.chain(spec.binds.iter().map(|bind| &bind.group)));
        if !unread.is_empty() {
            managed.checking = Some((spec, group));
            return self.read_for_candidate(service, built, unread);
        }
        let Some(managed) = self.services.get(service) else { return };
        let binds = binds(&spec, Some(&built));
        let is_open = |report: &&BindReport| !report.is_satisfied();
        let reports = self.reports(&binds);
        if spec.binding_mode == BindingMode::Strict
            && let Some(report) = reports.iter().find(is_open)
        {
            let line = report.line();
            return self.refuse_candidate(service, line);
        }
        let cfg = to_json(&self.layers_of(managed, &built, &group).merged().0);
        // A group that this service is not in yet looks like the present one.
        let context = self
            .context_of(&built, cfg.clone(), &group, &binds)
            .or_else(|| self.context_of(&built, cfg, managed.group(), &binds));
        let service = service.to_owned();
        // It was begun when it was read, and nothing else of the kind began since.
        self.begin_errand(&service, Kind::Check);
        self.beside(move || {
            let checked = || context.map_or(Ok(()), |context| rendering::check(&built, &context));
            let result = guarded(checked).unwrap_or_else(Err).map(|()| built);
            Event::CandidateChecked { service, result }
        });
    }

    /// Reads what it would see of the ring, and comes back.
    fn read_for_candidate(&mut self, service: &str, built: Box<Built>, unread: Vec<Arc<Content>>) {
        // It was begun when it was read, and nothing else of the kind began since.
        self.begin_errand(service, Kind::Check);
        let service = service.to_owned();
        self.beside(move || {
            unread.iter().for_each(|content| content.read());
            Event::CandidateBuilt { service, result: Ok(built) }
        });
    }

    fn layers_of(&self, managed: &Managed, built: &Built, group: &ServiceGroup) -> Layers {
        let mut layers = built.layers.clone();
        if group == managed.group() {
            layers.gossip.clone_from(&managed.layers.gossip);
        } else if let Some(config) =
            self.census.group(group).and_then(|group| group.service_config.as_ref())
        {
            layers.take_gossip(config.incarnation, (**config.value.table()).clone());
        }
        layers
    }

    /// Everything of it is rendered.
    pub(super) fn candidate_checked(&mut self, service: &str, result: Result<Box<Built>, String>) {
        if !self.errands.end(service, Kind::Check) {
            return self.ended_late(service, Kind::Check);
        }
        match result {
            Err(error) => self.refuse_candidate(service, error),
            Ok(built) => {
                let plan = built.plan();
                if let Some(managed) = self.services.get_mut(service) {
                    managed.candidate = Some(Arc::from(built));
                }
                self.tell(service, Told::Checked(Ok(plan)));
            }
        }
    }

    /// It cannot start: what it is made of is watched, so that it is checked again at once when
    /// that is mended.
    fn refuse_candidate(&mut self, service: &str, error: String) {
        self.tell(service, Told::Checked(Err(error)));
        self.watch_sources(service);
    }

    /// Reads what the service ran from before: in the state that it had then where that is known.
    /// Its own configuration file is read anew, and the last good one stays in force.
    pub(super) fn build_former(&mut self, managed: &mut Managed, release: String) {
        if !self.begin_errand(&managed.name, Kind::Build) {
            return self.refuse_unread(managed);
        }
        if managed.process.is_none() && self.orphans.hold(&managed.name) {
            managed.held_build = Some(Some(release));
            return;
        }
        let ran = managed.ran.clone();
        let ran = ran.filter(|ran| ran.package.ident.to_string() == release);
        let user = managed.layers.user.clone();
        let pin = Some(release);
        let blueprint = Blueprint { pin, exact: true, ..self.blueprint(managed.spec()) };
        let service = managed.name.clone();
        self.beside(move || {
            let built = guarded(|| match ran.filter(|ran| ran.package.path.is_dir()) {
                None => blueprint.build(),
                Some(ran) => again(&ran, &blueprint, user),
            });
            let built = built.unwrap_or_else(|bug| Err(BuildFailure::Refused(bug)));
            Event::Built { service, result: built.map(Box::new), look: false }
        });
    }

    /// The process is up, or was taken back and what it runs from is read: that is what is gone
    /// back to.
    pub(super) fn keep_ran(managed: &mut Managed) {
        let runs = |built: &Arc<Built>| {
            managed.machine.status().process.pid.is_some()
                && managed.machine.former() == Some(built.package.ident.to_string().as_str())
        };
        if managed.built.as_ref().is_some_and(runs) {
            managed.ran.clone_from(&managed.built);
        }
    }
}

/// What ran, once more.
fn again(
    ran: &Built,
    blueprint: &Blueprint,
    user: Option<toml::Table>,
) -> Result<Built, BuildFailure> {
    let mut built = ran.clone();
    let layer = user_layer::read_or_kept(&blueprint.root, &blueprint.spec.ident.name);
    let layer = layer.unwrap_or_else(|error| UserLayer {
        table: user,
        fault: Some(user_layer::not_in_force(&error)),
        to_keep: None,
    });
    built.layers.user = layer.table;
    (built.user_fault, built.user_to_keep) = (layer.fault, layer.to_keep);
    dirs::prepare(&built.svc, built.credentials.as_ref()).map_err(|error| {
        BuildFailure::Directory {
            path: error.dir.display().to_string(),
            error: error.source.to_string(),
        }
    })?;
    Ok(built)
}
