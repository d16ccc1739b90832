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
    /// Authorities of the gateway's certificate; switches TLS on.
    pub(crate) ctl_server_ca_certificate: Option<PathBuf>,
    /// Key of the client's certificate.
    pub(crate) ctl_client_key: Option<PathBuf>,
    /// The client's certificate.
    pub(crate) ctl_client_certificate: Option<PathBuf>,
    /// Origin of what is signed and generated, when none is given.
    pub(crate) origin: Option<String>,
    /// Name in the gateway's certificate, when it is not the host.
    pub(crate) ctl_server_name_indication: Option<String>,
    /// Everything else in the file.
    #[serde(flatten)]
    rest: toml::Table,
}

/// All keys: those above, and those that only commands of Habitat for Builder read.
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

impl CliToml {
    /// A warning about each key that does not exist, for the user.
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

/// The text of the file, if there is one.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<Option<String>> {
    roost_files::read_text(path, MAX_BYTES)
        .map_err(|error| anyhow!("reading '{}' failed: {}", path.display(), error.reason()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_does_not_exist_is_named() {
        let text = "ctl_secert = \"x\"\norigin = \"acme\"\nlisten_ctl = \"127.0.0.1\"\n";
        let settings: CliToml = toml::from_str(text).expect("settings");
        assert_eq!(
            settings.warnings(Path::new("/x/cli.toml")),
            ["/x/cli.toml: unknown key ctl_secert is ignored. Did you mean ctl_secret?"]
        );
        assert!(settings.listen_ctl.is_some());
    }
}
