//! `hab svc stop`

use roost_ctl::Request;
use roost_ident::PackageIdent;

use crate::{
    cli::Run,
    cmd::payload::parse_ident,
    context::Context,
    control::{RemoteArg, command},
    exit::Exit,
    wait::WaitDown,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    /// The delay in seconds after sending the shutdown signal to wait before killing the service
    /// process
    #[arg(long)]
    shutdown_timeout: Option<u32>,
    #[command(flatten)]
    wait: WaitDown,
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident)]
    pkg_ident: PackageIdent,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let remote = self.remote.address(context);
        let timeout_s = self.shutdown_timeout;
        command(context, &remote, &Request::Stop { ident: self.pkg_ident.clone(), timeout_s })?;
        self.wait.run(context, &remote, &self.pkg_ident)?;
        Ok(Exit::Success)
    }
}
