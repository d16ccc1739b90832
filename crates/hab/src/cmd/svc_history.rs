//! `hab svc history`: prints what happened to one service.

use crate::{
    cli::Run,
    cmd::loaded::Loaded,
    complete,
    context::Context,
    exit::Exit,
    gateway::Target,
    record::{self, Selection, Wanted},
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    target: Target,
    /// The service: its name (redis), its group (redis.default) or its package identifier
    /// (core/redis); it need not be loaded
    #[arg(value_name = "SERVICE", add = complete::groups())]
    service: Loaded,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Self { selection, target, service } = self;
        let wanted = Wanted { selection, topic: None, service: Some(service) };
        record::show(context, &target, &wanted)?;
        Ok(Exit::Success)
    }
}
