//! The run-time environment of a package and of its hooks (reference: packages §4.8,
//! services §6.3).

use std::collections::{BTreeMap, BTreeSet};

use roost_ident::{PackageIdent, PackageIdentError};

use crate::{
    install,
    metafile::{self, MetafileError, PackageType},
    package::{Metafiles, Package},
    root::FsRoot,
};

/// The interpreter package when `HAB_INTERPRETER_IDENT` does not name another.
pub const DEFAULT_INTERPRETER: &str = "core/busybox-static";

/// `PATH` of hooks when this process has none: without it a shell script would find nothing.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const PATH: &str = "PATH";
const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// Environment of the package's hooks on top of the inherited one: the package's own map, with
/// `PATH` extended by the interpreter's directories (for standard packages) and by the `PATH` of
/// this process. It is also `pkg.env` in documents and templates.
///
/// `process_path`: `PATH` of this process; missing or empty counts as [`DEFAULT_PATH`].
/// `process_has_ssl_cert_file`: if true, the package's own `SSL_CERT_FILE` is left out.
#[must_use]
pub fn hook_environment(
    package: &Package,
    interpreter_path: &[String],
    process_path: Option<&str>,
    process_has_ssl_cert_file: bool,
) -> BTreeMap<String, String> {
    let mut map = package.environment.clone();
    if process_has_ssl_cert_file {
        map.remove(SSL_CERT_FILE);
    }
    let mut path: Vec<&str> = Vec::new();
    path.extend(map.get(PATH).map(String::as_str).filter(|path| !path.is_empty()));
    if package.kind == PackageType::Standard {
        path.extend(interpreter_path.iter().map(String::as_str));
    }
    path.push(process_path.filter(|path| !path.is_empty()).unwrap_or(DEFAULT_PATH));
    let path = path.join(":");
    map.insert(PATH.into(), path);
    map
}

/// The interpreter's identifier, from the value of `HAB_INTERPRETER_IDENT` if it is set and not
/// empty.
///
/// # Errors
/// When the value is not a valid identifier.
pub fn interpreter_ident(value: Option<&str>) -> Result<PackageIdent, PackageIdentError> {
    value.filter(|value| !value.is_empty()).unwrap_or(DEFAULT_INTERPRETER).parse()
}

/// `PATH` entries of the newest installed release of the interpreter; empty when it is not
/// installed, so that hooks use the programs of the machine.
///
/// # Errors
/// When its `PATH` metafile cannot be read.
pub fn interpreter_path(
    root: &FsRoot,
    interpreter: &PackageIdent,
) -> Result<Vec<String>, MetafileError> {
    match install::resolve(root, interpreter) {
        Ok(found) => own_path(&Metafiles::new(found.path), &found.ident),
        Err(_) => Ok(Vec::new()),
    }
}

/// The package's own map, before anything of this process is added.
pub(crate) fn package_environment(
    root: &FsRoot,
    ident: &PackageIdent,
    dir: &Metafiles,
    deps: &[(usize, PackageIdent)],
    tdeps: &[(usize, PackageIdent)],
) -> Result<BTreeMap<String, String>, MetafileError> {
    let mut map = dir.pairs("RUNTIME_ENVIRONMENT", "KEY=value")?;
    map.remove(PATH);
    let path = match dir.text("RUNTIME_PATH")? {
        Some(path) => path.trim().to_owned(),
        None => legacy_path(root, ident, dir, deps, tdeps)?,
    };
    if !path.is_empty() {
        map.insert(PATH.into(), path);
    }
    map.extend(dir.pairs("RUNTIME_ENVIRONMENT_PATHS", "KEY=path:path")?);
    Ok(map)
}

/// The search path of a package without a `RUNTIME_PATH`: own entries, then those of direct, then
/// of all dependencies, without duplicates.
fn legacy_path(
    root: &FsRoot,
    ident: &PackageIdent,
    dir: &Metafiles,
    deps: &[(usize, PackageIdent)],
    tdeps: &[(usize, PackageIdent)],
) -> Result<String, MetafileError> {
    let mut entries = own_path(dir, ident)?;
    for (file, idents) in [("DEPS", deps), ("TDEPS", tdeps)] {
        for (line, ident) in idents {
            let found = install::resolve(root, ident).map_err(|_| {
                let path = dir.path.join(file);
                MetafileError::MissingDependency { path, line: *line, ident: ident.to_string() }
            })?;
            entries.extend(own_path(&Metafiles::new(found.path), ident)?);
        }
    }
    let mut seen = BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.clone()));
    Ok(entries.join(":"))
}

fn own_path(dir: &Metafiles, ident: &PackageIdent) -> Result<Vec<String>, MetafileError> {
    Ok(dir.text("PATH")?.map_or_else(Vec::new, |text| metafile::parse_path(&text, ident)))
}
