//! `hab events`: prints what happened to services and the Supervisor.

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
    /// Only events about these topics (service, health, ...), separated by commas
    #[arg(long, value_name = "TOPICS")]
    topic: Option<String>,
    /// Only events of this service: its name (redis), its group (redis.default) or its package
    /// identifier (core/redis); it need not be loaded
    #[arg(long, value_name = "SERVICE", add = complete::groups())]
    service: Option<Loaded>,
    #[command(flatten)]
    target: Target,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Self { selection, topic, service, target } = self;
        record::show(context, &target, &Wanted { selection, topic, service })?;
        Ok(Exit::Success)
    }
}
