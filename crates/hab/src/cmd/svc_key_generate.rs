//! `hab svc key generate`

use anyhow::bail;
use roost_ident::ServiceGroup;

use crate::{
    cli::Run,
    cmd::keys::{CacheArg, generate_pair},
    complete,
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    cache: CacheArg,
    /// Target service group (redis.production), without organization
    #[arg(add = complete::groups())]
    service_group: ServiceGroup,
    /// The organization of the group
    #[arg(env = "HABITAT_ORG")]
    org: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let group = &self.service_group;
        if group.organization().is_some() {
            bail!(
                "{group} already includes an organization, and a key with two would match no group. \
                 Leave out the @ and what follows it."
            );
        }
        let full = ServiceGroup::new(group.service(), group.group(), Some(&self.org))?;
        context.ui.begin(&format!("Generating service key for {group} in {}", self.org));
        let named = generate_pair(&self.cache.open(context), full.as_str())?;
        context.ui.end(&format!("Generated service key pair {named}."));
        Ok(Exit::Success)
    }
}
