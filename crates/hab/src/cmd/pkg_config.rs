//! `hab pkg config`: the default configuration of an installed package
//! (reference: templates §9.2). Other layers are not shown.

use std::io::{self, Write as _};

use roost_ident::PackageIdent;
use roost_pkg::{install, read::read_text};
use roost_template::{config::parse_toml, limits::MAX_CONFIG_BYTES};

use crate::{cli::Run, cmd::payload::parse_ident, complete, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident, add = complete::packages())]
    pkg_ident: PackageIdent,
}

impl Run for Arguments {
    /// A `default.toml` that is missing or cannot be read as configuration is told on standard
    /// error, and is no failure.
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let package = install::resolve(&context.root, &self.pkg_ident)?;
        let config = read_text(&package.path.join("default.toml"), MAX_CONFIG_BYTES as u64)
            .ok()
            .flatten()
            .and_then(|text| parse_toml(&text).ok())
            .and_then(|table| toml::to_string(&table).ok());
        match config {
            Some(text) => context.ui.info(&text),
            None => {
                // Nobody can be told where there is no standard error.
                let _ = writeln!(io::stderr(), "No 'default.toml' found for {}", package.ident);
            }
        }
        Ok(Exit::Success)
    }
}
