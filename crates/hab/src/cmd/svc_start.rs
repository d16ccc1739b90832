//! `hab svc start`

use roost_ctl::Request;
use roost_ident::PackageIdent;

use crate::{
    cli::Run,
    cmd::payload::parse_ident,
    context::Context,
    control::{RemoteArg, command},
    exit::Exit,
    wait::{self, WaitUp},
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
        let ident = self.pkg_ident;
        let before = self.wait.before(context, &remote, &ident)?;
        command(context, &remote, &Request::Start { ident: ident.clone() })?;
        self.wait.run(context, &remote, &ident, wait::Command::Start, before)?;
        Ok(Exit::Success)
    }
}
