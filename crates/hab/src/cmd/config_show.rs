//! `hab config show`: the default configuration of a loaded service.

use roost_ctl::{Answer, Request};

use crate::{
    cli::Run,
    cmd::loaded::Loaded,
    complete,
    context::Context,
    control::{RemoteArg, ask, expect_answer},
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    /// A loaded service: its package identifier (core/redis), its name (redis) or its group
    /// (redis.default)
    #[arg(value_name = "SERVICE", add = complete::services())]
    service: Loaded,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let remote = self.remote.address(context);
        let mut text = String::new();
        let ident = self.service.resolve(context, &remote)?;
        let request = Request::DefaultConfig { ident };
        let ended = ask(context, &remote, &request, |answer| {
            if let Answer::Config(config) = answer {
                text = config;
            }
            Ok(())
        })?;
        expect_answer(ended)?;
        context.ui.block(&text);
        if !text.is_empty() && !text.ends_with('\n') {
            context.ui.raw("\n");
        }
        Ok(Exit::Success)
    }
}
