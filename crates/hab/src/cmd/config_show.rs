//! `hab config show`: the default configuration of a loaded service.

use roost_ctl::{Answer, Request};
use roost_ident::PackageIdent;

use crate::{
    cli::Run,
    cmd::payload::parse_ident,
    context::Context,
    control::{RemoteArg, ask, expect_answer},
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident)]
    pkg_ident: PackageIdent,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let remote = self.remote.address(context);
        let mut text = String::new();
        let request = Request::DefaultConfig { ident: self.pkg_ident };
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
