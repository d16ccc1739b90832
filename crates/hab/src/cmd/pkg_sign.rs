//! `hab pkg sign`

use std::path::PathBuf;

use roost_crypto::{KeyFile, SigningSecretKey};
use roost_hart::pack;

use crate::{
    cli::Run,
    cmd::{archive_file, keys::CacheArg, origin},
    context::Context,
    exit::Exit,
    ui::Verb,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The origin whose newest secret key signs [default: HAB_ORIGIN, or origin of cli.toml]
    #[arg(long, value_parser = origin::parse)]
    origin: Option<String>,
    #[command(flatten)]
    cache: CacheArg,
    /// The file to sign, usually a tar compressed with xz
    #[arg(value_parser = archive_file::parse)]
    source: PathBuf,
    /// The package archive to create or overwrite
    dest: PathBuf,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let origin = origin::find(self.origin, context)?;
        let key: SigningSecretKey = self.cache.open(context).latest(&origin)?;
        let (source, dest) = (self.source.display(), self.dest.display());
        context.ui.begin(&format!("Signing {source}"));
        let name = key.named_revision();
        context.ui.status(Verb::Signing, &format!("{source} with {name} to create {dest}"));
        pack::sign(&self.source, &key, &self.dest)?;
        context.ui.end(&format!("Signed artifact {dest}."));
        Ok(Exit::Success)
    }
}
