//! A service directory as a signed package archive: `hab pkg build` (reference: packages §13).
//!
//! The directory is staged as for `hab sup run DIR`, in a separate tree. The build adds what a
//! staged release lacks: dependencies, search paths, `MANIFEST`, `FILES`. The release is the time
//! of the newest content, or as given, and is also the time of every entry: the same content with
//! the same times gives the same archive, byte for byte, on any machine with the same key and
//! dependencies.

mod literals;
mod manifest;
mod metafiles;

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use roost_crypto::SigningSecretKey;
use roost_hart::{HartError, PayloadHash, pack};
use roost_ident::{PackageIdent, PackageTarget, time};

use crate::{
    artifacts,
    install::ResolveError,
    metafile::{Fault, MetafileError},
    read::{ReadError, read_text},
    root::FsRoot,
    stage::{StageError, StageOptions, stage_directory},
};

/// Files of a staged release that have no use in a package.
const STAGING_FILES: [&str; 2] = ["STAGED", "STAGED_FILES"];

/// Inputs of a build besides the directory.
#[derive(Debug)]
pub struct BuildOptions<'a> {
    /// Where dependencies are installed.
    pub root: &'a FsRoot,
    /// Origin from the environment variable `HAB_ORIGIN` or its equivalent.
    pub origin: Option<String>,
    /// The release; by default the time of the newest content.
    pub release: Option<String>,
    /// xz preset.
    pub level: u32,
}

/// A release made from a directory, not yet packed.
#[derive(Debug)]
pub struct Release {
    /// Its identifier.
    pub ident: PackageIdent,
    /// Warnings for the user, one line each.
    pub warnings: Vec<String>,
    /// Directory of its files.
    tree: PathBuf,
    mtime_s: i64,
    level: u32,
    declared: literals::Declared,
    /// Removed when the release is dropped.
    _scratch: Scratch,
}

/// A finished package archive.
#[derive(Debug)]
pub struct Built {
    /// Path of the archive.
    pub path: PathBuf,
    /// The hash of its payload.
    pub hash: PayloadHash,
}

/// Why no package was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The directory is not a service directory.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A plan has a value that only running it would give.
    #[error("{}:{line}: {problem}", path.display())]
    Fault {
        /// The plan.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The problem and its remedy.
        problem: String,
    },
    /// The given release is not a 14-digit time.
    #[error("'{0}' is not a valid release: write a UTC time as 14 digits, such as 20250101000000")]
    Release(String),
    /// A dependency is not installed.
    #[error("{0}; install it, so that the package names the very release it was built with")]
    Dependency(#[from] ResolveError),
    /// Two releases of one dependency are required.
    #[error("{one} and {other} are both needed at run time; a package can have only one of them")]
    TwoReleases {
        /// One release.
        one: String,
        /// The other release.
        other: String,
    },
    /// A metafile of a dependency is malformed.
    #[error(transparent)]
    Metafile(#[from] MetafileError),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The content cannot be part of a package.
    #[error(transparent)]
    Archive(#[from] HartError),
    /// A system call failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The affected path.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl BuildError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    fn fault(path: &Path, fault: Fault) -> Self {
        Self::Fault { path: path.into(), line: fault.line, problem: fault.problem }
    }
}

/// A directory that is removed when this is dropped.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A remainder lies in the temporary directory, which the system cleans up.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a release of a directory, in a separate place below the system's temporary directory.
///
/// # Errors
/// See [`BuildError`].
pub fn prepare(dir: &Path, options: &BuildOptions<'_>) -> Result<Release, BuildError> {
    let scratch = scratch()?;
    let own = FsRoot::new(scratch.0.clone()).map_err(|e| BuildError::io(&scratch.0, e))?;
    let stage_options =
        StageOptions { origin_env: options.origin.clone(), ..StageOptions::default() };
    let staged = stage_directory(&own, dir, &stage_options)?;
    let staged_at = own.pkg_path(&staged.ident);
    let release = match &options.release {
        Some(release) if time::parse_stamp(release).is_none() => {
            return Err(BuildError::Release(release.clone()));
        }
        Some(release) => Some(release.clone()),
        None => staged.ident.release.clone(),
    };
    let mtime_s = release.as_deref().and_then(time::parse_stamp).unwrap_or_default();
    let ident = PackageIdent { release, ..staged.ident };
    let tree = scratch.0.join("release");
    fs::rename(&staged_at, &tree).map_err(|error| BuildError::io(&tree, error))?;
    for name in STAGING_FILES {
        match fs::remove_file(tree.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BuildError::io(&tree.join(name), error));
            }
            _ => {}
        }
    }
    let declared = literals::read(dir)?;
    unroot_run_script(&tree, &scratch.0)?;
    metafiles::write_all(&tree, &ident, &declared, options.root)?;
    // Warnings of staging that dependencies have no effect do not apply to a build.
    let mut warnings = staged.warnings;
    warnings.retain(|warning| !warning.contains("pkg_deps"));
    let level = options.level;
    Ok(Release { ident, warnings, tree, mtime_s, level, declared, _scratch: scratch })
}

impl Release {
    /// Signs and packs the release into a directory.
    ///
    /// # Errors
    /// When the content cannot be part of a package; errors of the operating system.
    pub fn pack(&self, key: &SigningSecretKey, directory: &Path) -> Result<Built, BuildError> {
        manifest::write_files(&self.tree, &self.ident, key)?;
        manifest::write_manifest(&self.tree, &self.ident, &self.declared)?;
        fs::create_dir_all(directory).map_err(|error| BuildError::io(directory, error))?;
        let name = artifacts::file_name(&self.ident, PackageTarget::active());
        let path = directory.join(&name);
        let temporary = directory.join(format!(".{name}.{}.tmp", std::process::id()));
        let mtime_s = u64::try_from(self.mtime_s).unwrap_or_default();
        let options = pack::PackOptions { level: self.level, mtime_s };
        let hash = pack::pack(&self.tree, &self.ident, key, options, &temporary)?;
        fs::rename(&temporary, &path).map_err(|error| BuildError::io(&path, error))?;
        Ok(Built { path, hash })
    }
}

/// Writes a world-readable file of the release.
fn write(tree: &Path, name: &str, content: &[u8]) -> Result<(), BuildError> {
    let path = tree.join(name);
    let failed = |error| BuildError::io(&path, error);
    fs::write(&path, content).map_err(failed)?;
    fs::set_permissions(&path, Permissions::from_mode(0o644)).map_err(failed)
}

/// The start script of a plan's `pkg_svc_run` contains paths below the staging tree; in a package
/// they start at `/`.
fn unroot_run_script(tree: &Path, scratch: &Path) -> Result<(), BuildError> {
    let path = tree.join("run");
    let Some(text) = read_text(&path, crate::sources::MAX_TEMPLATE_BYTES)? else { return Ok(()) };
    let prefix = scratch.to_string_lossy();
    if !text.contains(prefix.as_ref()) {
        return Ok(());
    }
    fs::write(&path, text.replace(prefix.as_ref(), "")).map_err(|e| BuildError::io(&path, e))
}

/// An empty directory that other users cannot read.
fn scratch() -> Result<Scratch, BuildError> {
    use std::os::unix::fs::DirBuilderExt;
    let place = std::env::temp_dir();
    for number in 0..1000 {
        let path = place.join(format!("roost-build-{}-{number}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {
                let path = fs::canonicalize(&path).map_err(|error| BuildError::io(&path, error))?;
                return Ok(Scratch(path));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(BuildError::io(&path, error)),
        }
    }
    Err(BuildError::io(&place, io::ErrorKind::AlreadyExists.into()))
}

/// The hash of a file, for `FILES`.
fn hash_file(path: &Path) -> Result<PayloadHash, BuildError> {
    let failed = |error| BuildError::io(path, error);
    PayloadHash::of(File::open(path).map_err(failed)?).map_err(failed)
}
