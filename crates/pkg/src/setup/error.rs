//! Why nothing was installed.

use std::{
    io,
    path::{Path, PathBuf},
};

use roost_crypto::NamedRevision;
use roost_hart::HartError;
use roost_ident::{PackageIdent, PackageIdentError, PackageTarget, PackageTargetError};

use crate::metafile::MetafileError;

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

impl SetupError {
    /// True when the archive itself is at fault, not this machine.
    pub(super) fn is_of_archive(&self) -> bool {
        match self {
            Self::Archive(error) => {
                !matches!(error, HartError::Key(_) | HartError::Io(_) | HartError::File { .. })
            }
            Self::Ident(_)
            | Self::Target(_)
            | Self::NotQualified(_)
            | Self::OtherIdent { .. }
            | Self::OtherTarget(_) => true,
            _ => false,
        }
    }
}

/// The error of the system at a path.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> SetupError {
    move |source| SetupError::Io { path: path.into(), source }
}
