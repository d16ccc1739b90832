//! `hab pkg dependencies`

use roost_pkg::graph::{self, Graph};

use crate::{cli::Run, cmd::installed::InstalledArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Include indirect dependencies
    #[arg(short = 't', long)]
    transitive: bool,
    /// Print the packages that depend on the package instead
    #[arg(short = 'r', long)]
    reverse: bool,
    #[command(flatten)]
    package: InstalledArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ident = self.package.resolve(context)?.ident;
        let idents = match (self.reverse, self.transitive) {
            (false, false) => graph::direct(&context.root, &ident)?,
            (false, true) => Graph::read(&context.root)?.all_dependencies(&ident),
            (true, false) => Graph::read(&context.root)?.dependents(&ident),
            (true, true) => Graph::read(&context.root)?.all_dependents(&ident),
        };
        context.ui.raw(&idents.iter().map(|ident| format!("{ident}\n")).collect::<String>());
        Ok(Exit::Success)
    }
}
