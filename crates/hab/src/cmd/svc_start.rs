//! `hab svc start`

use roost_ctl::Request;
use roost_ident::PackageIdent;

use crate::{
    cli::Run,
    cmd::payload::parse_ident,
    context::Context,
    control::{RemoteArg, command},
    exit::Exit,
    wait::WaitUp,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    #[command(flatten)]
    wait: WaitUp,
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident)]
    pkg_ident: PackageIdent,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let remote = self.remote.address(context);
        command(context, &remote, &Request::Start { ident: self.pkg_ident.clone() })?;
        self.wait.run(context, &remote, &self.pkg_ident)?;
        Ok(Exit::Success)
    }
}
