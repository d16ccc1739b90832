//! Dependencies between packages, from the `DEPS` of all installed releases.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use roost_ident::PackageIdent;

use crate::{
    install,
    metafile::{self, MetafileError},
    package::Metafiles,
    root::FsRoot,
};

/// Direct dependencies of every installed release.
#[derive(Debug, Default)]
pub struct Graph {
    direct: BTreeMap<PackageIdent, Vec<PackageIdent>>,
}

/// Direct dependencies of one release, in the order of its `DEPS`.
///
/// # Errors
/// When the metafile cannot be read.
pub fn direct(root: &FsRoot, ident: &PackageIdent) -> Result<Vec<PackageIdent>, MetafileError> {
    read(root, ident, "DEPS")
}

/// All dependencies of one release, in the order of its `TDEPS`: the deepest come last.
///
/// # Errors
/// When the metafile cannot be read.
pub fn all(root: &FsRoot, ident: &PackageIdent) -> Result<Vec<PackageIdent>, MetafileError> {
    read(root, ident, "TDEPS")
}

fn read(
    root: &FsRoot,
    ident: &PackageIdent,
    name: &str,
) -> Result<Vec<PackageIdent>, MetafileError> {
    let dir = Metafiles::new(root.pkg_path(ident));
    let Some(text) = dir.text(name)? else { return Ok(Vec::new()) };
    let idents =
        metafile::parse_idents(&text).map_err(|fault| fault.within(&dir.path.join(name)))?;
    Ok(idents.into_iter().map(|(_, ident)| ident).collect())
}

impl Graph {
    /// Reads the dependencies of all installed releases.
    ///
    /// # Errors
    /// When the `DEPS` of one cannot be read.
    pub fn read(root: &FsRoot) -> Result<Self, MetafileError> {
        let mut graph = Self::default();
        for found in install::list(root) {
            let dependencies = direct(root, &found.ident)?;
            graph.direct.insert(found.ident, dependencies);
        }
        Ok(graph)
    }

    /// Adds a release and its direct dependencies.
    pub fn insert(&mut self, ident: PackageIdent, dependencies: Vec<PackageIdent>) {
        self.direct.insert(ident, dependencies);
    }

    /// Removes a release.
    pub fn remove(&mut self, ident: &PackageIdent) {
        self.direct.remove(ident);
    }

    /// True when the release is installed.
    #[must_use]
    pub fn contains(&self, ident: &PackageIdent) -> bool {
        self.direct.contains_key(ident)
    }

    /// Direct dependencies.
    #[must_use]
    pub fn dependencies(&self, ident: &PackageIdent) -> &[PackageIdent] {
        self.direct.get(ident).map_or(&[], Vec::as_slice)
    }

    /// Releases that directly depend on this one.
    #[must_use]
    pub fn dependents(&self, ident: &PackageIdent) -> Vec<PackageIdent> {
        let depends = |found: &(&PackageIdent, &Vec<PackageIdent>)| found.1.contains(ident);
        self.direct.iter().filter(depends).map(|(ident, _)| ident.clone()).collect()
    }

    /// All dependencies, the nearest first.
    #[must_use]
    pub fn all_dependencies(&self, ident: &PackageIdent) -> Vec<PackageIdent> {
        breadth_first(ident, |ident| self.dependencies(ident).to_vec())
    }

    /// All releases that depend on this one, directly or not, the nearest first.
    #[must_use]
    pub fn all_dependents(&self, ident: &PackageIdent) -> Vec<PackageIdent> {
        let mut reverse: BTreeMap<&PackageIdent, Vec<PackageIdent>> = BTreeMap::new();
        for (ident, dependencies) in &self.direct {
            for dependency in dependencies {
                reverse.entry(dependency).or_default().push(ident.clone());
            }
        }
        breadth_first(ident, |ident| reverse.get(ident).cloned().unwrap_or_default())
    }
}

/// Everything reachable, without duplicates and without the start.
fn breadth_first(
    begin: &PackageIdent,
    next: impl Fn(&PackageIdent) -> Vec<PackageIdent>,
) -> Vec<PackageIdent> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([begin.clone()]);
    let mut queue = VecDeque::from([begin.clone()]);
    while let Some(ident) = queue.pop_front() {
        for ident in next(&ident) {
            if seen.insert(ident.clone()) {
                found.push(ident.clone());
                queue.push_back(ident);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(name: &str) -> PackageIdent {
        PackageIdent::new("o", name, Some("1"), Some("2"))
    }

    #[test]
    fn dependencies_are_followed_in_both_directions_and_in_circles() {
        let mut graph = Graph::default();
        for (name, dependencies) in [
            ("app", vec!["mid", "tool"]),
            ("mid", vec!["lib"]),
            ("tool", vec![]),
            ("lib", vec!["mid"]),
        ] {
            graph.insert(ident(name), dependencies.into_iter().map(ident).collect());
        }
        let names = |idents: Vec<PackageIdent>| -> Vec<String> {
            idents.into_iter().map(|ident| ident.name).collect()
        };
        assert_eq!(names(graph.all_dependencies(&ident("app"))), ["mid", "tool", "lib"]);
        assert_eq!(names(graph.all_dependents(&ident("lib"))), ["mid", "app"]);
        assert_eq!(names(graph.dependents(&ident("mid"))), ["app", "lib"]);
        assert!(graph.all_dependencies(&ident("none")).is_empty());
    }
}
