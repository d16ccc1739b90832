//! The cache of package archives, `hab/cache/artifacts` for root.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use roost_ident::{PackageIdent, PackageTarget};

use crate::dirs;

/// Mode of cached archives.
const MODE: u32 = 0o644;

/// A directory of archives, created when the first one is stored.
#[derive(Debug, Clone)]
pub struct Artifacts {
    dir: PathBuf,
}

/// The name of the file that holds the archive of a release.
#[must_use]
pub fn file_name(ident: &PackageIdent, target: PackageTarget) -> String {
    let PackageIdent { origin, name, version, release } = ident;
    let version = version.as_deref().unwrap_or_default();
    let release = release.as_deref().unwrap_or_default();
    format!("{origin}-{name}-{version}-{release}-{target}.hart")
}

impl Artifacts {
    /// The cache in a directory, which need not exist.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Path of the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of the archive of a release, whether or not it exists.
    #[must_use]
    pub fn path(&self, ident: &PackageIdent) -> PathBuf {
        self.dir.join(file_name(ident, PackageTarget::active()))
    }

    /// Copies an archive into the cache, atomically and durably. Returns false when `source`
    /// already is the cached file.
    ///
    /// # Errors
    /// Errors of the operating system; the previous archive is then untouched.
    pub fn store(&self, source: &Path, ident: &PackageIdent) -> io::Result<bool> {
        let place = self.path(ident);
        let mut from = File::open(source)?;
        if let (Ok(one), Ok(other)) = (from.metadata(), fs::metadata(&place))
            && (one.dev(), one.ino()) == (other.dev(), other.ino())
        {
            return Ok(false);
        }
        dirs::create_ours(&self.dir)?;
        let temporary = self.dir.join(format!(".roost-{}.tmp", process::id()));
        let mut copy = || {
            // A previous process with the same id may have left one.
            let _ = fs::remove_file(&temporary);
            let mut options = OpenOptions::new();
            let mut to = options.write(true).create_new(true).mode(0o600).open(&temporary)?;
            io::copy(&mut from, &mut to)?;
            to.set_permissions(Permissions::from_mode(MODE))?;
            to.sync_all()?;
            fs::rename(&temporary, &place)?;
            File::open(&self.dir)?.sync_all()
        };
        let copied = copy();
        if copied.is_err() {
            // The caller needs the first error, not one of the cleanup.
            let _ = fs::remove_file(&temporary);
        }
        copied.map(|()| true)
    }

    /// Removes the archive of a release that turned out to be bad.
    pub fn discard(&self, ident: &PackageIdent) {
        // If the removal fails, the next verification fails in the same way.
        let _ = fs::remove_file(self.path(ident));
    }

    /// Releases with a cached archive that match an identifier, judged by file name.
    #[must_use]
    pub fn matching(&self, wanted: &PackageIdent) -> Vec<PackageIdent> {
        let begin = format!("{}-{}-", wanted.origin, wanted.name);
        let end = format!("-{}.hart", PackageTarget::active());
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter_map(|name| {
                let (version, release) =
                    name.strip_prefix(&begin)?.strip_suffix(&end)?.rsplit_once('-')?;
                let found =
                    PackageIdent::new(&wanted.origin, &wanted.name, Some(version), Some(release));
                (found.satisfies(wanted) && found.clone().validate().is_ok()).then_some(found)
            })
            .collect()
    }
}
