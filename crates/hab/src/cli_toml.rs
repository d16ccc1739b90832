//! `cli.toml`, the settings of the command line (control chapter 11.3).

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::Deserialize;

use crate::address::CtlAddress;

/// Longest `cli.toml` that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The settings; unknown keys are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CliToml {
    /// Address of the Supervisor when `--remote-sup` is not given.
    pub(crate) listen_ctl: Option<CtlAddress>,
    /// Secret of the control gateway.
    pub(crate) ctl_secret: Option<String>,
    /// Authorities of the gateway's certificate; switches TLS on.
    pub(crate) ctl_server_ca_certificate: Option<PathBuf>,
    /// Key of the client's certificate.
    pub(crate) ctl_client_key: Option<PathBuf>,
    /// The client's certificate.
    pub(crate) ctl_client_certificate: Option<PathBuf>,
    /// Name in the gateway's certificate, when it is not the host.
    pub(crate) ctl_server_name_indication: Option<String>,
}

impl CliToml {
    /// Reads the file; a missing one has no settings.
    ///
    /// # Errors
    /// When it cannot be read or a value makes no sense.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let Some(text) = read_text(path)? else { return Ok(Self::default()) };
        toml::from_str(&text)
            .map_err(|error| anyhow!("deserializing '{}' failed, err: {error}", path.display()))
    }
}

/// The text of the file, if there is one.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<Option<String>> {
    roost_files::read_text(path, MAX_BYTES)
        .map_err(|error| anyhow!("reading '{}' failed: {}", path.display(), error.reason()))
}
