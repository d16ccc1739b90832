//! Package archives in place of identifiers: `hab svc load ./x.hart`, `hab sup run ./x.hart`. They
//! are first installed on this machine; the Supervisor runs their install hooks.

use std::{fs::File, io::Read as _, path::Path};

use roost_ident::PackageIdent;
use roost_pkg::setup::{LocalArchive, Wanted};

use crate::{
    cmd::pkg_install::{end, install},
    context::Context,
    exit::UsageError,
};

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
    let outcome = install(context, text, &Wanted::Archive(local))?;
    end(context, &outcome);
    Ok(Some(outcome.ident))
}

fn is_archive(path: &Path) -> bool {
    let mut begin = Vec::new();
    path.is_file()
        && File::open(path)
            .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut begin))
            .is_ok_and(|_| begin == MAGIC)
}
