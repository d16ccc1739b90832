//! `hab user key generate`

use crate::{
    cli::Run,
    cmd::keys::{CacheArg, generate_pair},
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
    /// Name of the user
    user: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        context.ui.begin(&format!("Generating user key for {}", self.user));
        let named = generate_pair(&self.cache.open(context), &self.user)?;
        context.ui.end(&format!("Generated user encryption key pair {named}."));
        Ok(Exit::Success)
    }
}
