//! `hab pkg verify`

use std::path::PathBuf;

use roost_crypto::SigningPublicKey;
use roost_hart::Archive;

use crate::{
    cli::Run,
    cmd::{archive_file, keys::CacheArg},
    context::Context,
    exit::Exit,
    ui::Verb,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A package archive
    #[arg(value_parser = archive_file::parse)]
    source: PathBuf,
    #[command(flatten)]
    cache: CacheArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let shown = self.source.display();
        context.ui.begin(&format!("Verifying artifact {shown}"));
        let archive = Archive::open(&self.source)?;
        let signer = &archive.header().signer;
        let key: SigningPublicKey = self.cache.open(context).get(signer)?;
        let hash = archive.verify(&key)?;
        let text = format!("checksum {} signed with {signer}", hash.as_str());
        context.ui.status(Verb::Verified, &text);
        context.ui.end(&format!("Verified artifact {shown}."));
        Ok(Exit::Success)
    }
}
