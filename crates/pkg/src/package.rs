//! The facts of one installed release that the Supervisor needs.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use roost_ident::{Hook, PackageIdent, ShutdownSignal};

use crate::{
    env,
    metafile::{
        self, DEFAULT_SHUTDOWN_TIMEOUT_S, Fault, MAX_METAFILE_BYTES, MetafileError, PackageBind,
        PackageType,
    },
    read::read_text,
    root::FsRoot,
    write,
};

/// The facts of an installed package (reference: packages §4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its fully qualified identifier.
    pub ident: PackageIdent,
    /// Its directory, including `FS_ROOT`: `pkg.path` in documents and templates.
    pub path: PathBuf,
    /// Whether its hooks have the interpreter package in `PATH`.
    pub kind: PackageType,
    /// Direct dependencies, in file order.
    pub deps: Vec<PackageIdent>,
    /// All dependencies, direct ones first, in file order: `pkg.deps` in documents and templates.
    pub tdeps: Vec<PackageIdent>,
    /// Binds that a service of this package needs, in file order.
    pub binds: Vec<PackageBind>,
    /// Optional binds, in file order.
    pub binds_optional: Vec<PackageBind>,
    /// Exports to the ring: public key to path in the configuration.
    pub exports: BTreeMap<String, String>,
    /// Ports, as text.
    pub exposes: Vec<String>,
    /// `SVC_USER`; [`crate::user`] decides which user the service runs as.
    pub svc_user: Option<String>,
    /// `SVC_GROUP`.
    pub svc_group: Option<String>,
    /// Signal that stops the service.
    pub shutdown_signal: ShutdownSignal,
    /// Seconds between that signal and SIGKILL; a spec may override it.
    pub shutdown_timeout_s: u32,
    /// How long hooks may run, in seconds, as far as the package states it.
    pub hook_timeouts_s: BTreeMap<Hook, u32>,
    /// The program or hook that the service executes.
    pub run: RunSource,
    /// Environment of its programs (reference: packages §4.8), before that of this process is
    /// added.
    pub environment: BTreeMap<String, String>,
}

/// The source of the run file of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunSource {
    /// The template `hooks/run`.
    Hook,
    /// The file `run` in the package's root, copied unchanged.
    File,
    /// None: the package has no service.
    None,
}

impl Package {
    /// Reads all facts of an installed release, as [`crate::install::resolve`] found it.
    ///
    /// # Errors
    /// When the identifier is not fully qualified, a metafile cannot be read or is malformed, or a
    /// dependency whose `PATH` is needed is not installed.
    pub fn load(root: &FsRoot, ident: PackageIdent) -> Result<Self, MetafileError> {
        if !ident.is_fully_qualified() || ident.clone().validate().is_err() {
            return Err(MetafileError::NotARelease(ident.to_string()));
        }
        let dir = Metafiles::new(root.pkg_path(&ident));
        let deps = dir.idents("DEPS")?;
        let tdeps = dir.idents("TDEPS")?;
        let environment = env::package_environment(root, &ident, &dir, &deps, &tdeps)?;
        let without_lines = |idents: Vec<(usize, PackageIdent)>| {
            idents.into_iter().map(|(_, ident)| ident).collect::<Vec<_>>()
        };
        Ok(Self {
            kind: dir.parsed("PACKAGE_TYPE", metafile::parse_type)?.unwrap_or_default(),
            deps: without_lines(deps),
            tdeps: without_lines(tdeps),
            binds: dir.parsed("BINDS", metafile::parse_binds)?.unwrap_or_default(),
            binds_optional: dir
                .parsed("BINDS_OPTIONAL", metafile::parse_binds)?
                .unwrap_or_default(),
            exports: dir.pairs("EXPORTS", "key=path.in.config")?,
            exposes: dir
                .text("EXPOSES")?
                .map_or_else(Vec::new, |text| metafile::parse_exposes(&text)),
            svc_user: dir.word("SVC_USER")?,
            svc_group: dir.word("SVC_GROUP")?,
            shutdown_signal: dir
                .parsed("SHUTDOWN_SIGNAL", metafile::parse_signal)?
                .unwrap_or_default(),
            shutdown_timeout_s: dir
                .parsed("SHUTDOWN_TIMEOUT", metafile::parse_timeout_s)?
                .unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT_S),
            hook_timeouts_s: dir
                .parsed("HOOK_TIMEOUTS", metafile::parse_hook_timeouts)?
                .unwrap_or_default(),
            run: run_source(&dir.path),
            environment,
            path: dir.path,
            ident,
        })
    }

    /// True when the package is a service.
    #[must_use]
    pub fn is_runnable(&self) -> bool {
        self.run != RunSource::None
    }

    /// Required binds, then optional ones: `all_pkg_binds` in documents.
    pub fn all_binds(&self) -> impl Iterator<Item = &PackageBind> {
        self.binds.iter().chain(&self.binds_optional)
    }
}

/// The run source of a directory with hooks; `hooks/run` wins.
#[must_use]
pub fn run_source(dir: &Path) -> RunSource {
    if dir.join("hooks/run").is_file() {
        RunSource::Hook
    } else if dir.join("run").is_file() {
        RunSource::File
    } else {
        RunSource::None
    }
}

const INSTALL_HOOK_STATUS: &str = "INSTALL_HOOK_STATUS";

/// The exit code of a package's install hook; `None` when it never ran.
///
/// # Errors
/// When the file cannot be read or does not hold a number.
pub fn install_hook_status(package_dir: &Path) -> Result<Option<i32>, MetafileError> {
    Metafiles::new(package_dir.into()).parsed(INSTALL_HOOK_STATUS, metafile::parse_hook_status)
}

/// Records the exit code of a package's install hook.
///
/// # Errors
/// Errors of the operating system.
pub fn write_install_hook_status(package_dir: &Path, code: i32) -> io::Result<()> {
    write::write_atomic(&package_dir.join(INSTALL_HOOK_STATUS), code.to_string().as_bytes(), 0o644)
}

/// The metafiles of one directory.
pub(crate) struct Metafiles {
    pub(crate) path: PathBuf,
}

impl Metafiles {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The text of a metafile, `None` when it is missing.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, MetafileError> {
        Ok(read_text(&self.path.join(name), MAX_METAFILE_BYTES)?)
    }

    /// The trimmed text; `None` when it is empty or missing.
    fn word(&self, name: &str) -> Result<Option<String>, MetafileError> {
        let text = self.text(name)?.map(|text| text.trim().to_owned());
        Ok(text.filter(|word| !word.is_empty()))
    }

    fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, MetafileError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|fault| fault.within(&self.path.join(name)))
    }

    /// `key=value` lines; none when the file is missing.
    pub(crate) fn pairs(
        &self,
        name: &str,
        form: &str,
    ) -> Result<BTreeMap<String, String>, MetafileError> {
        let pairs = self.parsed(name, |text| metafile::parse_pairs(text, form))?;
        Ok(pairs.unwrap_or_default())
    }

    /// Identifiers with their lines; none when the file is missing.
    fn idents(&self, name: &str) -> Result<Vec<(usize, PackageIdent)>, MetafileError> {
        Ok(self.parsed(name, metafile::parse_idents)?.unwrap_or_default())
    }
}
