//! `hab ring key generate`

use roost_crypto::{KeyFile, RingKey};

use crate::{
    cli::Run,
    cmd::keys::{CacheArg, new_revision},
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
    /// Name of the ring
    ring: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        context.ui.begin(&format!("Generating ring key for {}", self.ring));
        let key = RingKey::generate(new_revision(&self.ring)?)?;
        self.cache.open(context).write(&key)?;
        context.ui.end(&format!("Generated ring key {}.", key.named_revision()));
        Ok(Exit::Success)
    }
}
