//! `hab ring key export`

use roost_crypto::{KeyFile, RingKey};

use crate::{cli::Run, cmd::keys::CacheArg, complete, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
    /// Name of the ring
    #[arg(add = complete::rings())]
    ring: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let key: RingKey = self.cache.open(context).latest(&self.ring)?;
        context.ui.raw(&key.to_text());
        Ok(Exit::Success)
    }
}
