//! `hab pkg config`: prints the default configuration of an installed package (reference: templates
//! §9.2), without other layers.

use std::io::{self, Write as _};

use roost_pkg::read::read_text;
use roost_template::{config::parse_toml, limits::MAX_CONFIG_BYTES};

use crate::{cli::Run, cmd::installed::InstalledArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    package: InstalledArg,
}

impl Run for Arguments {
    /// A missing or malformed `default.toml` is reported on standard error and does not fail the
    /// command.
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let package = self.package.resolve(context)?;
        let config = read_text(&package.path.join("default.toml"), MAX_CONFIG_BYTES as u64)
            .ok()
            .flatten()
            .and_then(|text| parse_toml(&text).ok())
            .and_then(|table| toml::to_string(&table).ok());
        match config {
            Some(text) => context.ui.info(&text),
            None => {
                // A failure of standard error cannot be reported.
                let _ = writeln!(io::stderr(), "No 'default.toml' found for {}", package.ident);
            }
        }
        Ok(Exit::Success)
    }
}
