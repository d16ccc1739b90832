//! Installing archives with their dependencies (reference: packages §9).
//!
//! Every archive is verified and unpacked next to its destination before the first one is renamed:
//! whatever fails, and whenever the process ends, each release is either complete or absent.
//! Dependencies come first.

use std::{
    io,
    path::{Path, PathBuf},
};

use roost_crypto::{KeyCache, NamedRevision, SigningPublicKey};
use roost_hart::{Archive, HartError};
use roost_ident::{PackageIdent, PackageIdentError, PackageTarget, PackageTargetError};

use crate::{
    artifacts::{self, Artifacts},
    graph, install,
    metafile::{MAX_METAFILE_BYTES, MetafileError},
    read::read_text,
    root::FsRoot,
    staging::{self, Staging, TreeLock},
};

/// What to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A package archive on this machine.
    Archive(LocalArchive),
    /// A release from those installed or cached.
    Ident(PackageIdent),
}

/// An archive with its identifier and target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalArchive {
    /// Path of the archive.
    pub path: PathBuf,
    /// Its identifier as declared in it; not verified.
    pub ident: PackageIdent,
    /// Its platform.
    pub target: PackageTarget,
}

/// Steps of an installation, as reported to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Looks for the newest release of an identifier.
    Determining(&'a PackageIdent),
    /// Verifies an archive.
    Verifying(&'a PackageIdent),
    /// A release is already installed.
    Using(&'a PackageIdent),
    /// A release is installed now.
    Installed(&'a PackageIdent),
}

/// Result of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The requested release.
    pub ident: PackageIdent,
    /// All its dependencies, the deepest last.
    pub dependencies: Vec<PackageIdent>,
    /// Number of newly installed releases.
    pub new_packages: usize,
}

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An archive is bad, or cannot be read.
    #[error(transparent)]
    Archive(#[from] HartError),
    /// An identifier is not valid.
    #[error(transparent)]
    Ident(#[from] PackageIdentError),
    /// A target is not valid.
    #[error(transparent)]
    Target(#[from] PackageTargetError),
    /// An identifier in an archive is not fully qualified.
    #[error("Fully-qualified package identifier was expected, but found: \"{0}\"")]
    NotQualified(String),
    /// The archive with the name of one release holds another.
    #[error("Artifact ident {found} for `{}' does not match expected ident {wanted}", path.display())]
    OtherIdent {
        /// The archive.
        path: PathBuf,
        /// The identifier in it.
        found: String,
        /// The expected identifier.
        wanted: String,
    },
    /// The archive is for another platform.
    #[error(
        "Package target '{0}' is not supported as this system has a different active package \
         target '{active}'",
        active = PackageTarget::active()
    )]
    OtherTarget(PackageTarget),
    /// The public key of the signer is missing.
    #[error(
        "Crypto error: Key not found in cache: {}\n\
         The archive is signed with the key {signer}, whose public half is not on this machine. \
         If you trust its owner, get it there (hab origin key export {origin}) and import it: \
         hab origin key import < {signer}.pub",
        path.display(),
        origin = signer.name()
    )]
    UnknownSigner {
        /// Name of the key.
        signer: NamedRevision,
        /// Path where it should be.
        path: PathBuf,
    },
    /// No archive of a release was found.
    #[error(
        "Cached artifact not found: {ident}\n\
         It is neither installed nor in {}{beside}. Put its archive there, or install it first: \
         hab pkg install {file}. Downloading from Builder is not supported yet.",
        cache.display()
    )]
    NoArchive {
        /// The release.
        ident: String,
        /// The artifact cache.
        cache: PathBuf,
        /// The other directory that was searched.
        beside: String,
        /// File name of the archive.
        file: String,
    },
    /// No installed or cached release matches.
    #[error(
        "No installed package or cached artifact could be found locally: {0}\n\
         Downloading from Builder is not supported yet: install an archive, \
         hab pkg install FILE.hart"
    )]
    NothingLocal(PackageIdent),
    /// The directory of a release holds something else.
    #[error(
        "{} is in the way: it is not empty and is not a package for this machine; move it away",
        .0.display()
    )]
    InTheWay(PathBuf),
    /// A metafile of an installed package is malformed.
    #[error(transparent)]
    Metafile(#[from] MetafileError),
    /// A system call failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl LocalArchive {
    /// Reads the identifier and target of an archive.
    ///
    /// # Errors
    /// When it is not an archive, or its `TARGET` or `IDENT` is not valid.
    pub fn read(path: &Path) -> Result<Self, SetupError> {
        let Description { ident, target } = describe(&Archive::open(path)?)?;
        Ok(Self { path: path.into(), ident, target })
    }
}

/// What the header and metafiles of an archive hold.
struct Description {
    ident: PackageIdent,
    target: PackageTarget,
}

fn describe(archive: &Archive) -> Result<Description, SetupError> {
    let metafiles = archive.metafiles(&["TARGET", "IDENT"])?;
    description(|name| Ok(metafiles.get(name).cloned()))
}

/// The same, of an archive that is unpacked: nothing of it is decompressed twice.
fn staged_description(staging: &Staging) -> Result<Description, SetupError> {
    description(|name| {
        let path = staging.path().join(name);
        let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
        let read = is_file.then(|| read_text(&path, MAX_METAFILE_BYTES)).transpose();
        Ok(read.map_err(MetafileError::from)?.flatten())
    })
}

fn description(
    read: impl Fn(&str) -> Result<Option<String>, SetupError>,
) -> Result<Description, SetupError> {
    let text = |name: &str| {
        read(name)?.ok_or_else(|| SetupError::from(HartError::NoMetafile(name.into())))
    };
    let target = text("TARGET")?.trim().parse()?;
    let ident: PackageIdent = text("IDENT")?.trim().parse()?;
    Ok(Description { ident: ident.validate()?, target })
}

/// Checks that the archive at a path is that of a release, for this machine.
fn check(wanted: &PackageIdent, found: &Description, path: &Path) -> Result<(), SetupError> {
    if found.ident != *wanted {
        let (found, wanted) = (found.ident.to_string(), wanted.to_string());
        return Err(SetupError::OtherIdent { path: path.into(), found, wanted });
    }
    if found.target != PackageTarget::active() {
        return Err(SetupError::OtherTarget(found.target));
    }
    Ok(())
}

/// Installs into one package tree.
#[derive(Debug, Clone)]
pub struct Setup<'a> {
    /// The root.
    pub root: &'a FsRoot,
    /// Another root, whose releases count as installed too.
    pub beside: Option<&'a FsRoot>,
    /// The cache of archives.
    pub artifacts: Artifacts,
    /// Directories with public keys of origins; the first that has a key is used.
    pub keys: Vec<KeyCache>,
}

/// A release unpacked next to its destination.
struct Prepared {
    ident: PackageIdent,
    staging: Staging,
}

impl Setup<'_> {
    /// Installs a release with all its dependencies. Install hooks are not run.
    ///
    /// # Errors
    /// When an archive is missing, bad or not trusted, or a system call fails. No release is
    /// installed then, unless the disk failed during the final renames; the renamed ones are
    /// complete.
    pub fn install(
        &self,
        wanted: &Wanted,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<Outcome, SetupError> {
        let neighbours = match wanted {
            Wanted::Archive(local) => Some(local.path.parent().unwrap_or(Path::new(""))),
            Wanted::Ident(_) => None,
        };
        let ident = self.resolve(wanted, tell)?;
        let mut prepared = Vec::new();
        let dependencies = if let Some(root) = self.root_of(&ident) {
            tell(Step::Using(&ident));
            graph::all(root, &ident)?
        } else {
            let (target, fresh) = match wanted {
                Wanted::Archive(local) => {
                    let cached = self.artifacts.path(&ident);
                    let fresh = self.artifacts.store(&local.path, &ident).map_err(at(&cached))?;
                    (cached, fresh)
                }
                Wanted::Ident(_) => self.obtain(&ident, None)?,
            };
            let target = self.prepare(&ident, &target, fresh, tell)?;
            let dependencies = staged_dependencies(&target)?;
            prepared.push(target);
            dependencies
        };
        for dependency in &dependencies {
            if self.root_of(dependency).is_some() {
                tell(Step::Using(dependency));
            } else if !prepared.iter().any(|known| known.ident == *dependency) {
                let (archive, fresh) = self.obtain(dependency, neighbours)?;
                prepared.push(self.prepare(dependency, &archive, fresh, tell)?);
            }
        }
        let new_packages = prepared.len();
        self.commit(prepared, tell)?;
        Ok(Outcome { ident, dependencies, new_packages })
    }

    /// The release to install.
    fn resolve(
        &self,
        wanted: &Wanted,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<PackageIdent, SetupError> {
        let ident = match wanted {
            Wanted::Archive(local) => &local.ident,
            Wanted::Ident(ident) => ident,
        };
        if ident.is_fully_qualified() {
            return Ok(ident.clone());
        }
        if matches!(wanted, Wanted::Archive(_)) {
            return Err(SetupError::NotQualified(ident.to_string()));
        }
        tell(Step::Determining(ident));
        let installed = self.roots().flat_map(|root| install::matching(root, ident));
        let installed = installed.map(|found| found.ident);
        let known = installed.chain(self.artifacts.matching(ident));
        let newest = known.max_by(PackageIdent::compare_age);
        newest.ok_or_else(|| SetupError::NothingLocal(ident.clone()))
    }

    fn roots(&self) -> impl Iterator<Item = &FsRoot> {
        [self.root].into_iter().chain(self.beside)
    }

    /// The root in which a release is installed.
    fn root_of(&self, ident: &PackageIdent) -> Option<&FsRoot> {
        self.roots().find(|root| install::resolve(root, ident).is_ok())
    }

    /// The archive of a release in the cache; copies it there from the directory of the requesting
    /// archive if needed. True when it was copied.
    fn obtain(
        &self,
        ident: &PackageIdent,
        neighbours: Option<&Path>,
    ) -> Result<(PathBuf, bool), SetupError> {
        let cached = self.artifacts.path(ident);
        if cached.is_file() {
            return Ok((cached, false));
        }
        let file = artifacts::file_name(ident, PackageTarget::active());
        let neighbour = neighbours.map(|directory| directory.join(&file));
        if let Some(neighbour) = neighbour.filter(|path| path.is_file()) {
            let fresh = self.artifacts.store(&neighbour, ident).map_err(at(&cached))?;
            return Ok((cached, fresh));
        }
        let beside = neighbours.map_or_else(String::new, |directory| {
            let directory =
                if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            format!(" nor in {}", directory.display())
        });
        let cache = self.artifacts.dir().into();
        Err(SetupError::NoArchive { ident: ident.to_string(), cache, beside, file })
    }

    /// Verifies an archive and unpacks it next to its destination. A bad archive is removed from
    /// the cache, where it would block a good one.
    fn prepare(
        &self,
        ident: &PackageIdent,
        archive: &Path,
        fresh: bool,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<Prepared, SetupError> {
        tell(Step::Verifying(ident));
        let prepared = self.verify_and_unpack(ident, archive);
        if let Err(error) = &prepared
            && (fresh || is_bad(error))
        {
            self.artifacts.discard(ident);
        }
        prepared
    }

    fn verify_and_unpack(&self, ident: &PackageIdent, path: &Path) -> Result<Prepared, SetupError> {
        let archive = Archive::open(path)?;
        archive.verify(&self.key(&archive.header().signer)?)?;
        let place = self.root.pkg_path(ident);
        let lock = TreeLock::take(self.root).map_err(at(&self.root.pkgs()))?;
        let staging = Staging::new(self.root, &place, &lock).map_err(at(&place))?;
        drop(lock);
        let directory = staging.descriptor().map_err(at(&place))?;
        let unpacked = archive.unpack(ident, &directory).map_err(|error| match error {
            HartError::Io(source) => at(&place)(source),
            other => other.into(),
        });
        let checked = unpacked.and_then(|()| check(ident, &staged_description(&staging)?, path));
        if let Err(error) = checked {
            // The archive of another release is refused entry by entry: what it is explains more.
            describe(&archive).and_then(|found| check(ident, &found, path))?;
            return Err(error);
        }
        Ok(Prepared { ident: ident.clone(), staging })
    }

    /// Public key of a signer.
    fn key(&self, signer: &NamedRevision) -> Result<SigningPublicKey, SetupError> {
        for keys in &self.keys {
            match keys.get::<SigningPublicKey>(signer) {
                Err(roost_crypto::Error::NotFound(_)) => {}
                Err(error) => return Err(HartError::from(error).into()),
                Ok(key) => return Ok(key),
            }
        }
        let path = self.keys.first().map(|keys| keys.dir().join(format!("{signer}.pub")));
        Err(SetupError::UnknownSigner { signer: signer.clone(), path: path.unwrap_or_default() })
    }

    /// Renames all releases to their destinations, dependencies first.
    fn commit(
        &self,
        prepared: Vec<Prepared>,
        tell: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), SetupError> {
        for known in &prepared {
            known.staging.sync().map_err(at(known.staging.path()))?;
        }
        let lock = TreeLock::take(self.root).map_err(at(&self.root.pkgs()))?;
        for Prepared { ident, staging } in prepared.into_iter().rev() {
            if let Err(error) = staging.commit(&lock) {
                let taken = matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty
                        | io::ErrorKind::AlreadyExists
                        | io::ErrorKind::NotADirectory
                );
                if !taken {
                    return Err(at(&self.root.pkg_path(&ident))(error));
                }
                // Another process may have installed it in the meantime.
                if install::resolve(self.root, &ident).is_err() {
                    return Err(SetupError::InTheWay(self.root.pkg_path(&ident)));
                }
            }
            tell(Step::Installed(&ident));
        }
        staging::sweep(self.root, &lock);
        Ok(())
    }
}

/// The error of the system at a path.
fn at(path: &Path) -> impl Fn(io::Error) -> SetupError {
    move |source| SetupError::Io { path: path.into(), source }
}

/// True when the archive itself is at fault, not this machine.
fn is_bad(error: &SetupError) -> bool {
    match error {
        SetupError::Archive(error) => {
            !matches!(error, HartError::Key(_) | HartError::Io(_) | HartError::File { .. })
        }
        SetupError::Ident(_)
        | SetupError::Target(_)
        | SetupError::NotQualified(_)
        | SetupError::OtherIdent { .. }
        | SetupError::OtherTarget(_) => true,
        _ => false,
    }
}

/// All dependencies of an unpacked release.
fn staged_dependencies(prepared: &Prepared) -> Result<Vec<PackageIdent>, SetupError> {
    let path = prepared.staging.path().join("TDEPS");
    let text = read_text(&path, MAX_METAFILE_BYTES).map_err(MetafileError::from)?;
    text.unwrap_or_default()
        .trim()
        .lines()
        .map(|line| {
            let ident = line.parse::<PackageIdent>()?.validate()?;
            if ident.is_fully_qualified() {
                Ok(ident)
            } else {
                Err(SetupError::NotQualified(line.into()))
            }
        })
        .collect()
}
