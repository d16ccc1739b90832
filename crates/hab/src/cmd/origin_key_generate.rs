//! `hab origin key generate`

use roost_crypto::{KeyFile, SigningSecretKey};

use crate::{
    cli::Run,
    cmd::{
        keys::{CacheArg, new_revision},
        origin,
    },
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
    /// The origin [default: HAB_ORIGIN, or origin of cli.toml]
    #[arg(value_parser = origin::parse)]
    origin: Option<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let origin = origin::find(self.origin, context)?;
        context.ui.begin(&format!("Generating origin key for {origin}"));
        let secret = SigningSecretKey::generate(new_revision(&origin)?)?;
        self.cache.open(context).write_pair(&secret.public_key(), &secret)?;
        context.ui.end(&format!("Generated origin key pair {}.", secret.named_revision()));
        Ok(Exit::Success)
    }
}
