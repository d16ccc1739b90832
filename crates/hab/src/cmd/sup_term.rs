//! `hab sup term`: stops the Supervisor of this machine. Purely local, no gateway.

use roost_launch::lock::{TermError, term};

use crate::{
    cli::Run,
    context::Context,
    exit::{Exit, StartError},
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match term(context.root.path()) {
            Ok(()) => Ok(Exit::Success),
            // Not running is told, and is no failure: nothing runs, as was wanted.
            Err(error @ TermError::Lock(_)) => {
                context.ui.info(&error.to_string());
                Ok(Exit::Success)
            }
            Err(error @ TermError::Signal) => Err(StartError(error.to_string()).into()),
        }
    }
}
