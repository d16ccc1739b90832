//! `hab pkg path`

use crate::{cli::Run, cmd::installed::InstalledArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    package: InstalledArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let found = self.package.resolve(context)?;
        context.ui.info(&found.path.display().to_string());
        Ok(Exit::Success)
    }
}
