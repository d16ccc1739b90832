//! `hab svc stop` and `hab svc unload`: both end a service, and differ in what stays of it.

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

/// Arguments of both.
#[derive(Debug, clap::Args)]
struct Arguments {
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

/// Arguments of `hab svc stop`: the service stays loaded.
#[derive(Debug, clap::Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    arguments: Arguments,
}

/// Arguments of `hab svc unload`: nothing stays.
#[derive(Debug, clap::Args)]
pub(crate) struct Unload {
    #[command(flatten)]
    arguments: Arguments,
}

impl Run for Stop {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Arguments { remote, shutdown_timeout: timeout_s, wait, pkg_ident: ident } =
            self.arguments;
        let remote = remote.address(context);
        command(context, &remote, &Request::Stop { ident: ident.clone(), timeout_s })?;
        wait.run(context, &remote, &ident)?;
        Ok(Exit::Success)
    }
}

impl Run for Unload {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Arguments { remote, shutdown_timeout: timeout_s, wait, pkg_ident: ident } =
            self.arguments;
        let remote = remote.address(context);
        command(context, &remote, &Request::Unload { ident: ident.clone(), timeout_s })?;
        wait.run_gone(context, &remote, &ident)?;
        Ok(Exit::Success)
    }
}
