//! Package archives in place of identifiers: `hab svc load ./x.hart`, `hab sup run ./x.hart`. They
//! are first installed on this machine; the Supervisor runs their install hooks.

use std::{fs::File, io::Read as _, path::Path};

use roost_ident::{PackageIdent, PackageTarget};
use roost_pkg::{
    artifacts, install,
    setup::{LocalArchive, Wanted},
};

use crate::{cmd::pkg_install, context::Context, exit::UsageError};

/// First line of every package archive.
const MAGIC: &[u8] = b"HART-1";

/// Installs the archive that a text names; `None` when it does not name an archive.
///
/// # Errors
/// When the archive is bad, or cannot be installed.
pub(crate) fn install_named(
    context: &Context,
    text: &str,
    argument: &str,
) -> anyhow::Result<Option<PackageIdent>> {
    let path = Path::new(text);
    if !is_archive(path) {
        return Ok(None);
    }
    let local = LocalArchive::read(path)
        .map_err(|error| UsageError(format!("invalid value '{text}' for '{argument}': {error}")))?;
    let outcome = pkg_install::install(context, text, &Wanted::Archive(local))?;
    pkg_install::end(context, &outcome);
    Ok(Some(outcome.ident))
}

/// The installed release of an archive that is gone, by the name of its file: a machine that starts
/// again runs what it ran before.
pub(crate) fn installed_before(context: &Context, text: &str) -> Option<PackageIdent> {
    let path = Path::new(text);
    let name = path.file_name()?.to_str().filter(|name| name.ends_with(".hart"))?;
    if path.exists() {
        return None;
    }
    let target = PackageTarget::active();
    let mut installed = install::list(&context.root).into_iter().map(|found| found.ident);
    let ident = installed.find(|ident| artifacts::file_name(ident, target) == name)?;
    context.ui.warn(&format!("{text} is gone; {ident}, which it held, is installed and is used"));
    Some(ident)
}

fn is_archive(path: &Path) -> bool {
    let mut begin = Vec::new();
    path.is_file()
        && File::open(path)
            .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut begin))
            .is_ok_and(|_| begin == MAGIC)
}
