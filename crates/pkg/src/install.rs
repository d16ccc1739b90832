//! Which releases are installed, and which of them an identifier resolves to
//! (reference: packages §4.1, §4.2).

use std::{
    fs,
    path::{Path, PathBuf},
};

use roost_ident::{PackageIdent, PackageTarget};

use crate::{read::read_text, root::FsRoot};

/// Prefix of release directories that are not installed yet.
pub const STAGING_PREFIX: &str = ".hab-pkg-install";

/// Most directory entries that one walk of the package tree reads: a limit against a tree that is
/// not a package tree. Entries beyond it do not count as installed.
pub const MAX_ENTRIES: usize = 200_000;

/// Largest `TARGET` metafile in bytes: it holds one word.
const MAX_TARGET_BYTES: u64 = 4096;

/// An installed release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its fully qualified identifier, from its path.
    pub ident: PackageIdent,
    /// Its directory, including `FS_ROOT`.
    pub path: PathBuf,
}

/// The identifier matches no installed release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The named release is not installed.
    #[error("Cannot find package: {0}")]
    Package(PackageIdent),
    /// No installed release matches.
    #[error("Cannot find a release of package: {0}")]
    Release(PackageIdent),
}

/// All installed releases, sorted by origin, name and age.
///
/// Leaves out directories that cannot be read, names that are not UTF-8 and releases for another
/// platform. Follows symbolic links to directories, to the fixed depth of the tree.
#[must_use]
pub fn list(root: &FsRoot) -> Vec<Installed> {
    let mut found = Vec::new();
    let mut budget = MAX_ENTRIES;
    for origin in directories(&root.pkgs(), &mut budget) {
        for name in directories(&root.pkgs().join(&origin), &mut budget) {
            found.extend(releases(
                root,
                &PackageIdent::new(&origin, &name, None, None),
                &mut budget,
            ));
        }
    }
    found.sort_by(|a, b| {
        let names = |found: &Installed| (found.ident.origin.clone(), found.ident.name.clone());
        names(a).cmp(&names(b)).then_with(|| a.ident.compare_age(&b.ident))
    });
    found
}

/// The release that an identifier resolves to: the one it names, or the newest that matches.
///
/// # Errors
/// When no release matches.
pub fn resolve(root: &FsRoot, wanted: &PackageIdent) -> Result<Installed, ResolveError> {
    let found = matching(root, wanted);
    // `max_by` returns the last of equal elements; age is a total order, so equal releases are two
    // spellings of one version, and either will do.
    found.into_iter().max_by(|a, b| a.ident.compare_age(&b.ident)).ok_or_else(|| {
        if wanted.is_fully_qualified() {
            ResolveError::Package(wanted.clone())
        } else {
            ResolveError::Release(wanted.clone())
        }
    })
}

/// All installed releases that match an identifier, unsorted.
#[must_use]
pub fn matching(root: &FsRoot, wanted: &PackageIdent) -> Vec<Installed> {
    // Identifiers arrive from the ring and from files: one that climbs out of the tree matches
    // nothing.
    if wanted.clone().validate().is_err() {
        return Vec::new();
    }
    let mut budget = MAX_ENTRIES;
    releases(root, wanted, &mut budget)
}

fn releases(root: &FsRoot, wanted: &PackageIdent, budget: &mut usize) -> Vec<Installed> {
    let mut found = Vec::new();
    let versions = match &wanted.version {
        Some(version) => vec![version.clone()],
        None => directories(&root.pkg_path(wanted), budget),
    };
    for version in versions {
        let mut ident = PackageIdent { version: Some(version), release: None, ..wanted.clone() };
        let releases = match &wanted.release {
            Some(release) => vec![release.clone()],
            None => directories(&root.pkg_path(&ident), budget),
        };
        for release in releases {
            ident.release = Some(release);
            let path = root.pkg_path(&ident);
            if counts(&path) {
                found.push(Installed { ident: ident.clone(), path });
            }
        }
    }
    found
}

/// True when the directory is a complete release for this platform.
fn counts(path: &Path) -> bool {
    let staging = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(STAGING_PREFIX.as_bytes()));
    let target = || read_text(&path.join("TARGET"), MAX_TARGET_BYTES).ok().flatten();
    !staging
        && target().and_then(|text| text.trim().parse::<PackageTarget>().ok())
            == Some(PackageTarget::active())
}

/// Names of the subdirectories that are UTF-8, until the budget is used up.
fn directories(path: &Path, budget: &mut usize) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in entries.flatten() {
        if *budget == 0 {
            break;
        }
        *budget -= 1;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_directory = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => kind.is_dir(),
            _ => fs::metadata(entry.path()).is_ok_and(|found| found.is_dir()),
        };
        if is_directory {
            names.push(name);
        }
    }
    names
}
