//! `hab pkg env`: the environment of a package as shell commands.

use std::{collections::BTreeMap, env};

use roost_ident::PackageIdent;
use roost_pkg::{Package, install};

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
        let lines = environment(context, &self.pkg_ident)?
            .into_iter()
            .map(|(name, value)| format!("export {name}=\"{value}\"\n"));
        context.ui.raw(&lines.collect::<String>());
        Ok(Exit::Success)
    }
}

/// The package's own variables; an `SSL_CERT_FILE` of this process has precedence.
pub(crate) fn environment(
    context: &Context,
    ident: &PackageIdent,
) -> anyhow::Result<BTreeMap<String, String>> {
    let found = install::resolve(&context.root, ident)?;
    let mut map = Package::load(&context.root, found.ident)?.environment;
    if env::var_os("SSL_CERT_FILE").is_some() {
        map.remove("SSL_CERT_FILE");
    }
    Ok(map)
}
