//! `hab ring key import`

use std::io::{self, Read};

use anyhow::bail;
use roost_crypto::{KeyFile, RingKey, cache::KEY_FILE_BYTES_MAX};

use crate::{cli::Run, cmd::keys::CacheArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        context.ui.begin("Importing ring key from standard input");
        let mut text = String::new();
        io::stdin().take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > KEY_FILE_BYTES_MAX {
            bail!("Standard input is longer than {KEY_FILE_BYTES_MAX} bytes, so it is not a key.");
        }
        let key: RingKey = self.cache.open(context).import(&text)?;
        context.ui.end(&format!("Imported ring key {}.", key.named_revision()));
        Ok(Exit::Success)
    }
}
