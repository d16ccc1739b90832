//! `hab pkg build`: makes a signed package archive from a directory.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use roost_crypto::{Error, KeyCache, KeyFile, SigningSecretKey};
use roost_hart::PayloadHash;
use roost_ident::PackageTarget;
use roost_pkg::build::{self, BuildOptions, Built, Release};
use sha2::{Digest, Sha256};

use crate::{
    cli::Run,
    cli_toml::CliToml,
    cmd::{
        keys::{CacheArg, new_revision},
        origin,
    },
    context::{Context, variable},
    exit::Exit,
    ui::Verb,
};

/// Default directory of archives.
const DEFAULT_OUTPUT: &str = "results";
/// Default xz preset, without `HAB_HART_COMPRESSION_LEVEL`.
const DEFAULT_LEVEL: u32 = 6;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The origin [default: that of the directory, HAB_ORIGIN, origin of cli.toml, or local]
    #[arg(long, value_parser = origin::parse)]
    origin: Option<String>,
    /// The release, a UTC time YYYYMMDDhhmmss [default: time of the newest content]
    #[arg(long)]
    release: Option<String>,
    /// Directory of the archive [default: HAB_OUTPUT_PATH, or results]
    #[arg(short = 'o', long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    cache: CacheArg,
    /// A service directory, with or without a plan of literal assignments
    #[arg(default_value = ".")]
    directory: PathBuf,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ui = &context.ui;
        let configured = CliToml::read(&context.cli_toml())?.origin;
        let origin = self.origin.or_else(|| variable("HAB_ORIGIN")).or(configured);
        let release = self.release.or_else(|| variable("HAB_PKG_RELEASE"));
        let options = BuildOptions { root: &context.root, origin, release, level: level()? };
        ui.begin(&format!("Building {}", self.directory.display()));
        let release = build::prepare(&self.directory, &options)?;
        for warning in &release.warnings {
            ui.warn(warning);
        }
        let cache = self.cache.open(context);
        let key = key(context, &cache, &release.ident.origin)?;
        let output = self.output.or_else(|| variable("HAB_OUTPUT_PATH").map(PathBuf::from));
        let output = output.unwrap_or_else(|| DEFAULT_OUTPUT.into());
        let name = key.named_revision();
        ui.status(Verb::Signing, &format!("{} with {name}", release.ident));
        let built = release.pack(&key, &output)?;
        write_beside(&output, &release, &built, &key)?;
        context.artifacts().store(&built.path, &release.ident)?;
        ui.status(Verb::Creating, &format!("{}", built.path.display()));
        ui.end(&format!("Built {}, payload {}", release.ident, built.hash.as_str()));
        Ok(Exit::Success)
    }
}

/// The newest secret key of an origin; generates a first pair.
fn key(context: &Context, cache: &KeyCache, origin: &str) -> anyhow::Result<SigningSecretKey> {
    match cache.latest::<SigningSecretKey>(origin) {
        Err(Error::NoRevisions(_)) => {}
        other => return Ok(other?),
    }
    let secret = SigningSecretKey::generate(new_revision(origin)?)?;
    cache.write_pair(&secret.public_key(), &secret)?;
    let text = format!("origin key pair {}, the first of {origin}", secret.named_revision());
    context.ui.status(Verb::Creating, &text);
    Ok(secret)
}

fn level() -> anyhow::Result<u32> {
    let Some(text) = variable("HAB_HART_COMPRESSION_LEVEL") else { return Ok(DEFAULT_LEVEL) };
    let level = text.trim_start_matches('-').parse::<u32>().ok().filter(|level| *level <= 9);
    level.with_context(|| {
        format!("HAB_HART_COMPRESSION_LEVEL is '{text}'; write a number from 0 to 9")
    })
}

/// Files to distribute beside the archive: the public key to verify it, and `last_build.env` for
/// scripts.
fn write_beside(
    output: &Path,
    release: &Release,
    built: &Built,
    key: &SigningSecretKey,
) -> anyhow::Result<()> {
    let public = key.public_key();
    let path = output.join(public.file_name());
    fs::write(&path, public.to_text().as_bytes()).with_context(|| path.display().to_string())?;
    let ident = &release.ident;
    let file = built.path.file_name().unwrap_or_default().to_string_lossy();
    let (sha256, blake2b) = sums(&built.path)?;
    let text = format!(
        "pkg_origin={}\npkg_name={}\npkg_version={}\npkg_release={}\npkg_target={}\npkg_ident={ident}\n\
         pkg_artifact={file}\npkg_sha256sum={sha256}\npkg_blake2bsum={blake2b}\n",
        ident.origin,
        ident.name,
        ident.version.as_deref().unwrap_or_default(),
        ident.release.as_deref().unwrap_or_default(),
        PackageTarget::active(),
    );
    let path = output.join("last_build.env");
    fs::write(&path, text).with_context(|| path.display().to_string())
}

fn sums(path: &Path) -> anyhow::Result<(String, String)> {
    let mut file = fs::File::open(path)?;
    let mut sha256 = Sha256::new();
    let mut block = vec![0; 256 * 1024];
    loop {
        match file.read(&mut block)? {
            0 => break,
            count => sha256.update(&block[..count]),
        }
    }
    let sha256: String = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let blake2b = PayloadHash::of(fs::File::open(path)?)?;
    Ok((sha256, blake2b.as_str().to_owned()))
}
