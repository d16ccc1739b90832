//! `hab origin key import`

use roost_crypto::{Error, KeyFile, SigningSecretKey};

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
        context.ui.begin("Importing origin key from standard input");
        let text = keys::from_stdin()?;
        let named = match self.cache.open(context).import_signing_key(&text) {
            // Habitat does not report details of the fault either.
            Err(error) if is_malformed(&error) => return Err(Error::NotASigningKey.into()),
            other => other?,
        };
        let half = if text.trim().starts_with(SigningSecretKey::TAG) { "secret" } else { "public" };
        context.ui.end(&format!("Imported {half} origin key {named}"));
        Ok(Exit::Success)
    }
}

fn is_malformed(error: &Error) -> bool {
    !matches!(error, Error::Conflict { .. } | Error::Io { .. } | Error::TooLong { .. })
}
