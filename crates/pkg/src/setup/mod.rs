//! Installing archives with their dependencies (reference: packages §9).
//!
//! Every archive is verified and unpacked next to its destination before the first one is renamed:
//! whatever fails, and whenever the process ends, each release is either complete or absent.
//! Dependencies come first.

mod description;
mod error;

use std::{
    io,
    path::{Path, PathBuf},
};

use roost_crypto::{KeyCache, NamedRevision, SigningPublicKey};
use roost_hart::{Archive, HartError};
use roost_ident::{PackageIdent, PackageTarget};

pub use self::error::SetupError;
use self::{
    description::{Description, describe},
    error::at,
};
use crate::{
    artifacts::{self, Artifacts},
    graph, install,
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
            let dependencies = description::dependencies(&target.staging)?;
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
            && (fresh || error.is_of_archive())
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
        let checked = unpacked
            .and_then(|()| description::check(ident, &description::staged(&staging)?, path));
        if let Err(error) = checked {
            // The archive of another release is refused entry by entry: what it is explains more.
            describe(&archive).and_then(|found| description::check(ident, &found, path))?;
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
