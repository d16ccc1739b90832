//! `hab origin key export`

use roost_crypto::{KeyFile, SigningPublicKey, SigningSecretKey};

use crate::{
    cli::Run,
    cmd::{keys::CacheArg, origin},
    context::Context,
    exit::Exit,
};

/// Halves of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Public,
    Secret,
}

fn parse_half(text: &str) -> Result<Half, String> {
    match text {
        "public" => Ok(Half::Public),
        "secret" => Ok(Half::Secret),
        other => Err(format!("Failed to parse key type: {other}")),
    }
}

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which half: public or secret
    #[arg(short = 't', long = "type", value_name = "KEY_TYPE", default_value = "public")]
    #[arg(value_parser = parse_half)]
    half: Half,
    #[command(flatten)]
    cache: CacheArg,
    /// The origin
    #[arg(value_parser = origin::parse)]
    origin: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let cache = self.cache.open(context);
        let text = match self.half {
            Half::Public => cache.latest::<SigningPublicKey>(&self.origin)?.to_text(),
            Half::Secret => cache.latest::<SigningSecretKey>(&self.origin)?.to_text(),
        };
        context.ui.raw(&text);
        Ok(Exit::Success)
    }
}
