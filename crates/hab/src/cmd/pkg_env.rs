//! `hab pkg env`: the environment of a package as shell commands.

use std::{collections::BTreeMap, env};

use roost_pkg::{Installed, Package};

use crate::{cli::Run, cmd::installed::InstalledArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    package: InstalledArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let lines = environment(context, self.package.resolve(context)?)?
            .into_iter()
            .map(|(name, value)| format!("export {name}=\"{value}\"\n"));
        context.ui.raw(&lines.collect::<String>());
        Ok(Exit::Success)
    }
}

/// The package's own variables; an `SSL_CERT_FILE` of this process has precedence.
pub(crate) fn environment(
    context: &Context,
    package: Installed,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut map = Package::load(&context.root, package.ident)?.environment;
    if env::var_os("SSL_CERT_FILE").is_some() {
        map.remove("SSL_CERT_FILE");
    }
    Ok(map)
}
