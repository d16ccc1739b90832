//! Arguments shared by several commands: identifiers, groups, and files to send.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, bail};
use roost_ctl::request::MAX_PAYLOAD_BYTES;
use roost_ident::{PackageIdent, PackageIdentError};

/// An identifier as a user may write it.
pub(crate) fn parse_ident(text: &str) -> Result<PackageIdent, PackageIdentError> {
    text.parse::<PackageIdent>().and_then(PackageIdent::validate)
}

/// An existing file, or `-` for standard input.
pub(crate) fn parse_file_or_stdin(text: &str) -> Result<String, String> {
    if text == "-" || Path::new(text).is_file() {
        Ok(text.into())
    } else {
        Err(format!("{text}: is not a valid file or stdin"))
    }
}

/// An existing file.
pub(crate) fn parse_file(text: &str) -> Result<String, String> {
    match fs::metadata(text) {
        Ok(file) if file.is_file() => Ok(text.into()),
        Ok(_) => Err(format!("{text}: is not a file")),
        Err(error) => Err(format!("{text}: {error}")),
    }
}

/// The content of a file, or of standard input for `-`.
///
/// # Errors
/// When it cannot be read; with `too_large` when it exceeds the Supervisor's limit.
pub(crate) fn read_payload(path: &str, too_large: &str) -> anyhow::Result<Vec<u8>> {
    let reader: Box<dyn Read> = if path == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("cannot open {path}"))?)
    };
    let mut content = Vec::new();
    reader
        .take(MAX_PAYLOAD_BYTES as u64 + 1)
        .read_to_end(&mut content)
        .with_context(|| format!("cannot read {path}"))?;
    if content.len() > MAX_PAYLOAD_BYTES {
        bail!("{too_large}");
    }
    Ok(content)
}
