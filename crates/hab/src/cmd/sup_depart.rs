//! `hab sup depart`

use roost_ctl::Request;

use crate::{
    cli::Run,
    context::Context,
    control::{RemoteArg, command},
    exit::Exit,
    ui::Verb,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    /// The member ID of the Supervisor to depart
    member_id: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ui = &context.ui;
        let remote = self.remote.address(context);
        ui.begin(&format!("Permanently marking {} as departed", self.member_id));
        ui.status(Verb::Applying, &format!("via peer {remote}"));
        command(context, &remote, &Request::Depart { member_id: self.member_id })?;
        ui.end("Departure recorded.");
        Ok(Exit::Success)
    }
}
