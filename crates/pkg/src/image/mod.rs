//! Packages as a container image, without a container engine: an OCI image layout (image
//! specification 1.1), as a directory or as a tar that `docker load`, `podman load` and `skopeo`
//! read.
//!
//! The image has one layer: the packages with all their dependencies, this program as `/bin/hab`,
//! and the minimal system files. The program runs as process 1 of the container and supervises the
//! service. The same packages and program give the same image.

mod layer;
mod layout;

use std::{
    io,
    path::{Path, PathBuf},
};

use roost_hart::HartError;
use roost_ident::{PackageIdent, time};

pub use self::layer::{append_packages, check_program};
use crate::metafile::MetafileError;

/// A release and its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its identifier.
    pub ident: PackageIdent,
    /// The affected path.
    pub path: PathBuf,
}

/// Content of an image.
#[derive(Debug)]
pub struct ImageOptions<'a> {
    /// The service that the container runs.
    pub service: &'a PackageIdent,
    /// All packages, including the service's.
    pub members: &'a [Member],
    /// This program: a file that needs no shared libraries.
    pub program: &'a Path,
    /// Ports that the service listens on.
    pub ports: &'a [String],
    /// `NAME:TAG` of the image.
    pub reference: &'a str,
}

/// A finished image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Digest of its manifest, `sha256:…`.
    pub digest: String,
}

/// Why no image was made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The program cannot run in an image.
    #[error(
        "{}: {problem}; give a program that is linked statically: --program FILE (a build for \
         {arch}-unknown-linux-musl is one)",
        path.display(),
        arch = std::env::consts::ARCH
    )]
    Program {
        /// The affected path.
        path: PathBuf,
        /// The problem.
        problem: &'static str,
    },
    /// A package holds content that an archive cannot hold.
    #[error(transparent)]
    Archive(#[from] HartError),
    /// A metafile is malformed.
    #[error(transparent)]
    Metafile(#[from] MetafileError),
    /// The destination exists.
    #[error("{} already exists; remove it, or choose another place", .0.display())]
    Exists(PathBuf),
    /// A system call failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The affected path.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl ImageError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

/// Timestamp of everything in the image: that of the service's release.
fn stamp_s(options: &ImageOptions<'_>) -> u64 {
    let release = options.service.release.as_deref().and_then(time::parse_stamp);
    release.and_then(|stamp| u64::try_from(stamp).ok()).unwrap_or(0)
}

/// Writes the image into a new directory.
///
/// # Errors
/// See [`ImageError`]; after an error the directory is removed.
pub fn write_directory(directory: &Path, options: &ImageOptions<'_>) -> Result<Image, ImageError> {
    check_program(options.program)?;
    match std::fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(ImageError::Exists(directory.into()));
        }
        Err(error) => return Err(ImageError::io(directory, error)),
    }
    let written = layout::write(directory, options);
    if written.is_err() {
        // The caller needs the first error, not one of the cleanup.
        let _ = std::fs::remove_dir_all(directory);
    }
    written
}

/// Writes the image into a new tar file.
///
/// # Errors
/// See [`ImageError`]; after an error the file is removed.
pub fn write_tar(path: &Path, options: &ImageOptions<'_>) -> Result<Image, ImageError> {
    if path.exists() {
        return Err(ImageError::Exists(path.into()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let directory = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let image = write_directory(&directory, options)?;
    let temporary = path.with_file_name(format!(".{name}.{}.tar.tmp", std::process::id()));
    let written = layout::pack(&directory, &temporary, stamp_s(options))
        .and_then(|()| std::fs::rename(&temporary, path).map_err(|e| ImageError::io(path, e)));
    let _ = std::fs::remove_dir_all(&directory);
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map(|()| image)
}
