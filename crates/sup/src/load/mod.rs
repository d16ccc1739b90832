//! Commands that change what is wanted of a service: they change its spec file
//! (reference: services §4.1, control §6.1 to §6.3). One after the other, so that two clients
//! never write one file at once.

mod cached;
mod check;
mod given;
mod queue;
mod staging;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use roost_ctl::{
    reply::{ErrorCode, Failure},
    request::Request,
    responder::Responder,
};
use roost_ident::{
    DesiredState, PackageIdent, ServiceGroup, ServiceOptions, UpdateStrategy,
    options::{BLDR_URL_DEFAULT, CHANNEL_DEFAULT},
};
use roost_journal::Recorder;
use roost_pkg::followed::{self, Followed};
use roost_service::ServiceSpec;

use self::check::Unfit;
pub(crate) use self::{
    queue::SpecCommands,
    staging::{NotStaged, Wanted, own_output, stage},
};
use crate::{
    config::SupConfig,
    files::{specs, store::Store},
    output::Output,
    services::built::{Built, Purpose},
    stops::Stops,
    vital,
};

/// A service whose spec was written.
pub(crate) struct Loaded {
    /// For the user.
    line: String,
    spec: ServiceSpec,
    /// What was read of it.
    read: Option<Box<Built>>,
}

/// Changes spec files.
#[derive(Debug, Clone)]
pub(crate) struct SpecWriter {
    pub(crate) config: Arc<SupConfig>,
    pub(crate) store: Store,
    pub(crate) output: Output,
    pub(crate) recorder: Recorder,
    pub(crate) stops: Stops,
    /// The message that there are no updates has been logged.
    pub(crate) updates_reported: Arc<AtomicBool>,
}

impl SpecWriter {
    /// The service group of a package whose service is loaded.
    async fn group_of(&self, ident: Option<&PackageIdent>) -> Option<String> {
        let spec = self.stored(ident?).await?;
        let organization = self.config.organization.as_deref();
        let group = ServiceGroup::new(&spec.ident.name, &spec.group, organization);
        group.ok().map(|group| group.to_string())
    }

    /// Returns the reason when there was nothing to change. `loaded` gets what was read of a
    /// service that is loaded.
    async fn carry_out(
        &self,
        request: Request,
        responder: &Responder,
        loaded: impl Fn(ServiceSpec, Box<Built>),
    ) -> Result<Option<String>, Failure> {
        let report = |line: &str| {
            responder.line(line);
            self.output.line("hab-sup", "AG", line);
        };
        match request {
            Request::Load { ident, force, directory, options } => {
                let (ident, followed) = match directory {
                    None => (ident, None),
                    Some(directory) => {
                        self.refuse_loaded(&ident, force).await?;
                        let followed = self.stage_for(&ident, directory.into()).await?;
                        // Without version and release: a change of the directory is a new release.
                        (PackageIdent { version: None, release: None, ..ident }, Some(followed))
                    }
                };
                let client = Some(responder);
                let Loaded { line, spec, read } =
                    self.load(&ident, force, options, followed.as_ref(), client).await?;
                if let Some(read) = read {
                    loaded(spec, read);
                }
                report(&line);
                Ok(None)
            }
            Request::Update { ident, options } => {
                let changed = self.update(&ident, options).await?;
                // Clients of Habitat get this line in either case.
                report(&format!("Updating {ident}"));
                Ok((!changed).then(|| format!("{ident} has these values already")))
            }
            Request::Unload { ident, .. } => {
                let unloaded = self.unload(&ident).await;
                unloaded.map(|()| report(&format!("Unloading {ident}")))?;
                Ok(None)
            }
            Request::Start { ident } => self.turn(&ident, DesiredState::Up, report).await,
            Request::Stop { ident, .. } => self.turn(&ident, DesiredState::Down, report).await,
            // Everything else is answered from the Supervisor's state.
            _ => Err(Failure::new(ErrorCode::NotSupported, "Not supported")),
        }
    }

    /// Loads a service: checks that it can run, then stores its spec. Returns the line for the
    /// user and what was read. A package that is not installed is taken from the cache of archives,
    /// and the client sees the progress.
    pub(crate) async fn load(
        &self,
        ident: &PackageIdent,
        force: bool,
        mut options: ServiceOptions,
        followed: Option<&Followed>,
        client: Option<&Responder>,
    ) -> Result<Loaded, Failure> {
        // The next Supervisor may be started elsewhere.
        options.config_from = options.config_from.map(|path| {
            std::path::absolute(&path).map_or(path, |absolute| absolute.display().to_string())
        });
        let stored = self.refuse_loaded(ident, force).await?;
        let mut spec = stored.unwrap_or_else(|| ServiceSpec::new(ident.clone()));
        spec.merge_load(ident.clone(), options);
        let release = followed.and_then(|followed| followed.release.clone());
        let purpose = if client.is_some() { Purpose::Command } else { Purpose::Run };
        let read = match self.check(&spec, release.as_ref(), purpose).await {
            Err(Unfit::NotInstalled) if followed.is_none() => {
                self.install_cached(&spec, client).await?;
                self.check(&spec, None, purpose).await
            }
            other => other,
        }
        .map_err(|unfit| unfit.into_failure(&spec))?;
        if let Some(followed) = followed {
            self.write_followed(followed).await?;
        }
        self.write(&spec).await?;
        let line = format!("The {ident} service was successfully loaded");
        // A directory is where its messages point to, which its release does not know.
        let read = followed.is_none().then_some(read);
        Ok(Loaded { line, spec, read })
    }

    /// Refuses to load what is loaded already, unless it is forced; returns the spec that there is.
    async fn refuse_loaded(
        &self,
        ident: &PackageIdent,
        force: bool,
    ) -> Result<Option<ServiceSpec>, Failure> {
        let stored = self.stored(ident).await;
        if stored.is_some() && !force {
            return Err(Failure::new(
                ErrorCode::Conflict,
                format!(
                    "Service already loaded. Unload '{ident}' and try again, or load with the \
                     --force flag to reload and restart the service."
                ),
            ));
        }
        Ok(stored)
    }

    async fn write_followed(&self, followed: &Followed) -> Result<(), Failure> {
        let root = &self.config.root;
        let mut files = vec![(followed::file(root, &followed.name), followed.to_toml())];
        if let Some(release) = &followed.release {
            let path = followed::release_file(root, &followed.name);
            files.push((path, format!("{release}\n")));
        }
        for (path, text) in files {
            let written = self.store.write(&path, text.into_bytes(), 0o600).await;
            written.map_err(|error| internal(&path, &error))?;
        }
        Ok(())
    }

    /// A service that is unloaded has no directory any more.
    async fn forget_followed(&self, service: &str) -> Result<(), Failure> {
        let root = &self.config.root;
        for path in [followed::release_file(root, service), followed::file(root, service)] {
            self.store.remove(&path).await.map_err(|error| internal(&path, &error))?;
        }
        Ok(())
    }

    /// False when the spec has these values already.
    async fn update(&self, ident: &PackageIdent, options: ServiceOptions) -> Result<bool, Failure> {
        let stored = self.stored(ident).await.ok_or_else(|| not_loaded_internal(ident))?;
        let mut spec = stored.clone();
        spec.merge_update(options);
        self.check(&spec, None, Purpose::Run).await.map_err(|unfit| unfit.into_failure(&spec))?;
        if spec == stored {
            return Ok(false);
        }
        self.write(&spec).await?;
        Ok(true)
    }

    async fn unload(&self, ident: &PackageIdent) -> Result<(), Failure> {
        if self.stored(ident).await.is_none() {
            return Err(not_loaded_internal(ident));
        }
        let path = self.config.root.sup().spec_file(&ident.name);
        self.store.remove(&path).await.map_err(|error| internal(&path, &error))?;
        self.forget_followed(&ident.name).await
    }

    async fn turn(
        &self,
        ident: &PackageIdent,
        wanted: DesiredState,
        report: impl Fn(&str),
    ) -> Result<Option<String>, Failure> {
        let mut spec = self.stored(ident).await.ok_or_else(|| Failure::not_loaded(ident))?;
        if spec.desired_state == wanted {
            return Ok(Some(match wanted {
                DesiredState::Up => format!("{ident} was started already"),
                DesiredState::Down => format!("{ident} was stopped already"),
            }));
        }
        spec.desired_state = wanted;
        self.write(&spec).await?;
        let verb = match wanted {
            DesiredState::Up => "starting",
            DesiredState::Down => "stopping",
        };
        report(&format!("Supervisor {verb} {ident}. See the Supervisor output for more details."));
        Ok(None)
    }

    /// The spec that is stored under the name of the package; one that cannot be read counts as
    /// none.
    pub(crate) async fn stored(&self, ident: &PackageIdent) -> Option<ServiceSpec> {
        // The name becomes a file name.
        let ident = ident.clone().validate().ok()?;
        let path = self.config.root.sup().spec_file(&ident.name);
        let name = format!("{}.spec", ident.name);
        let read = vital::spawn_blocking("specs", move || specs::read(&path, &name)).await;
        read.ok()?.ok().flatten().map(|(spec, _)| spec)
    }

    /// Logs once that a spec asks for updates, which do not exist yet.
    fn report_missing_updates(&self, spec: &ServiceSpec) {
        let asks = spec.update_strategy != UpdateStrategy::None
            || spec.channel != CHANNEL_DEFAULT
            || spec.bldr_url.trim_end_matches('/') != BLDR_URL_DEFAULT;
        if asks && !self.updates_reported.swap(true, Ordering::Relaxed) {
            self.output.sup(&format!(
                "Updates are not supported yet: strategy '{}', channel '{}' and url '{}' of {} \
                 are stored and shown, and have no effect",
                spec.update_strategy, spec.channel, spec.bldr_url, spec.ident
            ));
        }
    }

    async fn write(&self, spec: &ServiceSpec) -> Result<(), Failure> {
        self.report_missing_updates(spec);
        let path = self.config.root.sup().spec_file(&spec.ident.name);
        let written = self.store.write(&path, spec.to_toml().into_bytes(), 0o600).await;
        written.map_err(|error| internal(&path, &error))
    }
}

fn not_loaded_internal(ident: &PackageIdent) -> Failure {
    Failure::new(ErrorCode::Internal, format!("Service {ident} not loaded"))
}

fn internal(path: &Path, error: &std::io::Error) -> Failure {
    // The error of a write that took too long contains its effect.
    let effect = match error.kind() {
        std::io::ErrorKind::TimedOut => "",
        _ => "; nothing has changed",
    };
    Failure::new(ErrorCode::Internal, format!("{}: {error}{effect}", path.display()))
}
