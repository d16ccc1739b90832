//! What templates see: the census, the configuration layers, gossiped files.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roost_census::Sight;
use roost_ident::{ElectionStatus, ServiceGroup};
use roost_pkg::write::{Rendered, write_rendered};
use roost_ring::View;
use roost_service::{BindReport, BindState, Event as Told};
use roost_template::{
    config::MergeError,
    context::{Pkg, service_context},
    value::to_json,
};
use serde_json::Value;

use super::{
    Supervisor,
    errands::Kind,
    event::{Event, Watch},
    managed::Managed,
};
use crate::{
    census_input,
    services::{
        built::Built,
        user_layer::{self, UserLayer},
    },
    vital::{self, guarded},
};

/// Gossiped files that could not be written (a full disk) are written again after this.
const FILES_PAUSE: Duration = Duration::from_secs(10);

impl Supervisor {
    /// The ring looks different: the census follows, and every service that can see it.
    pub(super) fn take_view(&mut self, view: Arc<View>) {
        if self.update_census(view) {
            self.look_at_ring();
        }
    }

    /// Each service takes what it sees of the ring. What none has read yet is read first, beside
    /// this task.
    pub(super) fn look_at_ring(&mut self) {
        if self.is_ending() || self.read_contents() {
            return;
        }
        let services: Vec<String> = self.services.keys().cloned().collect();
        for service in services {
            let configured = self.take_gossip(&service);
            if configured {
                self.announce_again(&service);
            }
            self.write_files(&service, false);
            if configured || self.sees_news(&service) {
                self.refresh(&service);
            }
        }
    }

    /// Has what services here can see of the ring read; false when all of it is.
    pub(super) fn read_contents(&mut self) -> bool {
        if self.contents_being_read {
            return true;
        }
        let own = self.services.values().map(Managed::group);
        let bound = self.services.values().flat_map(Self::bound);
        let unread = self.census.unread(own.chain(bound));
        if unread.is_empty() {
            return false;
        }
        self.contents_being_read = true;
        self.beside(move || {
            let began = Instant::now();
            unread.iter().for_each(|content| content.read());
            Event::ContentsRead { took: began.elapsed() }
        });
        true
    }

    /// Contents were read: configurations among them are taken, and services look again.
    pub(super) fn contents_read(&mut self) {
        self.contents_being_read = false;
        self.update_census(Arc::clone(&self.view));
        self.look_at_ring();
    }

    /// Groups that a service is bound to, or will be. A spec that is being checked waits for its
    /// binds too.
    fn bound(managed: &Managed) -> impl Iterator<Item = &ServiceGroup> {
        let waiting = managed.machine.newest_spec().binds.iter();
        managed.spec().binds.iter().chain(waiting).map(|bind| &bind.group)
    }

    /// True when a service can look at the ring without anything being parsed.
    fn sees_clearly(&self, managed: &Managed) -> bool {
        self.census.unread(std::iter::once(managed.group()).chain(Self::bound(managed))).is_empty()
    }

    /// Takes what is different into the census; true when that shows something else.
    pub(super) fn update_census(&mut self, view: Arc<View>) -> bool {
        self.census.look_at(self.services.values().map(Managed::group));
        let now_ms = self.world.clock.now().mono_ms;
        let are_locked = self.census.locked().next().is_some();
        let keys_changed =
            are_locked && self.key_watch.may_have_changed(&self.world.config.key_cache, now_ms);
        let boxes = &mut self.boxes;
        let mut decrypt = |message: &[u8]| boxes.content(message);
        let update =
            census_input::update(&mut self.census, &self.view, &view, keys_changed, &mut decrypt);
        for warning in &update.warnings {
            self.world.output.line("hab-sup", "CE", warning);
        }
        self.view = view;
        self.publisher.ring_changed(update.changed);
        self.open_boxes();
        update.changed
    }

    /// Reads what the ring has for groups that came to run here: until then, nobody looked at it.
    pub(super) fn look_around(&mut self) {
        if self.census.look_at(self.services.values().map(Managed::group)) {
            self.update_census(Arc::clone(&self.view));
        }
    }

    /// True when the census shows a service something else than its machine was told. Most
    /// changes of a large ring concern no service here.
    fn sees_news(&self, service: &str) -> bool {
        let Some(managed) = self.services.get(service) else { return false };
        managed.render_waits || managed.told.as_ref() != Some(&self.sight(managed))
    }

    /// Takes a newer gossiped configuration; true when there was one.
    pub(super) fn take_gossip(&mut self, service: &str) -> bool {
        let Some(managed) = self.services.get_mut(service) else { return false };
        let group = self.census.group(managed.machine.group());
        let config = group.and_then(|group| group.service_config.as_ref());
        // One that is to be read is taken then.
        let config = config.filter(|config| config.value.is_read());
        let Some(config) = config else { return false };
        if !managed.layers.take_gossip(config.incarnation, (**config.value.table()).clone()) {
            return false;
        }
        let errors = managed.merge();
        self.touched.insert(service.into());
        self.tell_merge_errors(service, &errors);
        true
    }

    pub(super) fn tell_merge_errors(&self, service: &str, errors: &[MergeError]) {
        for error in errors {
            self.say(service, "CF", &error.to_string());
        }
    }

    /// Publishes the rumor of a running service anew, because what it exports or how it is
    /// updated may be different.
    pub(super) fn announce_again(&mut self, service: &str) {
        if let Some(mut managed) = self.services.remove(service) {
            if managed.announced {
                self.announce(&mut managed);
            }
            self.services.insert(service.into(), managed);
        }
    }

    /// Tells a service's machine what has changed of binds, election and context.
    pub(super) fn refresh(&mut self, service: &str) {
        let Some(mut managed) = self.services.remove(service) else { return };
        let now = self.world.clock.now();
        if managed.built.is_some() && !self.sees_clearly(&managed) {
            self.services.insert(service.into(), managed);
            self.read_contents();
            return self.drive(service);
        }
        if managed.built.is_some() {
            managed.told = Some(self.sight(&managed));
            // Before what may start a hook: it is to see who leads, and where its binds are.
            if managed.render_waits {
                self.render(&mut managed);
            } else if let Some(seen) = &managed.seen {
                let sees = (self.sight(&managed), managed.cfg_revision);
                if *seen != sees {
                    managed.seen = Some(sees);
                    managed.machine.handle(now, Told::ContextChanged);
                }
            }
            let binds = self.bind_reports(&managed);
            if managed.binds_told.as_ref() != Some(&binds) {
                managed.binds_told = Some(binds.clone());
                managed.machine.handle(now, Told::Binds(binds));
            }
            let group = self.census.group(managed.group());
            if let Some(advice) = group.and_then(|g| g.advice(managed.spec().topology)) {
                self.advise(&advice.to_string());
            }
            let election = self.election(&managed);
            if managed.election_told.as_ref() != Some(&election) {
                managed.election_told = Some(election.clone());
                let (status, leader) = election;
                managed.machine.handle(now, Told::Election { status, leader });
            }
        }
        self.services.insert(service.into(), managed);
        self.drive(service);
    }

    pub(super) fn sight(&self, managed: &Managed) -> Sight {
        self.census.sight(managed.group(), Self::bound(managed))
    }

    fn bind_reports(&self, managed: &Managed) -> Vec<BindReport> {
        self.reports(&managed.binds())
    }

    pub(super) fn reports(&self, binds: &[roost_census::Bind<'_>]) -> Vec<BindReport> {
        let report = |bind: &roost_census::Bind<'_>| BindReport {
            name: bind.name.into(),
            group: bind.group.to_string(),
            state: match self.census.check_bind(bind) {
                roost_census::BindState::Satisfied => BindState::Satisfied,
                roost_census::BindState::GroupMissing => BindState::Absent,
                roost_census::BindState::NoActiveMember => BindState::Inactive,
                roost_census::BindState::MissingExports(missing) => {
                    BindState::MissingExports(missing)
                }
            },
        };
        binds.iter().map(report).collect()
    }

    fn election(&self, managed: &Managed) -> (ElectionStatus, Option<String>) {
        match self.census.group(managed.group()) {
            None => (ElectionStatus::None, None),
            Some(group) => (group.election_status, group.leader_id.clone()),
        }
    }

    /// The document that templates are rendered with; `None` before the census has this
    /// service, and while what it sees of the ring is being read.
    pub(super) fn context(&self, managed: &Managed) -> Option<Value> {
        let built = managed.built.as_ref()?;
        let cfg = to_json(&managed.cfg.table());
        self.context_of(built, cfg, managed.group(), &managed.binds())
    }

    pub(super) fn context_of(
        &self,
        built: &Built,
        cfg: Value,
        group: &ServiceGroup,
        binds: &[roost_census::Bind<'_>],
    ) -> Option<Value> {
        let groups = std::iter::once(group).chain(binds.iter().map(|bind| bind.group));
        if !self.census.unread(groups).is_empty() {
            return None;
        }
        let svc = self.census.svc_value(group)?;
        let bind = self.census.bind_value(binds);
        let package = &built.package;
        let pkg = Pkg {
            ident: package.ident.clone(),
            deps: package.tdeps.clone(),
            env: built.environment.clone(),
            exposes: package.exposes.clone(),
            exports: package.exports.clone(),
            path: package.path.display().to_string(),
            svc_path: built.svc.root.display().to_string(),
            svc_user: built.user.user.clone(),
            svc_group: built.user.group.clone(),
        };
        Some(service_context(&self.world.sys, &pkg, cfg, svc, bind))
    }

    /// Something watched on disk is different.
    pub(super) fn file_changed(&mut self, watch: Watch) {
        if self.is_ending() {
            return;
        }
        match watch {
            Watch::Specs => self.read_specs(),
            Watch::Sources(service) => self.tell(&service, Told::FilesChanged),
            Watch::User(service) if self.is_being_read(&service) => {
                if let Some(managed) = self.services.get_mut(&service) {
                    managed.read_user_again = true;
                }
                self.tell(&service, Told::FilesChanged);
            }
            Watch::User(service) => {
                let root = self.world.config.root.clone();
                self.beside(move || {
                    let result = guarded(|| user_layer::read(&root, &service)).unwrap_or_else(Err);
                    Event::UserLayer { service, result }
                });
            }
            Watch::Directory(service) => self.stage(service),
            Watch::Peers => self.world.peers.reread(),
        }
    }

    /// True while the service is read from disk, `user.toml` with it.
    pub(super) fn is_being_read(&self, service: &str) -> bool {
        [Kind::Build, Kind::Look].iter().any(|kind| self.errands.is_under_way(service, *kind))
    }

    pub(super) fn take_user_layer(&mut self, service: &str, result: Result<UserLayer, String>) {
        let Some(managed) = self.services.get_mut(service) else { return };
        let ident = managed.spec().ident.clone();
        let same = |layer: &UserLayer| layer.table == managed.layers.user;
        if managed.built.is_some()
            && let Some(layer) = result.as_ref().ok().filter(|layer| same(layer))
        {
            self.keep_user_toml(service, layer.to_keep.clone());
            self.tell(service, Told::UserConfig { refused: None });
            self.touched.insert(service.into());
            // Nothing new, but what failed may have failed because of a state in between.
            return self.tell(service, Told::FilesChanged);
        }
        if managed.announced {
            self.world.output.sup(&format!("user.toml changes detected for {ident}"));
        }
        let mut errors = Vec::new();
        match result {
            Ok(layer) => {
                managed.layers.user = layer.table;
                errors = managed.merge();
                self.keep_user_toml(service, layer.to_keep);
                self.tell(service, Told::UserConfig { refused: None });
            }
            // The reading of the service reports it.
            Err(_) if managed.built.is_none() => {}
            // The layer that was good stays in force.
            Err(error) => {
                let refused = Some(user_layer::not_in_force(&error));
                self.tell(service, Told::UserConfig { refused });
            }
        }
        self.touched.insert(service.into());
        self.tell_merge_errors(service, &errors);
        self.tell(service, Told::FilesChanged);
        self.announce_again(service);
        self.refresh(service);
    }

    /// Writes gossiped files of the service's group that are newer than those on disk.
    pub(super) fn write_files(&mut self, service: &str, initial: bool) {
        let Some(managed) = self.services.get_mut(service) else { return };
        let Some(built) = managed.built.clone() else { return };
        let Some(group) = self.census.group(managed.machine.group()) else { return };
        let news: Vec<_> = group
            .service_files
            .values()
            .filter(|file| {
                let known = managed.files.get(&file.filename);
                initial || known.is_none_or(|known| *known < file.incarnation)
            })
            .cloned()
            .collect();
        if news.is_empty() {
            return;
        }
        for file in &news {
            managed.files.insert(file.filename.clone(), file.incarnation);
        }
        let service = service.to_owned();
        self.beside(move || {
            let (mut names, mut failed) = (Vec::new(), BTreeMap::new());
            for file in news {
                // The census has checked that the name is that of a file.
                let target = Rendered::File(&file.filename);
                let written =
                    write_rendered(&built.svc, target, &file.body, built.credentials.as_ref())
                        .map_err(|error| error.to_string());
                match written {
                    Ok(change) if change.is_change() => names.push(file.filename),
                    Ok(_) => {}
                    Err(error) => drop(failed.insert(file.filename, error)),
                }
            }
            Event::FilesWritten { service, names, failed, initial }
        });
    }

    /// Writes those that could not be written before.
    pub(super) fn write_files_again(&mut self, service: &str) {
        if let Some(managed) = self.services.get_mut(service) {
            managed.files_again = false;
            self.write_files(service, false);
        }
    }

    pub(super) fn files_written(
        &mut self,
        service: &str,
        names: Vec<String>,
        failed: BTreeMap<String, String>,
        initial: bool,
    ) {
        let Some(managed) = self.services.get_mut(service) else { return };
        if !failed.is_empty() {
            managed.files.retain(|name, _| !failed.contains_key(name));
        }
        if !failed.is_empty() && !std::mem::replace(&mut managed.files_again, true) {
            let (service, events) = (service.to_owned(), self.world.events.clone());
            vital::spawn("files again", async move {
                tokio::time::sleep(FILES_PAUSE).await;
                // Without a receiver the process is ending.
                let _ = events.send(Event::FilesAgain { service });
            });
        }
        for (name, error) in &failed {
            if managed.file_failures.get(name) != Some(error) {
                let text = format!("Service file refused, {error}");
                self.world.output.line(managed.machine.group().as_str(), "SR", &text);
            }
        }
        managed.file_failures = failed;
        if names.is_empty() {
            return;
        }
        if !initial {
            return self.tell(service, Told::FilesUpdated(names));
        }
        let Some(managed) = self.services.get(service) else { return };
        for name in &names {
            let text = format!("Service file updated, {name}");
            self.world.output.line(managed.group().as_str(), "SR", &text);
        }
    }
}
