//! Commands that change what is wanted of a service: they change its spec file
//! (reference: services §4.1, control §6.1 to §6.3). One after the other, so that two clients
//! never write one file at once.

mod cached;

use std::{
    env,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roost_ctl::{
    reply::{ErrorCode, Failure, Reply},
    request::Request,
    responder::Responder,
};
use roost_events::Cause;
use roost_fleet::{FleetEvent, Watched};
use roost_ident::{
    DesiredState, PackageIdent, ServiceGroup, ServiceOptions, UpdateStrategy,
    options::{BLDR_URL_DEFAULT, CHANNEL_DEFAULT},
};
use roost_journal::Recorder;
use roost_pkg::{
    FsRoot,
    followed::{self, Followed},
    stage::{self as staging, Pinned, StageError, StageOptions, Staged},
};
use roost_service::{BuildFailure, ServiceSpec};
use tokio::sync::mpsc;

use crate::{
    audit::{Audit, Outcome},
    config::SupConfig,
    files::{specs, store::Store},
    output::Output,
    services::{
        DISK_PATIENCE,
        built::{Blueprint, Purpose},
    },
    supervisor::event::{Event, Watch},
    vital::{self, guarded},
};

/// How long a client waits for a directory of its own to be copied.
const STAGING_PATIENCE: Duration = Duration::from_secs(300);

/// Changes spec files.
#[derive(Debug, Clone)]
pub(crate) struct SpecWriter {
    pub(crate) config: Arc<SupConfig>,
    pub(crate) store: Store,
    pub(crate) output: Output,
    pub(crate) recorder: Recorder,
    /// The user has the message that there are no updates.
    pub(crate) updates_told: Arc<AtomicBool>,
}

/// Where commands wait for their turn. The queue needs no limit of its own: each belongs to a
/// conversation of the control gateway, which has no more than
/// [`roost_ctl::server::MAX_CONVERSATIONS`].
#[derive(Debug, Clone)]
pub(crate) struct SpecCommands(mpsc::UnboundedSender<(Request, Responder)>);

impl SpecCommands {
    /// Starts the task that carries out one command after the other and reports to the Supervisor.
    pub(crate) fn start(writer: SpecWriter, events: mpsc::UnboundedSender<Event>) -> Self {
        let (commands, mut inbox) = mpsc::unbounded_channel();
        vital::spawn("commands that change specs", async move {
            while let Some((request, responder)) = inbox.recv().await {
                // Without a receiver the process is ending; the files are right.
                let will_change = |service: String, timeout_s, cause| {
                    let event = FleetEvent::WillChange { service, timeout_s, cause };
                    drop(events.send(Event::Fleet(event)));
                };
                drop(events.send(Event::Fleet(FleetEvent::SpecsBeingWritten)));
                let stops = stop_of(&request);
                let directory = directory_of(&request);
                if let Some((service, timeout_s)) = stops.clone() {
                    will_change(service, timeout_s, Cause::Unknown);
                }
                let audit = Audit::of(&request, &responder);
                let ident = ident_of(&request).cloned();
                // Before it is unloaded, or after it was loaded.
                let group = writer.group_of(ident.as_ref()).await;
                let result = writer.carry_out(request, &responder).await;
                let group = match group {
                    None => writer.group_of(ident.as_ref()).await,
                    group => group,
                };
                let timeout_s =
                    stops.and_then(|(_, timeout_s)| timeout_s).filter(|_| result.is_ok());
                let recorded = audit.map(|audit| {
                    writer.recorder.record(None, audit.of_group(group).fact(Outcome::of(&result)))
                });
                if let Some(ident) = ident {
                    let cause = recorded.filter(|_| result.is_ok()).into();
                    will_change(ident.name, timeout_s, cause);
                }
                drop(events.send(Event::Fleet(FleetEvent::SpecsWritten)));
                if let Some(service) = directory.filter(|_| result.is_ok()) {
                    // What was refused before was agreed to by loading it again.
                    let directory = Watch::Fleet(Watched::Directory(service));
                    drop(events.send(Event::Changed(directory)));
                }
                responder.finish(match result {
                    Ok(None) => Reply::Ok,
                    Ok(Some(why)) => Reply::Unchanged(why),
                    Err(failure) => failure.into(),
                });
            }
        });
        Self(commands)
    }

    pub(crate) fn handle(&self, request: Request, responder: Responder) {
        // Dropped with its responder, the command ends without an answer.
        let _ = self.0.send((request, responder));
    }
}

/// The service that a request loads from a directory.
fn directory_of(request: &Request) -> Option<String> {
    match request {
        Request::Load { ident, directory: Some(_), .. } => Some(ident.name.clone()),
        _ => None,
    }
}

/// The package of a request.
fn ident_of(request: &Request) -> Option<&PackageIdent> {
    match request {
        Request::Load { ident, .. }
        | Request::Update { ident, .. }
        | Request::Unload { ident, .. }
        | Request::Start { ident }
        | Request::Stop { ident, .. } => Some(ident),
        _ => None,
    }
}

/// The service that a request is to stop, and how long that may take.
fn stop_of(request: &Request) -> Option<(String, Option<u32>)> {
    match request {
        Request::Unload { ident, timeout_s } | Request::Stop { ident, timeout_s } => {
            Some((ident.name.clone(), *timeout_s))
        }
        _ => None,
    }
}

impl SpecWriter {
    /// The service group of a package whose service is loaded.
    async fn group_of(&self, ident: Option<&PackageIdent>) -> Option<String> {
        let spec = self.stored(ident?).await?;
        let organization = self.config.organization.as_deref();
        let group = ServiceGroup::new(&spec.ident.name, &spec.group, organization);
        group.ok().map(|group| group.to_string())
    }

    /// Gives the reason when there was nothing to change.
    async fn carry_out(
        &self,
        request: Request,
        responder: &Responder,
    ) -> Result<Option<String>, Failure> {
        let say = |line: &str| {
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
                let loaded = self.load(&ident, force, options, followed.as_ref(), client).await;
                loaded.map(|line| say(&line))?;
                Ok(None)
            }
            Request::Update { ident, options } => {
                let changed = self.update(&ident, options).await?;
                // Clients of Habitat get this line in either case.
                say(&format!("Updating {ident}"));
                Ok((!changed).then(|| format!("{ident} has these values already")))
            }
            Request::Unload { ident, .. } => {
                let unloaded = self.unload(&ident).await;
                unloaded.map(|()| say(&format!("Unloading {ident}")))?;
                Ok(None)
            }
            Request::Start { ident } => self.turn(&ident, DesiredState::Up, say).await,
            Request::Stop { ident, .. } => self.turn(&ident, DesiredState::Down, say).await,
            // Everything else is answered from the Supervisor's state.
            _ => Err(Failure::new(ErrorCode::NotSupported, "Not supported")),
        }
    }

    /// Loads a service: checks that it can run, then stores its spec. Returns the line for the
    /// user. A package that is not installed is taken from the cache of archives, and the client sees the progress.
    pub(crate) async fn load(
        &self,
        ident: &PackageIdent,
        force: bool,
        mut options: ServiceOptions,
        followed: Option<&Followed>,
        client: Option<&Responder>,
    ) -> Result<String, Failure> {
        // The next Supervisor may be started elsewhere.
        options.config_from = options.config_from.map(|path| {
            std::path::absolute(&path).map_or(path, |absolute| absolute.display().to_string())
        });
        let stored = self.refuse_loaded(ident, force).await?;
        let mut spec = stored.unwrap_or_else(|| ServiceSpec::new(ident.clone()));
        spec.merge_load(ident.clone(), options);
        let release = followed.and_then(|followed| followed.release.clone());
        let purpose = if client.is_some() { Purpose::Command } else { Purpose::Run };
        match self.check(&spec, release.as_ref(), purpose).await {
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
        Ok(format!("The {ident} service was successfully loaded"))
    }

    /// Refuses to load what is loaded already, unless it is forced; gives the spec that there is.
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

    /// Stages the directory that a client made its package of: what this Supervisor finds in it is
    /// what the operator agrees to.
    async fn stage_for(
        &self,
        ident: &PackageIdent,
        directory: PathBuf,
    ) -> Result<Followed, Failure> {
        let invalid = |text: String| Failure::new(ErrorCode::InvalidPayload, text);
        if !directory.is_absolute() {
            return Err(invalid(format!("{}: is not an absolute path", directory.display())));
        }
        let wanted = Wanted {
            root: self.config.root.clone(),
            directory: directory.clone(),
            origin: Some(ident.origin.clone()),
            keep: ident.release.is_some().then(|| ident.clone()).into_iter().collect(),
            pinned: None,
        };
        let staging = vital::spawn_blocking("staging", move || stage(wanted));
        let staged = match tokio::time::timeout(STAGING_PATIENCE, staging).await {
            Ok(Ok(staged)) => staged.map_err(|error| match error {
                NotStaged::Absent(text) => invalid(format!(
                    "{text}: a directory is loaded on the machine of its Supervisor"
                )),
                NotStaged::Refused(text) => invalid(text),
            })?,
            Ok(Err(error)) => return Err(Failure::new(ErrorCode::Internal, error.to_string())),
            Err(_) => {
                return Err(invalid(format!(
                    "{}: could not be read within {} secs; nothing was changed",
                    directory.display(),
                    STAGING_PATIENCE.as_secs()
                )));
            }
        };
        if (&staged.ident.origin, &staged.ident.name) != (&ident.origin, &ident.name) {
            return Err(invalid(format!(
                "{}: is {} for the Supervisor and {ident} for its client",
                directory.display(),
                staged.ident
            )));
        }
        for warning in &staged.warnings {
            self.output.sup(warning);
        }
        Ok(Followed::new(&directory, &staged))
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
        say: impl Fn(&str),
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
        say(&format!("Supervisor {verb} {ident}. See the Supervisor output for more details."));
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

    /// Checks that a service with this spec could be started, so that its user hears at once.
    /// `release` is the one that a plain directory stands for.
    async fn check(
        &self,
        spec: &ServiceSpec,
        release: Option<&PackageIdent>,
        purpose: Purpose,
    ) -> Result<(), Unfit> {
        let invalid = |text| Unfit::Refused(Failure::new(ErrorCode::InvalidPayload, text));
        let failed = |text| Unfit::Refused(Failure::new(ErrorCode::Internal, text));
        let ident = spec.ident.clone().validate().map_err(|error| failed(error.to_string()))?;
        let organization = self.config.organization.as_deref();
        roost_ident::ServiceGroup::new(&ident.name, &spec.group, organization)
            .map_err(|error| invalid(error.to_string()))?;
        let blueprint = Blueprint {
            root: self.config.root.clone(),
            spec: spec.clone(),
            pin: release.map(ToString::to_string),
            exact: false,
            directory: None,
            interpreter: self.config.interpreter.clone(),
            prepare: false,
            purpose,
        };
        // One command after the other: a file system that does not answer must not stop them all.
        let checked = vital::spawn_blocking("check of a spec", move || {
            let built = guarded(|| blueprint.build().map(drop));
            built.unwrap_or_else(|bug| Err(BuildFailure::Refused(bug)))
        });
        let Ok(checked) = tokio::time::timeout(DISK_PATIENCE, checked).await else {
            return Err(failed(format!(
                "The files of {ident} could not be read within {} secs; does a file system not \
                 answer? Nothing was changed.",
                DISK_PATIENCE.as_secs()
            )));
        };
        match checked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(BuildFailure::NotInstalled(_))) => Err(Unfit::NotInstalled),
            Ok(Err(BuildFailure::NotRunnable(package))) => {
                let text = format!("Can't start non-runnable service: {package}");
                self.output.line("hab-sup", "UT", &text);
                Err(failed(format!("Package is not runnable: {package}")))
            }
            Ok(Err(BuildFailure::Binds(text))) => Err(invalid(text)),
            Ok(Err(failure)) => Err(failed(failure.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Tells once that a spec asks for updates, which do not exist yet.
    fn tell_of_updates(&self, spec: &ServiceSpec) {
        let asks = spec.update_strategy != UpdateStrategy::None
            || spec.channel != CHANNEL_DEFAULT
            || spec.bldr_url.trim_end_matches('/') != BLDR_URL_DEFAULT;
        if asks && !self.updates_told.swap(true, Ordering::Relaxed) {
            self.output.sup(&format!(
                "Updates are not supported yet: strategy '{}', channel '{}' and url '{}' of {} \
                 are stored and shown, and have no effect",
                spec.update_strategy, spec.channel, spec.bldr_url, spec.ident
            ));
        }
    }

    async fn write(&self, spec: &ServiceSpec) -> Result<(), Failure> {
        self.tell_of_updates(spec);
        let path = self.config.root.sup().spec_file(&spec.ident.name);
        let written = self.store.write(&path, spec.to_toml().into_bytes(), 0o600).await;
        written.map_err(|error| internal(&path, &error))
    }
}

/// Why a service with some spec could not be started.
#[derive(Debug)]
enum Unfit {
    /// No release of its package is installed.
    NotInstalled,
    /// Something else, as clients are answered.
    Refused(Failure),
}

impl Unfit {
    fn into_failure(self, spec: &ServiceSpec) -> Failure {
        match self {
            Self::NotInstalled => Failure::new(
                ErrorCode::Internal,
                format!("Cannot find a release of package: {}", spec.ident),
            ),
            Self::Refused(failure) => failure,
        }
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

/// A directory that is to be staged.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) root: FsRoot,
    pub(crate) directory: PathBuf,
    /// Origin of its package if it names none; without it that of the environment.
    pub(crate) origin: Option<String>,
    /// Releases that must stay.
    pub(crate) keep: Vec<PackageIdent>,
    /// What it may not change by itself.
    pub(crate) pinned: Option<Pinned>,
}

/// Why a directory was not staged, for the user. There may be several lines.
#[derive(Debug)]
pub(crate) enum NotStaged {
    /// It is not there.
    Absent(String),
    Refused(String),
}

impl NotStaged {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Absent(text) | Self::Refused(text) => text,
        }
    }
}

/// Makes a release of a plain directory.
///
/// # Errors
/// Lines for the user.
pub(crate) fn stage(wanted: Wanted) -> Result<Staged, NotStaged> {
    let Wanted { root, directory, origin, keep, pinned } = wanted;
    let origin_env = origin.or_else(|| env::var("HAB_ORIGIN").ok());
    let options = StageOptions { origin_env, keep, pinned, leave_out: own_output() };
    let staged = guarded(|| staging::stage_directory(&root, &directory, &options));
    staged.map_err(NotStaged::Refused)?.map_err(|error| {
        let absent = matches!(&error, StageError::Io { path, source }
            if *path == directory && roost_pkg::read::is_absent(source));
        match absent {
            true => NotStaged::Absent(error.to_string()),
            false => NotStaged::Refused(error.to_string()),
        }
    })
}

/// The files that this process and its launcher print to, by device and number: a log that lies in
/// a directory is not part of it. Into a file the launcher writes for both.
pub(crate) fn own_output() -> Vec<(u64, u64)> {
    let identity = |path: &str| {
        let found = std::fs::metadata(path).ok()?;
        found.is_file().then(|| (found.dev(), found.ino()))
    };
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let paths = ["self".to_owned(), parent.to_string()]
        .into_iter()
        .flat_map(|process| [format!("/proc/{process}/fd/1"), format!("/proc/{process}/fd/2")]);
    paths.filter_map(|path| identity(&path)).collect()
}
