//! `hab pkg list`

use std::fs;

use roost_ident::PackageIdent;
use roost_pkg::install;

use crate::{
    cli::Run,
    cmd::{origin, payload::parse_ident},
    complete,
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[group(id = "which", required = true, multiple = false)]
pub(crate) struct Arguments {
    /// List all installed packages
    #[arg(short = 'a', long)]
    all: bool,
    /// List the packages of an origin
    #[arg(short = 'o', long, value_parser = origin::parse)]
    origin: Option<String>,
    /// List the releases of a package (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident, add = complete::packages())]
    pkg_ident: Option<PackageIdent>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let found = match (&self.pkg_ident, &self.origin) {
            (Some(ident), _) => {
                let mut found = install::matching(&context.root, ident);
                found.sort_by(|a, b| a.ident.compare_age(&b.ident));
                found
            }
            (None, Some(origin)) => {
                let mut found = install::list(&context.root);
                found.retain(|found| found.ident.origin == *origin);
                found
            }
            (None, None) => {
                fs::read_dir(context.root.pkgs())?;
                install::list(&context.root)
            }
        };
        let lines: String = found.iter().map(|found| format!("{}\n", found.ident)).collect();
        context.ui.raw(&lines);
        Ok(Exit::Success)
    }
}
