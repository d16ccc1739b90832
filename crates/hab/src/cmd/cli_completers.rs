//! `hab cli completers`: completion scripts.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    cli::{Cli, Run},
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name of the shell
    #[arg(short = 's', long, value_enum)]
    shell: Shell,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "hab", &mut script);
        context.ui.raw(&String::from_utf8_lossy(&script));
        Ok(Exit::Success)
    }
}
