//! `hab config apply`

use std::path::PathBuf;

use roost_crypto::KeyCache;
use roost_ctl::{Request, reply::ErrorCode};
use roost_ident::ServiceGroup;

use crate::{
    cli::Run,
    cmd::{
        keys::{self, CacheArg},
        payload::{parse_file_or_stdin, read_payload},
    },
    complete,
    context::Context,
    control::{RemoteArg, command, refusal_code},
    exit::Exit,
    ui::Verb,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    remote: RemoteArg,
    #[command(flatten)]
    cache: CacheArg,
    /// Name of the user key to encrypt with
    #[arg(short = 'u', long = "user", add = complete::users())]
    user: Option<String>,
    /// Target service group (redis.production)
    #[arg(add = complete::groups())]
    service_group: ServiceGroup,
    /// Version of the configuration; the greatest one wins
    version_number: u64,
    /// Path to the configuration, or - for standard input
    #[arg(default_value = "-", value_parser = parse_file_or_stdin)]
    file: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ui = &context.ui;
        let too_large = "Configuration too large. Maximum allowed is 65536 bytes.";
        let plain = read_payload(&self.file, too_large)?;
        let group = &self.service_group;
        let config = match &self.user {
            None => plain.clone(),
            Some(user) => {
                let caches = self.caches(context);
                let message = keys::encrypt(&caches, user, group, &plain)?;
                let text = format!(
                    "Encrypting config (user rev = {}, service rev = {})",
                    message.sender, message.recipient
                );
                ui.status(Verb::Encrypting, &text);
                message.text
            }
        };
        ui.begin(&format!("Setting new configuration version {} for {group}", self.version_number));
        ui.status(Verb::Creating, "service configuration");
        let remote = self.remote.address(context);
        let validate = Request::ValidateConfig { group: Some(group.clone()), config: plain };
        warn_if_invalid(context, command(context, &remote, &validate))?;
        ui.status(Verb::Applying, "applying...");
        let set = Request::SetConfig {
            group: group.clone(),
            config,
            version: self.version_number,
            encrypted: self.user.is_some(),
        };
        warn_if_invalid(context, command(context, &remote, &set))?;
        ui.end("Applied configuration");
        Ok(Exit::Success)
    }
}

impl Arguments {
    /// The given directory, and the subdirectory that Habitat uses.
    fn caches(&self, context: &Context) -> Vec<KeyCache> {
        let cache = self.cache.open(context);
        let below: PathBuf = cache.dir().join("hab/cache/keys");
        vec![cache, KeyCache::new(below)]
    }
}

/// As in Habitat, problems of the payload's content are only warnings.
fn warn_if_invalid(context: &Context, asked: anyhow::Result<()>) -> anyhow::Result<()> {
    match asked {
        Err(error) if refusal_code(&error) == Some(ErrorCode::InvalidPayload as i32) => {
            context.ui.warn(&error.to_string());
            Ok(())
        }
        other => other,
    }
}
