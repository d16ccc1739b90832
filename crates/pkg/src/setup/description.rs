//! What archives hold, and whether it is what was expected.

use std::path::Path;

use roost_hart::{Archive, HartError};
use roost_ident::{PackageIdent, PackageTarget};

use super::error::SetupError;
use crate::{
    metafile::{MAX_METAFILE_BYTES, MetafileError},
    read::read_text,
    staging::Staging,
};

/// What the header and metafiles of an archive hold.
pub(super) struct Description {
    pub(super) ident: PackageIdent,
    pub(super) target: PackageTarget,
}

/// Reads it from a packed archive.
pub(super) fn describe(archive: &Archive) -> Result<Description, SetupError> {
    let metafiles = archive.metafiles(&["TARGET", "IDENT"])?;
    description(|name| Ok(metafiles.get(name).cloned()))
}

/// The same, of an archive that is unpacked: nothing of it is decompressed twice.
pub(super) fn staged(staging: &Staging) -> Result<Description, SetupError> {
    description(|name| {
        let path = staging.path().join(name);
        let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
        let read = is_file.then(|| read_text(&path, MAX_METAFILE_BYTES)).transpose();
        Ok(read.map_err(MetafileError::from)?.flatten())
    })
}

fn description(
    read: impl Fn(&str) -> Result<Option<String>, SetupError>,
) -> Result<Description, SetupError> {
    let text = |name: &str| {
        read(name)?.ok_or_else(|| SetupError::from(HartError::NoMetafile(name.into())))
    };
    let target = text("TARGET")?.trim().parse()?;
    let ident: PackageIdent = text("IDENT")?.trim().parse()?;
    Ok(Description { ident: ident.validate()?, target })
}

/// Checks that the archive at a path is that of a release, for this machine.
pub(super) fn check(
    wanted: &PackageIdent,
    found: &Description,
    path: &Path,
) -> Result<(), SetupError> {
    if found.ident != *wanted {
        let (found, wanted) = (found.ident.to_string(), wanted.to_string());
        return Err(SetupError::OtherIdent { path: path.into(), found, wanted });
    }
    if found.target != PackageTarget::active() {
        return Err(SetupError::OtherTarget(found.target));
    }
    Ok(())
}

/// All dependencies of an unpacked release.
pub(super) fn dependencies(staging: &Staging) -> Result<Vec<PackageIdent>, SetupError> {
    let path = staging.path().join("TDEPS");
    let text = read_text(&path, MAX_METAFILE_BYTES).map_err(MetafileError::from)?;
    text.unwrap_or_default()
        .trim()
        .lines()
        .map(|line| {
            let ident = line.parse::<PackageIdent>()?.validate()?;
            if ident.is_fully_qualified() {
                Ok(ident)
            } else {
                Err(SetupError::NotQualified(line.into()))
            }
        })
        .collect()
}
