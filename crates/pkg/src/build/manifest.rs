//! `FILES`, the signed list of all files, and `MANIFEST`, the human-readable page.

use std::{fmt::Write as _, fs, path::Path};

use roost_crypto::SigningSecretKey;
use roost_hart::{Header, PayloadHash, pack};
use roost_ident::{PackageIdent, PackageTarget};

use super::{BuildError, hash_file, literals::Declared, write};
use crate::{metafile::MAX_METAFILE_BYTES, read::read_text};

/// Neither lists itself in `FILES`.
const UNLISTED: [&str; 2] = ["FILES", "MANIFEST"];

/// Writes `FILES`: `<hash>  <path>` of every regular file, sorted by path, signed like an archive.
pub(super) fn write_files(
    tree: &Path,
    ident: &PackageIdent,
    key: &SigningSecretKey,
) -> Result<(), BuildError> {
    let mut list = String::new();
    for path in pack::sorted(tree)? {
        let source = tree.join(&path);
        let Some(name) = path.to_str().filter(|name| !UNLISTED.contains(name)) else { continue };
        let is_file = fs::symlink_metadata(&source).is_ok_and(|found| found.is_file());
        if is_file {
            let hash = hash_file(&source)?;
            // Writing to a String cannot fail.
            let _ = writeln!(list, "{}  /hab/pkgs/{ident}/{name}", hash.as_str());
        }
    }
    let path = tree.join("FILES");
    let failed = |error| BuildError::io(&path, error);
    let hash = PayloadHash::of(list.as_bytes()).map_err(failed)?;
    let mut content = Vec::new();
    Header::sign(key, &hash).write(&mut content).map_err(failed)?;
    content.extend_from_slice(list.as_bytes());
    write(tree, "FILES", &content)
}

/// Writes `MANIFEST`.
pub(super) fn write_manifest(
    tree: &Path,
    ident: &PackageIdent,
    declared: &Declared,
) -> Result<(), BuildError> {
    let metafile = |name: &str| -> Result<String, BuildError> {
        let text = read_text(&tree.join(name), MAX_METAFILE_BYTES)?.unwrap_or_default();
        Ok(text.trim().replace('\n', " "))
    };
    let mut page = format!("# {} / {}\n\n{}\n\n", ident.origin, ident.name, declared.description);
    for (name, value) in [
        ("Maintainer", declared.maintainer.clone()),
        ("Version", ident.version.clone().unwrap_or_default()),
        ("Release", ident.release.clone().unwrap_or_default()),
        ("Target", PackageTarget::active().to_string()),
        ("Upstream URL", declared.upstream_url.clone()),
        ("License", declared.license.clone()),
        ("Source", declared.source.clone()),
        ("SHA", declared.shasum.clone()),
        ("Path", metafile("PATH")?),
        ("Build Dependencies", metafile("BUILD_DEPS")?),
        ("Dependencies", metafile("DEPS")?),
        ("Interpreters", metafile("INTERPRETERS")?),
    ] {
        let value = if value.is_empty() { "none" } else { &value };
        // Writing to a String cannot fail.
        let _ = writeln!(page, "* __{name}__: {value}");
    }
    if let Some(plan) = &declared.plan {
        let _ = write!(page, "\n# Plan\n\n```bash\n{}\n```\n", plan.trim_end());
    }
    write(tree, "MANIFEST", page.as_bytes())
}
