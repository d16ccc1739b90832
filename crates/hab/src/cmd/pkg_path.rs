//! `hab pkg path`

use roost_ident::PackageIdent;
use roost_pkg::install;

use crate::{cli::Run, cmd::payload::parse_ident, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident)]
    pkg_ident: PackageIdent,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let found = install::resolve(&context.root, &self.pkg_ident)?;
        context.ui.info(&found.path.display().to_string());
        Ok(Exit::Success)
    }
}
