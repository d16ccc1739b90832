//! What a service is made of, read from disk: package, user, environment, templates, and the
//! configuration layers that are files.
//!
//! Reading takes as long as the disk wants, so it runs beside the Supervisor's task. A service
//! is read again at each start (reference: packages §4.4); nothing is cached between starts.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use roost_ident::{Hook, PackageIdent};
use roost_pkg::{
    FsRoot, Package, SvcPaths, dirs,
    env::{hook_environment, interpreter_path},
    install,
    metafile::PackageBind,
    package::{self, RunSource},
    sources,
    user::{self, Credentials, ServiceUser},
};
use roost_service::{BuildFailure, Plan, ServiceSpec, validate_binds};
use roost_template::{ConfigError, RenderError, TemplateError, TemplateSet, config};

use super::{
    environment, monitor,
    user_layer::{self, UserLayer},
};

/// A service read from disk.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) package: Package,
    pub(crate) svc: SvcPaths,
    /// Where its templates were read.
    pub(crate) places: Places,
    pub(crate) user: ServiceUser,
    /// Whom its processes become; `None` when this process cannot become another user.
    pub(crate) credentials: Option<Credentials>,
    /// Laid over the environment of the Supervisor for every process of the service.
    pub(crate) environment: BTreeMap<String, String>,
    /// Hooks of the service by name; a template that does not parse is not among them.
    pub(crate) hooks: BTreeMap<Hook, TemplateSet>,
    /// The templates of `config/`.
    pub(crate) config: TemplateSet,
    /// Where its `monitor.toml` comes from.
    pub(crate) monitor: monitor::Source,
    /// Where the program to run comes from.
    pub(crate) run: RunSource,
    /// Layers of the configuration that come from files and the environment.
    pub(crate) layers: config::Layers,
    /// Why `user.toml` is not the file as it is now.
    pub(crate) user_fault: Option<String>,
    /// What the copy of `user.toml` is to hold, if it does not.
    pub(crate) user_to_keep: Option<String>,
    /// Packages with an `install` hook that has not succeeded yet, dependencies first.
    pub(crate) installs: Vec<PackageIdent>,
    /// Lines for the user, preamble package name, key `HK`.
    pub(crate) complaints: Vec<String>,
}

/// Where the templates of a service come from, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    source: PathBuf,
    /// The plain directory that the release was staged from.
    directory: Option<PathBuf>,
}

impl Places {
    /// Those of an installed package.
    pub(crate) fn of(source: PathBuf) -> Self {
        Self { source, directory: None }
    }

    /// A file such as `config/app.conf`, where its author finds it, with line and column.
    pub(crate) fn name(&self, file: &str, position: Option<(usize, usize)>) -> String {
        let path = match &self.directory {
            Some(directory) => roost_pkg::stage::original(directory, file),
            None => self.source.join(file),
        };
        let place = position.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
        format!("{}{place}", path.display())
    }

    /// A template of these that does not parse.
    pub(crate) fn unparsed(&self, file: &str, error: &TemplateError) -> String {
        format!("{}: {}", self.name(file, error.position()), error.reason())
    }

    /// One that cannot be rendered.
    pub(crate) fn unrendered(&self, file: &str, error: &RenderError) -> String {
        format!("{}: {}", self.name(file, error.position), error.explanation)
    }
}

/// What a service is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A command: its user is there to correct what is wrong.
    Command,
    /// To run.
    Run,
    /// For its last hook: its spec is gone, and with it what it was bound to.
    End,
}

/// What is to be read, and where.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) root: FsRoot,
    pub(crate) spec: ServiceSpec,
    /// The release of a process that was taken back, or that was checked.
    pub(crate) pin: Option<String>,
    /// Only that release will do.
    pub(crate) exact: bool,
    /// The plain directory that its releases are staged from.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) interpreter: PackageIdent,
    /// False to only look: no directory is made, nothing is changed on disk.
    pub(crate) prepare: bool,
    pub(crate) purpose: Purpose,
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for `map_err`")]
fn refuse(error: impl ToString) -> BuildFailure {
    BuildFailure::Refused(error.to_string())
}

impl Blueprint {
    /// Reads the service.
    pub(crate) fn build(&self) -> Result<Built, BuildFailure> {
        let package = self.package()?;
        if self.purpose != Purpose::End {
            self.check_binds(&package)?;
        }
        let no_user = |error: user::UserError| BuildFailure::NoUser(error.to_string());
        let service_user = user::names(&package).map_err(no_user)?;
        let credentials = match user::capable() {
            true => Some(user::credentials(&service_user).map_err(no_user)?),
            false => None,
        };
        // The development directory stands in for the package's own templates.
        let source = self.spec.config_from.as_ref().map_or(package.path.clone(), PathBuf::from);
        let directory = self.directory.clone().filter(|_| self.spec.config_from.is_none());
        let places = Places { source: source.clone(), directory };
        let run = self.run_source(&source, &package)?;
        let (hooks, complaints) = self.hooks(&source, &places)?;
        let config = TemplateSet::with_root(
            &self.root.path().display().to_string(),
            sources::config_tree(&source.join("config")).map_err(refuse)?,
        )
        .map_err(|error| {
            let file = format!("config/{}", error.name());
            refuse(places.unparsed(&file, &error))
        })?;
        let user = self.user_layer()?;
        let layers = self.layers(&source, &places, user.table)?;
        let svc = self.root.svc(&self.spec.ident.name);
        if self.prepare {
            prepare(&svc, credentials.as_ref())?;
        }
        Ok(Built {
            environment: self.environment(&package).map_err(refuse)?,
            installs: self.outstanding_installs(&package),
            package,
            svc,
            user: service_user,
            credentials,
            hooks,
            config,
            monitor: monitor::Source::read(&self.root, &self.spec.ident.name, &source, &places),
            places,
            run,
            layers,
            user_fault: user.fault,
            user_to_keep: user.to_keep,
            complaints,
        })
    }

    /// The pinned release if it is still there, else the newest that satisfies the spec.
    fn package(&self) -> Result<Package, BuildFailure> {
        let pinned = self.pin.as_ref().and_then(|pin| pin.parse().ok());
        let pinned = pinned.filter(|pin: &PackageIdent| {
            pin.name == self.spec.ident.name && (self.exact || pin.satisfies(&self.spec.ident))
        });
        let missing = |error: install::ResolveError| BuildFailure::NotInstalled(error.to_string());
        let found = pinned.map(|pin| install::resolve(&self.root, &pin).map_err(missing));
        let found = match found {
            Some(Ok(found)) => found,
            Some(Err(error)) if self.exact => return Err(error),
            _ => install::resolve(&self.root, &self.spec.ident).map_err(missing)?,
        };
        let package = Package::load(&self.root, found.ident).map_err(refuse)?;
        if package.is_runnable() {
            Ok(package)
        } else {
            Err(BuildFailure::NotRunnable(package.ident.to_string()))
        }
    }

    /// Every required bind must be there, and no unknown one.
    fn check_binds(&self, package: &Package) -> Result<(), BuildFailure> {
        let names =
            |binds: &[PackageBind]| binds.iter().map(|bind| bind.name.clone()).collect::<Vec<_>>();
        validate_binds(&self.spec, &names(&package.binds), &names(&package.binds_optional))
            .map_err(|error| BuildFailure::Binds(error.to_string()))
    }

    fn run_source(&self, source: &Path, package: &Package) -> Result<RunSource, BuildFailure> {
        match (package::run_source(source), package.run) {
            (RunSource::Hook, _) => Ok(RunSource::Hook),
            // The package's own `run` file, also when only the templates come from elsewhere.
            (_, RunSource::File) => Ok(RunSource::File),
            _ => Err(refuse(format!("{} has no hooks/run", source.display()))),
        }
    }

    /// Hooks that parse, and a line for each that does not. A `run` hook that does not parse
    /// refuses the service: otherwise the program of an older release would run.
    fn hooks(
        &self,
        source: &Path,
        places: &Places,
    ) -> Result<(BTreeMap<Hook, TemplateSet>, Vec<String>), BuildFailure> {
        let root = self.root.path().display().to_string();
        let (mut hooks, mut complaints) = (BTreeMap::new(), Vec::new());
        for (hook, text) in sources::hooks(source).map_err(refuse)? {
            if matches!(hook, Hook::Install | Hook::Uninstall) {
                continue;
            }
            match TemplateSet::with_root(&root, [(hook.to_string(), text)]) {
                Ok(template) => drop(hooks.insert(hook, template)),
                Err(error) => {
                    let text = places.unparsed(&format!("hooks/{hook}"), &error);
                    if hook == Hook::Run {
                        return Err(refuse(text));
                    }
                    complaints.push(format!("Failed to load hook: {text}"));
                }
            }
        }
        Ok((hooks, complaints))
    }

    /// A command hears of an error; what is loaded runs with the last good copy.
    fn user_layer(&self) -> Result<UserLayer, BuildFailure> {
        let (root, name) = (&self.root, self.spec.ident.name.as_str());
        let layer = match self.purpose {
            Purpose::Command => user_layer::read(root, name),
            Purpose::Run | Purpose::End => user_layer::read_or_kept(root, name),
        };
        layer.map_err(refuse)
    }

    fn layers(
        &self,
        source: &Path,
        places: &Places,
        user: Option<toml::Table>,
    ) -> Result<config::Layers, BuildFailure> {
        let default = sources::default_toml(source).map_err(refuse)?;
        let default = default
            .map(|text| config::parse_toml(&text))
            .transpose()
            .map_err(|error| refuse(toml_fault(&places.name("default.toml", None), &error)))?;
        let name = &self.spec.ident.name;
        let environment = environment::configuration(name)
            .map(|text| config::parse_environment(name, &text))
            .transpose()
            .map_err(refuse)?;
        Ok(config::Layers { default, environment, user, gossip: None })
    }

    fn environment(
        &self,
        package: &Package,
    ) -> Result<BTreeMap<String, String>, roost_pkg::MetafileError> {
        let path = env::var("PATH").ok();
        let has_certificates = env::var_os("SSL_CERT_FILE").is_some();
        let interpreter = interpreter_path(&self.root, &self.interpreter)?;
        Ok(hook_environment(package, &interpreter, path.as_deref(), has_certificates))
    }

    fn outstanding_installs(&self, package: &Package) -> Vec<PackageIdent> {
        let dependencies = package.tdeps.iter().rev();
        let outstanding = |ident: &&PackageIdent| {
            let path = self.root.pkg_path(ident);
            path.join("hooks/install").is_file()
                && package::install_hook_status(&path).ok().flatten() != Some(0)
        };
        dependencies.chain([&package.ident]).filter(outstanding).cloned().collect()
    }
}

/// Makes the directories of a service.
pub(super) fn prepare(
    svc: &SvcPaths,
    credentials: Option<&Credentials>,
) -> Result<(), BuildFailure> {
    dirs::prepare(svc, credentials).map_err(|error| BuildFailure::Directory {
        path: error.dir.display().to_string(),
        error: error.source.to_string(),
    })
}

/// What is wrong with a configuration file, in one line.
pub(crate) fn toml_fault(path: &str, error: &ConfigError) -> String {
    match error {
        ConfigError::Toml(fault) => {
            let (line, column) = fault.position;
            format!("{path}:{line}:{column}: {}", fault.message)
        }
        error => format!("{path}: {error}"),
    }
}

impl Built {
    /// The facts that the state machine decides by.
    pub(crate) fn plan(&self) -> Plan {
        // Without the capabilities to change users it runs as this process.
        let own = self.credentials.is_none().then(|| user::current().unwrap_or(self.user.clone()));
        let user = own.as_ref().unwrap_or(&self.user);
        Plan {
            ident: self.package.ident.to_string(),
            hooks: self.hooks.keys().copied().collect(),
            installs: !self.installs.is_empty(),
            user: Some(user.user.clone()),
            group: Some(user.group.clone()),
            incapable_user: own.as_ref().map(|own| own.user.clone()),
            shutdown_signal: self.package.shutdown_signal,
            shutdown_timeout_s: Some(self.package.shutdown_timeout_s),
            hook_timeouts_ms: {
                let stated = self.package.hook_timeouts_s.iter();
                stated.map(|(hook, seconds)| (*hook, u64::from(*seconds) * 1_000)).collect()
            },
        }
    }
}
