//! Uninstalling releases with their unused dependencies (reference: packages §10).

use std::io;

use roost_ident::PackageIdent;

use crate::{
    graph::Graph,
    install::{self, ResolveError},
    metafile::MetafileError,
    root::FsRoot,
    staging::{self, TreeLock},
};

/// The package of `hab` itself.
const ITSELF: [&str; 2] = ["chef", "hab"];

/// What to uninstall, and what to keep.
#[derive(Debug, Clone, Default)]
pub struct RemovalOptions {
    /// Only report the steps.
    pub dry_run: bool,
    /// Keep this many of the newest releases, and remove all others.
    pub keep_latest: Option<usize>,
    /// Never remove releases that match one of these.
    pub exclude: Vec<PackageIdent>,
    /// Keep dependencies.
    pub no_dependencies: bool,
    /// Releases that services run.
    pub loaded: Vec<PackageIdent>,
}

/// Why a release is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The user excluded it.
    Excluded,
    /// A service runs it.
    Loaded,
    /// It holds this program.
    Itself,
    /// This many other packages depend on it.
    NeededBy(usize),
    /// Its dependents name it, but it is not installed.
    NotInstalled,
}

/// Steps of an uninstallation, as reported to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// Starts with one release and its dependencies.
    Begin(&'a PackageIdent),
    /// No more releases are installed than are to be kept.
    TooFew {
        /// The identifier to uninstall.
        ident: &'a PackageIdent,
        /// Number of installed releases.
        installed: usize,
    },
    /// A release is removed, or would be.
    Deleting(&'a PackageIdent),
    /// A release is kept.
    Skipping(&'a PackageIdent, Reason),
    /// Dependencies are kept.
    SkippingDependencies,
    /// One release and this many dependencies are removed.
    End(&'a PackageIdent, usize),
}

/// Why an uninstallation failed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError<H> {
    /// The release is not installed.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Others depend on it.
    #[error("Can't remove package: {ident}. It is a dependency of {dependents} packages")]
    Needed {
        /// The release.
        ident: PackageIdent,
        /// Number of packages that depend on it.
        dependents: usize,
    },
    /// A metafile is malformed, so that dependencies are unknown.
    #[error(transparent)]
    Metafile(#[from] MetafileError),
    /// The uninstall hook failed; its package is still installed.
    #[error("uninstall hook failed")]
    Hook(H),
    /// A system call failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Uninstalls releases. `hook` runs the uninstall hook of a release before its files are removed;
/// its second argument is the number of installed releases.
///
/// # Errors
/// See [`RemovalError`]; releases reported as deleted are gone, the others are untouched.
pub fn uninstall<H>(
    root: &FsRoot,
    ident: &PackageIdent,
    options: &RemovalOptions,
    tell: &mut dyn FnMut(Step<'_>),
    hook: &mut dyn FnMut(&PackageIdent, usize) -> Result<(), H>,
) -> Result<(), RemovalError<H>> {
    let mut removal = Removal { root, options, tell, hook, gone: Vec::new() };
    let Some(keep) = options.keep_latest else {
        let found = install::resolve(root, ident)?;
        return removal.one(&found.ident);
    };
    let mut installed: Vec<_> =
        install::matching(root, ident).into_iter().map(|found| found.ident).collect();
    installed.sort_by(PackageIdent::compare_age);
    if installed.is_empty() {
        return Err(install::resolve(root, ident).err().map_or_else(
            || io::Error::from(io::ErrorKind::NotFound).into(),
            RemovalError::Resolve,
        ));
    }
    let old = installed.len().saturating_sub(keep);
    if old == 0 {
        (removal.tell)(Step::TooFew { ident, installed: installed.len() });
        return Ok(());
    }
    // The oldest first.
    installed.iter().take(old).try_for_each(|ident| removal.one(ident))
}

struct Removal<'a, H> {
    root: &'a FsRoot,
    options: &'a RemovalOptions,
    tell: &'a mut dyn FnMut(Step<'_>),
    hook: &'a mut dyn FnMut(&PackageIdent, usize) -> Result<(), H>,
    /// Releases that were removed, or would have been.
    gone: Vec<PackageIdent>,
}

impl<H> Removal<'_, H> {
    /// Removes one release and the dependencies that only it needs.
    fn one(&mut self, ident: &PackageIdent) -> Result<(), RemovalError<H>> {
        let mut graph = Graph::read(self.root)?;
        self.gone.iter().for_each(|gone| graph.remove(gone));
        (self.tell)(Step::Begin(ident));
        let dependents = graph.dependents(ident).len();
        if dependents > 0 {
            return Err(RemovalError::Needed { ident: ident.clone(), dependents });
        }
        if let Some(reason) = self.reason_to_stay(ident) {
            (self.tell)(Step::Skipping(ident, reason));
            return Ok(());
        }
        self.delete(ident)?;
        let mut removed = 0;
        if self.options.no_dependencies {
            (self.tell)(Step::SkippingDependencies);
        } else {
            removed = self.dependencies(ident, &graph)?;
        }
        (self.tell)(Step::End(ident, removed));
        Ok(())
    }

    /// The dependencies that no package outside the set {release, its dependencies} needs.
    fn dependencies(
        &mut self,
        ident: &PackageIdent,
        graph: &Graph,
    ) -> Result<usize, RemovalError<H>> {
        let dependencies = graph.all_dependencies(ident);
        let mut removed = 0;
        for dependency in &dependencies {
            let external = graph
                .all_dependents(dependency)
                .iter()
                .filter(|other| *other != ident && !dependencies.contains(other))
                .count();
            let reason = if !graph.contains(dependency) {
                Some(Reason::NotInstalled)
            } else if external > 0 {
                Some(Reason::NeededBy(external))
            } else {
                self.reason_to_stay(dependency)
            };
            if let Some(reason) = reason {
                (self.tell)(Step::Skipping(dependency, reason));
            } else {
                self.delete(dependency)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn reason_to_stay(&self, ident: &PackageIdent) -> Option<Reason> {
        if [ident.origin.as_str(), &ident.name] == ITSELF {
            Some(Reason::Itself)
        } else if self.options.loaded.contains(ident) {
            Some(Reason::Loaded)
        } else if self.options.exclude.iter().any(|excluded| ident.satisfies(excluded)) {
            Some(Reason::Excluded)
        } else {
            None
        }
    }

    fn delete(&mut self, ident: &PackageIdent) -> Result<(), RemovalError<H>> {
        (self.tell)(Step::Deleting(ident));
        self.gone.push(ident.clone());
        if self.options.dry_run {
            return Ok(());
        }
        let any = PackageIdent::new(&ident.origin, &ident.name, None, None);
        let releases = install::matching(self.root, &any).len();
        (self.hook)(ident, releases).map_err(RemovalError::Hook)?;
        let lock = TreeLock::take(self.root)?;
        staging::remove_release(self.root, &self.root.pkg_path(ident), &lock)?;
        staging::sweep(self.root, &lock);
        Ok(())
    }
}
