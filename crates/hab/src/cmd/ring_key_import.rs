//! `hab ring key import`

use roost_crypto::{KeyFile, RingKey};

use crate::{
    cli::Run,
    cmd::keys::{self, CacheArg},
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        context.ui.begin("Importing ring key from standard input");
        let key: RingKey = self.cache.open(context).import(&keys::from_stdin()?)?;
        context.ui.end(&format!("Imported ring key {}.", key.named_revision()));
        Ok(Exit::Success)
    }
}
