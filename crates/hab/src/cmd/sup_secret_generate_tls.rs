//! `hab sup secret generate-tls`: a key and a self-signed certificate for the control gateway.

use std::{
    fs::{OpenOptions, Permissions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
    date_time_ymd,
};
use roost_crypto::Revision;

use crate::{
    cli::Run,
    clock,
    context::{Context, TLS_DIRECTORY},
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The DNS name of the Supervisor's machine
    #[arg(long, value_name = "SUBJECT_ALTERNATIVE_NAME")]
    subject_alternative_name: String,
    /// Directory to store the files in
    #[arg(default_value = TLS_DIRECTORY)]
    path: PathBuf,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let name = &self.subject_alternative_name;
        if !is_dns_name(name) {
            return Err(anyhow!("Invalid DNS name: {name}"));
        }
        let directory = context.tls_path(&self.path);
        roost_files::create_directories(&directory, roost_files::PUBLIC_DIRECTORY)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let (certificate, key) = certificate(name)?;
        let stamp = Revision::from_unix_seconds(clock::unix_s());
        let file = |suffix| directory.join(format!("ctl-gateway-{}{suffix}", stamp.as_str()));
        write(&file(".key.pem"), &key, 0o600)?;
        write(&file(".crt.pem"), &certificate, 0o644)?;
        Ok(Exit::Success)
    }
}

/// Certificate and key as PEM.
fn certificate(name: &str) -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let dns = |name: &str| anyhow::Ok(SanType::DnsName(name.to_owned().try_into()?));
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![dns(name)?, dns("localhost")?];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Habitat Supervisor Control Gateway");
    params.not_before = date_time_ymd(1975, 1, 1);
    params.not_after = date_time_ymd(4096, 1, 1);
    // Clients list it as a trusted certificate, which needs no basic constraints.
    params.is_ca = IsCa::NoCa;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// A DNS name (RFC 1123): labels of letters, digits and inner hyphens.
fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Creates a new file: never overwrites an older pair of the same second.
fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(
        |mut file| {
            // Overrides the umask.
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        },
    );
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_label_are_refused() {
        for name in ["sup.example.com", "localhost", "a-b.c1"] {
            assert!(is_dns_name(name), "{name}");
        }
        for name in ["", "bad name", "a..b", "-a", "a-", ".a", "a."] {
            assert!(!is_dns_name(name), "{name}");
        }
    }
}
