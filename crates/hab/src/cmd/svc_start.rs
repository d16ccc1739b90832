//! `hab svc start`

use roost_ctl::Request;

use crate::{
    cli::Run,
    cmd::loaded::Loaded,
    complete,
    context::Context,
    control::{RemoteArg, command_for_state},
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
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.default)
    #[arg(value_name = "SERVICE", add = complete::services())]
    service: Loaded,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let remote = self.remote.address(context);
        let ident = self.service.resolve(context, &remote)?;
        let before = self.wait.before(context, &remote, &ident)?;
        command_for_state(context, &remote, &Request::Start { ident: ident.clone() })?;
        self.wait.run(context, &remote, &ident, wait::Command::Start, before)?;
        Ok(Exit::Success)
    }
}
