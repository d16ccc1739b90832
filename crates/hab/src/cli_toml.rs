//! `cli.toml`, the settings of the command line (reference: control §11.3).

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::Deserialize;

use crate::{address::CtlAddress, options::nearest::nearest};

/// Longest `cli.toml` that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The settings; unknown keys are ignored, see [`CliToml::warnings`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CliToml {
    /// Address of the Supervisor when `--remote-sup` is not given.
    pub(crate) listen_ctl: Option<CtlAddress>,
    /// Secret of the control gateway.
    pub(crate) ctl_secret: Option<String>,
    /// CA certificates for the gateway; enables TLS.
    pub(crate) ctl_server_ca_certificate: Option<PathBuf>,
    /// Key of the client's certificate.
    pub(crate) ctl_client_key: Option<PathBuf>,
    /// The client's certificate.
    pub(crate) ctl_client_certificate: Option<PathBuf>,
    /// Default origin for signing and generating.
    pub(crate) origin: Option<String>,
    /// Name in the gateway's certificate, if it differs from the host.
    pub(crate) ctl_server_name_indication: Option<String>,
    /// Unknown keys of the file.
    #[serde(flatten)]
    rest: toml::Table,
}

/// All keys: those above, and those that only Habitat's Builder commands read.
const KEYS: [&str; 10] = [
    "listen_ctl",
    "ctl_secret",
    "ctl_server_ca_certificate",
    "ctl_client_key",
    "ctl_client_certificate",
    "ctl_server_name_indication",
    "auth_token",
    "bldr_url",
    "origin",
    "refresh_channel",
];

impl CliToml {
    /// Reads the file; a missing one gives no settings.
    ///
    /// # Errors
    /// When it cannot be read or a value is not valid.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let Some(text) = read_text(path)? else { return Ok(Self::default()) };
        toml::from_str(&text)
            .map_err(|error| anyhow!("deserializing '{}' failed, err: {error}", path.display()))
    }
}

impl CliToml {
    /// A warning for the user about each unknown key.
    pub(crate) fn warnings(&self, path: &Path) -> Vec<String> {
        let unknown = self.rest.keys().filter(|key| !KEYS.contains(&key.as_str()));
        let warning = |key: &String| {
            let instead = nearest(key, &KEYS).map(|known| format!(" Did you mean {known}?"));
            let instead = instead.unwrap_or_default();
            format!("{}: unknown key {key} is ignored.{instead}", path.display())
        };
        unknown.map(warning).collect()
    }
}

/// The text of the file, if it exists.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<Option<String>> {
    roost_files::read_text(path, MAX_BYTES)
        .map_err(|error| anyhow!("reading '{}' failed: {}", path.display(), error.reason()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_reported() {
        let text = "ctl_secert = \"x\"\norigin = \"acme\"\nlisten_ctl = \"127.0.0.1\"\n";
        let settings: CliToml = toml::from_str(text).expect("settings");
        assert_eq!(
            settings.warnings(Path::new("/x/cli.toml")),
            ["/x/cli.toml: unknown key ctl_secert is ignored. Did you mean ctl_secret?"]
        );
        assert!(settings.listen_ctl.is_some());
    }
}
