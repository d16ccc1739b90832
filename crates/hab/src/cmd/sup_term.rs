//! `hab sup term`: stops the Supervisor of this machine. Works locally, without the control
//! gateway.

use roost_launch::lock::{TermError, term};

use crate::{
    cli::Run,
    context::{Context, surroundings},
    exit::{Advised, Exit, StartError},
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        match term(context.root.path()) {
            Ok(()) => Ok(Exit::Success),
            Err(error @ TermError::Lock(_)) => {
                let advice = format!("No Supervisor was stopped. {}", surroundings());
                Err(Advised::wrap(error.into(), advice))
            }
            Err(error @ TermError::Signal) => {
                let text = format!(
                    "{error}. {} Run the command as root or as the user of the Supervisor.",
                    surroundings()
                );
                Err(StartError(text).into())
            }
        }
    }
}
