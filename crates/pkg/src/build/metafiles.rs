//! Metafiles that a package has and a staged release does not: dependencies and search paths.

use std::{collections::BTreeMap, path::Path};

use roost_ident::PackageIdent;

use super::{BuildError, literals::Declared, write};
use crate::{
    graph, install,
    metafile::{self, MAX_METAFILE_BYTES},
    read::read_text,
    root::FsRoot,
};

/// Directories of programs when the directory declares none.
const USUAL_BIN_DIRS: [&str; 2] = ["bin", "sbin"];
/// Variables that hold several paths: entries of dependencies are prepended.
const PATH_LIKE: [&str; 4] = ["PYTHONPATH", "GEM_PATH", "NODE_PATH", "CLASSPATH"];

/// Writes all of them.
pub(super) fn write_all(
    tree: &Path,
    ident: &PackageIdent,
    declared: &Declared,
    root: &FsRoot,
) -> Result<(), BuildError> {
    put(tree, "IDENT", &ident.to_string())?;
    let direct = resolve(root, &declared.dependencies)?;
    let all = transitive(root, &direct)?;
    put(tree, "DEPS", &lines(&direct))?;
    put(tree, "TDEPS", &lines(&all))?;
    let build = resolve(root, &declared.build_dependencies)?;
    put(tree, "BUILD_DEPS", &lines(&build))?;
    put(tree, "BUILD_TDEPS", &lines(&transitive(root, &build)?))?;
    let prefix = format!("/hab/pkgs/{ident}");
    let own = bin_dirs(tree, declared).into_iter().map(|dir| format!("{prefix}/{dir}"));
    let own: Vec<_> = own.collect();
    put(tree, "PATH", &own.join(":"))?;
    write_runtime_path(tree, own, &all, root)?;
    write_environment(tree, &direct, root)?;
    let absolute = |dirs: &[String]| -> Vec<String> {
        dirs.iter().map(|dir| format!("{prefix}/{dir}")).collect()
    };
    let flags = |option: &str, dirs: &[String]| -> String {
        let flags: Vec<_> = absolute(dirs).iter().map(|dir| format!("{option}{dir}")).collect();
        flags.join(" ")
    };
    put(tree, "LD_RUN_PATH", &absolute(&declared.lib_dirs).join(":"))?;
    put(tree, "LDFLAGS", &flags("-L", &declared.lib_dirs))?;
    for name in ["CFLAGS", "CPPFLAGS", "CXXFLAGS"] {
        put(tree, name, &flags("-I", &declared.include_dirs))?;
    }
    put(tree, "PKG_CONFIG_PATH", &absolute(&declared.pconfig_dirs).join(":"))?;
    put(tree, "INTERPRETERS", &absolute(&declared.interpreters).join("\n"))?;
    let is_service = tree.join("hooks/run").is_file() || tree.join("run").is_file();
    if declared.has_plan && is_service && !tree.join("SVC_USER").exists() {
        // The defaults of plans.
        put(tree, "SVC_USER", "hab")?;
        put(tree, "SVC_GROUP", "hab")?;
    }
    Ok(())
}

/// Writes a metafile, if there is anything to write.
fn put(tree: &Path, name: &str, text: &str) -> Result<(), BuildError> {
    if text.is_empty() {
        return Ok(());
    }
    write(tree, name, format!("{text}\n").as_bytes())
}

fn lines(idents: &[PackageIdent]) -> String {
    idents.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The installed releases that identifiers resolve to.
fn resolve(root: &FsRoot, texts: &[String]) -> Result<Vec<PackageIdent>, BuildError> {
    let mut found: Vec<PackageIdent> = Vec::new();
    for text in texts {
        let wanted = text.parse::<PackageIdent>().and_then(PackageIdent::validate);
        let wanted = wanted.map_err(|error| super::BuildError::Fault {
            path: "plan.sh".into(),
            line: 1,
            problem: error.to_string(),
        })?;
        let ident = install::resolve(root, &wanted)?.ident;
        if !found.contains(&ident) {
            found.push(ident);
        }
    }
    Ok(found)
}

/// Direct dependencies, then the dependencies of each, moved to the end: the deepest come last.
fn transitive(root: &FsRoot, direct: &[PackageIdent]) -> Result<Vec<PackageIdent>, BuildError> {
    let mut all = direct.to_vec();
    for ident in direct {
        for deeper in graph::all(root, ident)? {
            all.retain(|known| *known != deeper);
            all.push(deeper);
        }
    }
    for (at, one) in all.iter().enumerate() {
        let same = |other: &&PackageIdent| (&other.origin, &other.name) == (&one.origin, &one.name);
        if let Some(other) = all[at + 1..].iter().find(same) {
            return Err(BuildError::TwoReleases { one: one.to_string(), other: other.to_string() });
        }
    }
    Ok(all)
}

fn bin_dirs(tree: &Path, declared: &Declared) -> Vec<String> {
    match &declared.bin_dirs {
        Some(dirs) => dirs.clone(),
        None if declared.has_plan => Vec::new(),
        None => {
            let there = USUAL_BIN_DIRS.iter().filter(|dir| tree.join(dir).is_dir());
            there.map(|dir| (*dir).to_owned()).collect()
        }
    }
}

/// The package's programs, the declared paths, then those of dependencies, without duplicates.
fn write_runtime_path(
    tree: &Path,
    mut entries: Vec<String>,
    all: &[PackageIdent],
    root: &FsRoot,
) -> Result<(), BuildError> {
    let said = read_text(&tree.join("RUNTIME_PATH"), MAX_METAFILE_BYTES)?;
    entries.extend(split(&said.unwrap_or_default()));
    for ident in all {
        let text = read_text(&root.pkg_path(ident).join("PATH"), MAX_METAFILE_BYTES)?;
        entries.extend(metafile::parse_path(&text.unwrap_or_default(), ident));
    }
    let mut seen = std::collections::BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.clone()));
    put(tree, "RUNTIME_PATH", &entries.join(":"))
}

fn split(path: &str) -> impl Iterator<Item = String> {
    path.trim().split(':').filter(|entry| !entry.is_empty()).map(str::to_owned)
}

/// The variables of dependencies in their order, then the package's own, and the search path.
fn write_environment(
    tree: &Path,
    direct: &[PackageIdent],
    root: &FsRoot,
) -> Result<(), BuildError> {
    const NAME: &str = "RUNTIME_ENVIRONMENT";
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let places = direct.iter().map(|ident| root.pkg_path(ident)).chain([tree.to_path_buf()]);
    for place in places {
        let path = place.join(NAME);
        let text = read_text(&path, MAX_METAFILE_BYTES)?.unwrap_or_default();
        let pairs = metafile::parse_pairs(&text, "KEY=value").map_err(|f| f.within(&path))?;
        for (name, value) in pairs.into_iter().filter(|(name, _)| name != "PATH") {
            let before = all.get(&name).filter(|_| PATH_LIKE.contains(&name.as_str()));
            let value = before.map_or(value.clone(), |before| format!("{value}:{before}"));
            all.insert(name, value);
        }
    }
    if let Some(path) = read_text(&tree.join("RUNTIME_PATH"), MAX_METAFILE_BYTES)? {
        all.insert("PATH".into(), path.trim().into());
    }
    let pairs: Vec<_> = all.iter().map(|(name, value)| format!("{name}={value}")).collect();
    put(tree, NAME, &pairs.join("\n"))
}
