//! Slow work that the fleet asks for. It is carried out on threads beside the Supervisor's task,
//! and what comes of it is an event.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use roost_fleet::{
    self as fleet, Change, FleetEvent, Followed, InstallReady, Job, Scope, Staged, WrittenFile,
};
use roost_ident::{GroupFile, Hook, PackageIdent};
use roost_pkg::{
    FsRoot,
    stage::Pinned,
    write::{Rendered, write_rendered},
};
use roost_service::{BuildFailure, RenderFailure, Rendering};
use roost_template::context::{Pkg, Sys, service_context};
use serde_json::Value;

use super::{
    built::{Blueprint, Built, Purpose, prepare},
    install, rendering,
    user_layer::{self, UserLayer},
};
use crate::{
    files::specs,
    load::{self, Wanted},
    supervisor::event::Event,
    vital::guarded,
};

/// What work needs beside its job.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) root: FsRoot,
    pub(crate) interpreter: PackageIdent,
    /// This Supervisor as templates see it.
    pub(crate) sys: Sys,
}

impl Workshop {
    /// Does a piece of work, which takes as long as disks want.
    pub(crate) fn carry_out(&self, job: Job<Built>) -> Event {
        Event::Fleet(match job {
            Job::ReadSpecs { known } => FleetEvent::Specs(listing(&self.root, &known)),
            Job::Build { blueprint, read, look } => {
                let blueprint = self.blueprint(blueprint);
                let result = built(|| match read {
                    None => blueprint.build(),
                    Some(read) => prepared(*read, &blueprint),
                });
                FleetEvent::Built { service: blueprint.spec.ident.name, result, look }
            }
            Job::BuildFormer { blueprint, ran, user } => {
                let blueprint = self.blueprint(blueprint);
                let ran = ran.filter(|ran| ran.package.path.is_dir());
                let result = built(|| match ran {
                    None => blueprint.build(),
                    Some(ran) => again(&ran, &blueprint, user),
                });
                FleetEvent::Built { service: blueprint.spec.ident.name, result, look: false }
            }
            Job::Check { blueprint } => {
                let blueprint = self.blueprint(blueprint);
                let result = built(|| blueprint.build()).map_err(|error| error.to_string());
                FleetEvent::CandidateBuilt { service: blueprint.spec.ident.name, result }
            }
            Job::ReadForCandidate { service, release, contents } => {
                contents.iter().for_each(|content| content.read());
                FleetEvent::CandidateBuilt { service, result: Ok(release) }
            }
            Job::CheckRendering { service, release, scope } => {
                let check = || match scope {
                    None => Ok(()),
                    Some(scope) => rendering::check(&release, &self.context(&release, scope)),
                };
                let result = guarded(check).unwrap_or_else(Err).map(|()| release);
                FleetEvent::CandidateChecked { service, result }
            }
            Job::Render { service, release, scope, whole } => {
                let render = || rendering::render(&release, &self.context(&release, scope), whole);
                let rendering = guarded(render)
                    .unwrap_or_else(|bug| Rendering::failed(RenderFailure::Config(bug)));
                FleetEvent::Rendered { service, rendering }
            }
            Job::PrepareInstall { service, package } => {
                let prepare = || install::prepare(&self.root, &package, &self.interpreter);
                let result = guarded(prepare).unwrap_or_else(Err).map(install_ready);
                FleetEvent::InstallReady { service, result }
            }
            Job::ReadUserLayer { service } => {
                let read = guarded(|| user_layer::read(&self.root, &service)).unwrap_or_else(Err);
                let layer = |layer: UserLayer| fleet::UserLayer {
                    table: layer.table,
                    to_keep: layer.to_keep,
                };
                let result = read.map(layer).map_err(|error| user_layer::not_in_force(&error));
                FleetEvent::UserLayer { service, result }
            }
            Job::WriteFiles { service, release, files, initial } => {
                write_files(service, &release, files, initial)
            }
            Job::Stage { followed, keep } => self.stage(followed, keep),
            Job::ReadContents(contents) => {
                let began = Instant::now();
                contents.iter().for_each(|content| content.read());
                return Event::ContentsRead { took: began.elapsed() };
            }
        })
    }

    fn blueprint(&self, blueprint: fleet::Blueprint) -> Blueprint {
        let fleet::Blueprint { spec, pin, exact, directory, prepare, for_end } = blueprint;
        let purpose = if for_end { Purpose::End } else { Purpose::Run };
        let (root, interpreter) = (self.root.clone(), self.interpreter.clone());
        Blueprint { root, spec, pin, exact, directory, interpreter, prepare, purpose }
    }

    fn stage(
        &self,
        followed: Followed<roost_pkg::stage::Rights>,
        keep: Vec<PackageIdent>,
    ) -> FleetEvent<Built> {
        let Followed { service, origin, path, rights, release: _ } = followed;
        let pinned = Pinned { origin: origin.clone(), name: service.clone(), rights };
        let wanted = Wanted {
            root: self.root.clone(),
            directory: path.clone(),
            origin: Some(origin),
            keep,
            pinned: Some(pinned),
        };
        let staged = load::stage(wanted).map_err(load::NotStaged::into_text);
        let result = staged.map(|staged| Staged {
            ident: staged.ident,
            changed_file: staged.changed_file,
            warnings: staged.warnings,
        });
        FleetEvent::Staged { service, directory: path, result }
    }

    /// The document that templates of a service are rendered with.
    fn context(&self, built: &Built, scope: Scope) -> Value {
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
        service_context(&self.sys, &pkg, scope.cfg, scope.svc, scope.bind)
    }
}

fn listing(root: &FsRoot, known: &[String]) -> Option<specs::Listing> {
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

/// What was read before, with its directories.
fn prepared(built: Built, blueprint: &Blueprint) -> Result<Built, BuildFailure> {
    if blueprint.prepare {
        prepare(&built.svc, built.credentials.as_ref())?;
    }
    Ok(built)
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
    prepared(built, blueprint)
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
    files: Vec<GroupFile>,
    initial: bool,
) -> FleetEvent<Built> {
    let (mut changed, mut failed) = (Vec::new(), BTreeMap::new());
    for file in files {
        // The census has checked that the name is that of a file.
        let target = Rendered::File(&file.filename);
        let written = write_rendered(&built.svc, target, &file.body, built.credentials.as_ref());
        match written {
            Ok(change) if change.is_change() => {
                let (filename, version) = (file.filename, file.incarnation);
                changed.push(WrittenFile { filename, version });
            }
            Ok(_) => {}
            Err(error) => drop(failed.insert(file.filename, error.to_string())),
        }
    }
    FleetEvent::FilesWritten { service, files: changed, failed, initial }
}
