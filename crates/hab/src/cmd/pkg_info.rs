//! `hab pkg info`: prints the metadata of an archive without verifying its signature.

use std::{fs::File, path::PathBuf};

use anyhow::Context as _;
use roost_hart::{
    Archive, HartError, PayloadHash,
    header::{FORMAT_VERSION, HASH_TYPE},
};
use roost_ident::{PackageIdent, PackageTarget};
use roost_pkg::{metafile, setup::SetupError};
use serde::Serialize;

use crate::{cli::Run, cmd::archive_file, context::Context, exit::Exit};

/// Printed metafiles.
const METAFILES: [&str; 15] = [
    "IDENT",
    "TARGET",
    "DEPS",
    "TDEPS",
    "BUILD_DEPS",
    "BUILD_TDEPS",
    "EXPOSES",
    "MANIFEST",
    "default.toml",
    "SVC_USER",
    "SVC_GROUP",
    "LD_RUN_PATH",
    "LDFLAGS",
    "CFLAGS",
    "PACKAGE_TYPE",
];

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print all facts as JSON
    #[arg(short = 'j', long = "json")]
    json: bool,
    /// A package archive
    #[arg(value_parser = archive_file::parse)]
    source: PathBuf,
}

/// The JSON form, with keys in Habitat's order.
#[derive(Debug, Serialize)]
struct Facts {
    format_version: &'static str,
    key_name: String,
    hash_type: &'static str,
    signature_raw: String,
    ident: String,
    origin: String,
    name: String,
    version: Option<String>,
    release: Option<String>,
    checksum: String,
    target: String,
    is_a_service: bool,
    deps: Vec<String>,
    tdeps: Vec<String>,
    build_deps: Vec<String>,
    build_tdeps: Vec<String>,
    exposes: Vec<u16>,
    manifest: String,
    config: Option<String>,
    svc_user: Option<String>,
    svc_group: Option<String>,
    ld_run_path: Option<String>,
    ldflags: Option<String>,
    cflags: Option<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let facts = self.read()?;
        if self.json {
            context.ui.info(&serde_json::to_string(&facts)?);
            return Ok(Exit::Success);
        }
        let shown = self.source.display().to_string();
        context.ui.begin(&format!("Reading PackageIdent from {shown}"));
        context.ui.info("");
        for (name, value) in [
            ("Package Path", shown),
            ("Origin", facts.origin),
            ("Name", facts.name),
            ("Version", facts.version.unwrap_or_default()),
            ("Release", facts.release.unwrap_or_default()),
        ] {
            context.ui.info(&format!("{name:<15}: {value}"));
        }
        Ok(Exit::Success)
    }
}

impl Arguments {
    fn read(&self) -> anyhow::Result<Facts> {
        let archive = Archive::open(&self.source)?;
        let mut found = archive.metafiles(&METAFILES)?;
        let mut required =
            |name: &str| found.remove(name).ok_or_else(|| HartError::NoMetafile(name.into()));
        let ident: PackageIdent = required("IDENT")?.parse()?;
        if !ident.is_fully_qualified() {
            return Err(SetupError::NotQualified(ident.to_string()).into());
        }
        let target: PackageTarget = required("TARGET")?.parse()?;
        let manifest = required("MANIFEST")?;
        let mut idents = |name: &str| {
            let lines = found.remove(name).unwrap_or_default();
            lines.lines().map(qualified).collect::<anyhow::Result<Vec<_>>>()
        };
        let (deps, tdeps) = (idents("DEPS")?, idents("TDEPS")?);
        let (build_deps, build_tdeps) = (idents("BUILD_DEPS")?, idents("BUILD_TDEPS")?);
        let ports = metafile::parse_exposes(&found.remove("EXPOSES").unwrap_or_default());
        let port = |text: &String| {
            text.parse::<u16>()
                .with_context(|| format!("MetaFile: EXPOSES: '{text}' is not a valid port"))
        };
        let header = archive.header();
        Ok(Facts {
            format_version: FORMAT_VERSION,
            key_name: header.signer.to_string(),
            hash_type: HASH_TYPE,
            signature_raw: header.signature_text.clone(),
            ident: ident.to_string(),
            origin: ident.origin,
            name: ident.name,
            version: ident.version,
            release: ident.release,
            checksum: match self.json {
                true => PayloadHash::of(File::open(&self.source)?)?.as_str().to_owned(),
                false => String::new(),
            },
            target: target.to_string(),
            is_a_service: found.contains_key("SVC_USER"),
            deps,
            tdeps,
            build_deps,
            build_tdeps,
            exposes: ports.iter().map(port).collect::<anyhow::Result<_>>()?,
            manifest,
            config: found.remove("default.toml"),
            svc_user: found.remove("SVC_USER"),
            svc_group: found.remove("SVC_GROUP"),
            ld_run_path: found.remove("LD_RUN_PATH"),
            ldflags: found.remove("LDFLAGS"),
            cflags: found.remove("CFLAGS"),
        })
    }
}

fn qualified(line: &str) -> anyhow::Result<String> {
    let ident: PackageIdent = line.parse()?;
    if ident.is_fully_qualified() {
        Ok(ident.to_string())
    } else {
        Err(SetupError::NotQualified(line.into()).into())
    }
}
