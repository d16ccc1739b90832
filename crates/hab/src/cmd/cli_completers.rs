//! `hab cli completers`: completion scripts.

use anyhow::Context as _;
use clap_complete::{Shell, env::Shells};

use crate::{cli::Run, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name of the shell
    #[arg(short = 's', long, value_enum)]
    shell: Shell,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        // The script asks the program for each key, which knows what is loaded right now.
        let name = self.shell.to_string();
        let shells = Shells::builtins();
        let shell = shells.completer(&name).with_context(|| format!("{name} is not supported"))?;
        let mut script = Vec::new();
        shell.write_registration("COMPLETE", "hab", "hab", "hab", &mut script)?;
        context.ui.raw(&String::from_utf8_lossy(&script));
        Ok(Exit::Success)
    }
}
