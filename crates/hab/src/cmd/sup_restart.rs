//! `hab sup restart`

use roost_ctl::Request;

use crate::{
    cli::Run,
    context::Context,
    control::{RemoteArg, ask},
    exit::Exit,
    wait::WaitDown,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    #[command(flatten)]
    wait: WaitDown,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let remote = self.remote.address(context);
        let before = self.wait.up_before(context, &remote)?;
        context.ui.begin(&format!("Restarting supervisor {remote}"));
        // The Supervisor answers by closing the connection at its end.
        ask(context, &remote, &Request::Restart, |_| Ok(()))?;
        context.ui.end("Restart recorded.");
        self.wait.run_back(context, &remote, &before)?;
        Ok(Exit::Success)
    }
}
