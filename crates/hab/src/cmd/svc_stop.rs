//! `hab svc stop` and `hab svc unload`: both stop a service; `unload` also removes its spec.

use roost_ctl::Request;

use crate::{
    cli::Run,
    cmd::loaded::Loaded,
    complete,
    context::Context,
    control::{RemoteArg, command, command_for_state},
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
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.default)
    #[arg(value_name = "SERVICE", add = complete::services())]
    service: Loaded,
}

/// Arguments of `hab svc stop`: the service stays loaded.
#[derive(Debug, clap::Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    arguments: Arguments,
}

/// Arguments of `hab svc unload`: the service is removed.
#[derive(Debug, clap::Args)]
pub(crate) struct Unload {
    #[command(flatten)]
    arguments: Arguments,
}

impl Run for Stop {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Arguments { remote, shutdown_timeout: timeout_s, wait, service } = self.arguments;
        let remote = remote.address(context);
        let ident = service.resolve(context, &remote)?;
        command_for_state(context, &remote, &Request::Stop { ident: ident.clone(), timeout_s })?;
        wait.run(context, &remote, &ident)?;
        Ok(Exit::Success)
    }
}

impl Run for Unload {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Arguments { remote, shutdown_timeout: timeout_s, wait, service } = self.arguments;
        let remote = remote.address(context);
        let ident = service.resolve(context, &remote)?;
        command(context, &remote, &Request::Unload { ident: ident.clone(), timeout_s })?;
        wait.run_gone(context, &remote, &ident)?;
        Ok(Exit::Success)
    }
}
