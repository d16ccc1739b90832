//! `hab origin key import`

use std::io::{self, Read};

use anyhow::bail;
use roost_crypto::{Error, KeyFile, SigningSecretKey, cache::KEY_FILE_BYTES_MAX};
use zeroize::Zeroizing;

use crate::{cli::Run, cmd::keys::CacheArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        context.ui.begin("Importing origin key from standard input");
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        io::stdin().take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > KEY_FILE_BYTES_MAX {
            bail!("Standard input is longer than {KEY_FILE_BYTES_MAX} bytes, so it is not a key.");
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::NotASigningKey)?;
        let named = match self.cache.open(context).import_signing_key(text) {
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
