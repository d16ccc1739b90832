//! Which releases are installed, and which of them an identifier means
//! (reference: packages §4.1, §4.2).

use std::{
    fs,
    path::{Path, PathBuf},
};

use roost_ident::{PackageIdent, PackageTarget};

use crate::{read::read_text, root::FsRoot};

/// Releases that begin so are not installed yet.
pub const STAGING_PREFIX: &str = ".hab-pkg-install";

/// Most directory entries looked at in one walk of the package tree: a limit against a tree that
/// is something else by mistake. What lies behind it is not installed.
pub const MAX_ENTRIES: usize = 200_000;

/// Largest `TARGET` metafile in bytes: it holds one word.
const MAX_TARGET_BYTES: u64 = 4096;

/// An installed release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its identifier, fully qualified, from its path.
    pub ident: PackageIdent,
    /// Its directory, with `FS_ROOT`.
    pub path: PathBuf,
}

/// No installed release is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The one release that is named is not there.
    #[error("Cannot find package: {0}")]
    Package(PackageIdent),
    /// There is none that matches.
    #[error("Cannot find a release of package: {0}")]
    Release(PackageIdent),
}

/// All installed releases, by origin, name and age.
///
/// Directories that cannot be read, names that are not UTF-8 and releases for another platform are
/// left out. Symbolic links to directories are followed, to the fixed depth of the tree.
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

/// The release that an identifier means: the one it names, or the newest that matches it.
///
/// # Errors
/// When there is none.
pub fn resolve(root: &FsRoot, wanted: &PackageIdent) -> Result<Installed, ResolveError> {
    let found = matching(root, wanted);
    // `max_by` takes the last of equals; age is a total order, so equals are one version spelled
    // in two ways, and the choice between them is free.
    found.into_iter().max_by(|a, b| a.ident.compare_age(&b.ident)).ok_or_else(|| {
        if wanted.is_fully_qualified() {
            ResolveError::Package(wanted.clone())
        } else {
            ResolveError::Release(wanted.clone())
        }
    })
}

/// All installed releases that an identifier matches, in no order.
#[must_use]
pub fn matching(root: &FsRoot, wanted: &PackageIdent) -> Vec<Installed> {
    // Identifiers arrive from the ring and from files: one that climbs out of the tree finds
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

/// True when the directory is a release for this platform and not one being made.
fn counts(path: &Path) -> bool {
    let staging = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(STAGING_PREFIX.as_bytes()));
    let target = || read_text(&path.join("TARGET"), MAX_TARGET_BYTES).ok().flatten();
    !staging
        && target().and_then(|text| text.trim().parse::<PackageTarget>().ok())
            == Some(PackageTarget::active())
}

/// Names of the directories in a directory, as far as they are UTF-8 and the budget lasts.
fn directories(path: &Path, budget: &mut usize) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in entries.flatten() {
        if *budget == 0 {
            break;
        }
        *budget -= 1;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if fs::metadata(entry.path()).is_ok_and(|found| found.is_dir()) {
            names.push(name);
        }
    }
    names
}
