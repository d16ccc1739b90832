//! Slow work of the fleet, on threads beside the Supervisor's task.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use roost_census::ServiceFile;
use roost_fleet::{
    self as fleet, Change, Event as FleetEvent, Followed, InstallReady, Job, Scope, Staged,
};
use roost_ident::Hook;
use roost_pkg::{
    dirs,
    stage::Pinned,
    write::{Rendered, write_rendered},
};
use roost_service::{BuildFailure, RenderFailure, Rendering};
use roost_template::context::{Pkg, Sys, service_context};
use serde_json::Value;

use super::{Supervisor, event::Event};
use crate::{
    files::specs,
    load::{self, Wanted},
    services::{
        built::{Blueprint, Built, Purpose},
        install, rendering,
        user_layer::{self, UserLayer},
    },
    vital::{self, guarded},
};

impl Supervisor {
    /// Runs something slow beside this task; what it returns comes back as an event.
    pub(super) fn beside(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let events = self.world.events.clone();
        // Without a receiver the process is ending.
        vital::spawn_blocking("work for services", move || drop(events.send(work())));
    }

    fn beside_fleet(&self, work: impl FnOnce() -> FleetEvent<Built> + Send + 'static) {
        self.beside(move || Event::Fleet(work()));
    }

    fn blueprint(&self, blueprint: fleet::Blueprint) -> Blueprint {
        let fleet::Blueprint { spec, pin, exact, directory, prepare, for_end } = blueprint;
        let purpose = if for_end { Purpose::End } else { Purpose::Run };
        let (root, interpreter) =
            (self.world.config.root.clone(), self.world.config.interpreter.clone());
        Blueprint { root, spec, pin, exact, directory, interpreter, prepare, purpose }
    }

    pub(super) fn work(&self, job: Job<Built>) {
        let root = self.world.config.root.clone();
        match job {
            Job::ReadSpecs { known } => {
                self.beside_fleet(move || FleetEvent::Specs(listing(&root, &known)));
            }
            Job::Build { blueprint, look } => {
                let blueprint = self.blueprint(blueprint);
                self.beside_fleet(move || {
                    let result = built(|| blueprint.build());
                    FleetEvent::Built { service: blueprint.spec.ident.name, result, look }
                });
            }
            Job::BuildFormer { blueprint, ran, user } => {
                let blueprint = self.blueprint(blueprint);
                self.beside_fleet(move || {
                    let ran = ran.filter(|ran| ran.package.path.is_dir());
                    let result = built(|| match ran {
                        None => blueprint.build(),
                        Some(ran) => again(&ran, &blueprint, user),
                    });
                    FleetEvent::Built { service: blueprint.spec.ident.name, result, look: false }
                });
            }
            Job::Check { blueprint } => {
                let blueprint = self.blueprint(blueprint);
                self.beside_fleet(move || {
                    let result = built(|| blueprint.build()).map_err(|error| error.to_string());
                    FleetEvent::CandidateBuilt { service: blueprint.spec.ident.name, result }
                });
            }
            Job::ReadForCandidate { service, release, contents } => self.beside_fleet(move || {
                contents.iter().for_each(|content| content.read());
                FleetEvent::CandidateBuilt { service, result: Ok(release) }
            }),
            Job::CheckRendering { service, release, scope } => {
                let context = scope.map(|scope| context(&self.world.sys, &release, scope));
                self.beside_fleet(move || {
                    let checked =
                        || context.map_or(Ok(()), |context| rendering::check(&release, &context));
                    let result = guarded(checked).unwrap_or_else(Err).map(|()| release);
                    FleetEvent::CandidateChecked { service, result }
                });
            }
            Job::Render { service, release, scope, whole } => {
                let context = context(&self.world.sys, &release, scope);
                self.beside_fleet(move || {
                    let rendering = guarded(|| rendering::render(&release, &context, whole))
                        .unwrap_or_else(|bug| Rendering::failed(RenderFailure::Config(bug)));
                    FleetEvent::Rendered { service, rendering }
                });
            }
            Job::PrepareInstall { service, package } => {
                let interpreter = self.world.config.interpreter.clone();
                self.beside_fleet(move || {
                    let prepare = || install::prepare(&root, &package, &interpreter);
                    let result = guarded(prepare).unwrap_or_else(Err).map(install_ready);
                    FleetEvent::InstallReady { service, result }
                });
            }
            Job::ReadUserLayer { service } => self.beside_fleet(move || {
                let read = guarded(|| user_layer::read(&root, &service)).unwrap_or_else(Err);
                let layer = |layer: UserLayer| fleet::UserLayer {
                    table: layer.table,
                    to_keep: layer.to_keep,
                };
                let result = read.map(layer).map_err(|error| user_layer::not_in_force(&error));
                FleetEvent::UserLayer { service, result }
            }),
            Job::WriteFiles { service, release, files, initial } => {
                self.beside_fleet(move || write_files(service, &release, files, initial));
            }
            Job::Stage { followed, keep } => self.beside_fleet(move || {
                let Followed { service, origin, path, rights, release: _ } = followed;
                let pinned = Pinned { origin: origin.clone(), name: service.clone(), rights };
                let (directory, origin, pinned) = (path.clone(), Some(origin), Some(pinned));
                let staged = load::stage(Wanted { root, directory, origin, keep, pinned });
                let result = staged.map_err(load::NotStaged::into_text).map(|staged| Staged {
                    ident: staged.ident,
                    changed_file: staged.changed_file,
                    warnings: staged.warnings,
                });
                FleetEvent::Staged { service, directory: path, result }
            }),
            Job::ReadContents(contents) => self.beside(move || {
                let began = Instant::now();
                contents.iter().for_each(|content| content.read());
                Event::ContentsRead { took: began.elapsed() }
            }),
        }
    }
}

fn listing(root: &roost_pkg::FsRoot, known: &[String]) -> Option<specs::Listing> {
    let directory = root.sup().specs();
    specs::read_everything(root, known)
        .inspect_err(|error| {
            tracing::error!("Unable to read the specs in {}: {error}", directory.display());
        })
        .ok()
}

/// A panic on files of a user is the failure of one service.
fn built(build: impl FnOnce() -> Result<Built, BuildFailure>) -> Result<Box<Built>, BuildFailure> {
    guarded(build).unwrap_or_else(|bug| Err(BuildFailure::Refused(bug))).map(Box::new)
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

/// The document that templates of a service are rendered with.
fn context(sys: &Sys, built: &Built, scope: Scope) -> Value {
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
    service_context(sys, &pkg, scope.cfg, scope.svc, scope.bind)
}

fn install_ready(mut hook: install::InstallHook) -> InstallReady<install::InstallHook> {
    let lines = std::mem::take(&mut hook.lines).into_iter();
    let stated_s = hook.timeouts_s.get(&Hook::Install);
    InstallReady {
        package: hook.package.clone(),
        path: hook.package_path.clone(),
        timeout_ms: stated_s.map(|seconds| u64::from(*seconds) * 1_000),
        changes: lines.map(|(key, text)| Change { key, text }).collect(),
        hook: Box::new(hook),
    }
}

fn write_files(
    service: String,
    built: &Arc<Built>,
    files: Vec<ServiceFile>,
    initial: bool,
) -> FleetEvent<Built> {
    let (mut names, mut failed) = (Vec::new(), BTreeMap::new());
    for file in files {
        // The census has checked that the name is that of a file.
        let target = Rendered::File(&file.filename);
        let written = write_rendered(&built.svc, target, &file.body, built.credentials.as_ref());
        match written {
            Ok(change) if change.is_change() => names.push(file.filename),
            Ok(_) => {}
            Err(error) => drop(failed.insert(file.filename, error.to_string())),
        }
    }
    FleetEvent::FilesWritten { service, names, failed, initial }
}
