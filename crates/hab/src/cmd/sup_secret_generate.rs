//! `hab sup secret generate`

use base64::{Engine, prelude::BASE64_STANDARD};
use roost_crypto::random_bytes;

use crate::{cli::Run, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        // As long as the secret that a Supervisor generates.
        let secret: [u8; 64] = random_bytes()?;
        context.ui.info(&BASE64_STANDARD.encode(secret));
        Ok(Exit::Success)
    }
}
