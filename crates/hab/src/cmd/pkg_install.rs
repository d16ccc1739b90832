//! `hab pkg install`

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use roost_crypto::{KeyFile, SigningPublicKey, cache::KEY_FILE_BYTES_MAX};
use roost_ident::PackageIdent;
use roost_pkg::{
    read::read_text,
    setup::{LocalArchive, Outcome, Step, Wanted},
};

use crate::{
    cli::Run,
    cmd::{
        archive_file,
        binlinks::{self, Binlinks},
        install_hooks,
        payload::parse_ident,
    },
    context::{Context, variable},
    exit::{Exit, UsageError},
    ui::Verb,
};

/// Suffix of package archives.
const ARCHIVE_SUFFIX: &str = ".hart";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Address of Builder; without effect until packages are taken from there
    #[arg(
        short = 'u',
        long = "url",
        value_name = "BLDR_URL",
        env = "HAB_BLDR_URL",
        hide_env = true
    )]
    url: Option<String>,
    /// Channel of Builder; without effect until packages are taken from there
    #[arg(short = 'c', long, env = "HAB_BLDR_CHANNEL", hide_env = true)]
    channel: Option<String>,
    /// Token for Builder; install hooks get it too
    #[arg(short = 'z', long = "auth", value_name = "AUTH_TOKEN")]
    auth: Option<String>,
    /// Link all programs of the packages into a directory
    #[arg(short = 'b', long)]
    binlink: bool,
    /// Directory of the links [env: HAB_BINLINK_DIR] [default: /bin]
    #[arg(long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    binlink_dir: Option<String>,
    /// Overwrite links that lead elsewhere
    #[arg(short = 'f', long)]
    force: bool,
    /// Trust the origin key in this file: it is imported first (repeatable)
    #[arg(long, value_name = "KEY_FILE", value_parser = archive_file::parse)]
    trust: Vec<PathBuf>,
    /// Do not run install hooks
    #[arg(long)]
    ignore_install_hook: bool,
    /// Take packages from Builder even if they are installed (not supported yet)
    #[arg(long, hide = true)]
    ignore_local: bool,
    /// Take packages only from the cache, which is always the case
    #[arg(long, hide = true)]
    offline: bool,
    /// Package archives (acme-web-1.0-20250101000000-x86_64-linux.hart) or identifiers (acme/web)
    #[arg(required = true, value_name = "PKG_IDENT_OR_ARTIFACT", value_parser = parse)]
    sources: Vec<Source>,
}

/// A package to install, with its original text.
#[derive(Debug, Clone)]
struct Source {
    text: String,
    wanted: Wanted,
}

fn parse(text: &str) -> Result<Source, String> {
    Ok(Source { text: text.into(), wanted: parse_source(text)? })
}

/// An archive if there is such a file, else an identifier.
pub(crate) fn parse_source(text: &str) -> Result<Wanted, String> {
    let path = Path::new(text);
    if path.is_file() {
        LocalArchive::read(path).map(Wanted::Archive).map_err(|error| error.to_string())
    } else if text.ends_with(ARCHIVE_SUFFIX) {
        Err(format!("File not found at: {text}"))
    } else {
        parse_ident(text).map(Wanted::Ident).map_err(|error| error.to_string())
    }
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        if self.ignore_local {
            let text = "--ignore-local is not supported yet: packages are not taken from Builder; \
                        install an archive (FILE.hart) instead";
            return Err(UsageError(text.into()).into());
        }
        for path in &self.trust {
            trust(context, path)?;
        }
        let token = self.auth.clone().or_else(|| variable("HAB_AUTH_TOKEN"));
        let links = self.binlink || self.binlink_dir.is_some();
        let directory = binlinks::directory(self.binlink_dir.clone().map(PathBuf::from));
        for source in &self.sources {
            let outcome = install(context, &source.text, &source.wanted)?;
            if !self.ignore_install_hook {
                install_hooks::install(context, &outcome, token.as_deref())?;
            }
            end(context, &outcome);
            if links {
                let ident: &PackageIdent = &outcome.ident;
                Binlinks::new(context, ident, &directory, self.force)?.all()?;
            }
        }
        Ok(Exit::Success)
    }
}

/// Imports the public key of an origin.
fn trust(context: &Context, path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let text = read_text(path, KEY_FILE_BYTES_MAX)?.unwrap_or_default();
    let cache = context.key_cache(variable("HAB_CACHE_KEY_PATH").as_deref().map(Path::new));
    let key = cache
        .import::<SigningPublicKey>(&text)
        .with_context(|| format!("{shown} is not a valid public origin key"))?;
    context.ui.status(Verb::Using, &format!("public origin key {}", key.named_revision()));
    Ok(())
}

/// Installs, and prints the steps.
pub(crate) fn install(context: &Context, shown: &str, wanted: &Wanted) -> anyhow::Result<Outcome> {
    let ui = &context.ui;
    ui.begin(&format!("Installing {shown}"));
    let setup = context.setup(&context.root, None);
    let outcome = setup.install(wanted, &mut |step| match step {
        Step::Determining(ident) => {
            ui.status(Verb::Determining, &format!("latest version of {ident} on this machine"));
        }
        Step::Verifying(ident) => ui.status(Verb::Verifying, &ident.to_string()),
        Step::Using(ident) => ui.status(Verb::Using, &ident.to_string()),
        Step::Installed(ident) => ui.status(Verb::Installed, &ident.to_string()),
    })?;
    Ok(outcome)
}

/// The last line of an installation.
pub(crate) fn end(context: &Context, outcome: &Outcome) {
    let Outcome { ident, new_packages, .. } = outcome;
    let text = format!("Install of {ident} complete with {new_packages} new packages installed.");
    context.ui.end(&text);
}
