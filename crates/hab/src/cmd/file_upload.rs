//! `hab file upload`

use std::path::Path;

use anyhow::bail;
use roost_ctl::Request;
use roost_ident::ServiceGroup;
use roost_text::name::{self, NameKind};

use crate::{
    cli::Run,
    cmd::{
        keys::{self, CacheArg},
        payload::{parse_file, read_payload},
    },
    complete,
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
    #[command(flatten)]
    cache: CacheArg,
    /// Name of the user key to encrypt with
    #[arg(short = 'u', long = "user", add = complete::users())]
    user: Option<String>,
    /// Target service group (redis.production)
    #[arg(add = complete::groups())]
    service_group: ServiceGroup,
    /// Version of the file; the greatest one wins
    version_number: u64,
    /// Path to the file
    #[arg(value_parser = parse_file)]
    file: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ui = &context.ui;
        let group = &self.service_group;
        let too_large = "File too large. Maximum size allowed is 65536 bytes.";
        let plain = read_payload(&self.file, too_large)?;
        if self.user.is_some() && group.organization().is_none() {
            bail!(
                "Only files for a service group with an organization can be encrypted, and {group} \
                 has none. Name it ({group}@ORG), or leave --user out to send the file as it is."
            );
        }
        let Some(filename) = Path::new(&self.file).file_name().and_then(|name| name.to_str())
        else {
            bail!("The name of {} is not text.", self.file);
        };
        name::check(NameKind::File, filename)?;
        ui.begin(&format!(
            "Uploading file {} to {} incarnation {group}",
            self.file, self.version_number
        ));
        ui.status(Verb::Creating, "service file");
        let content = match &self.user {
            None => plain,
            Some(user) => {
                let message = keys::encrypt(&[self.cache.open(context)], user, group, &plain)?;
                let text = format!("file as {} for {}", message.sender, message.recipient);
                ui.status(Verb::Encrypting, &text);
                message.text
            }
        };
        let remote = self.remote.address(context);
        ui.status(Verb::Applying, &format!("via peer {remote}"));
        let request = Request::PutFile {
            group: group.clone(),
            filename: filename.into(),
            content,
            version: self.version_number,
            encrypted: self.user.is_some(),
        };
        command(context, &remote, &request)?;
        ui.end("Uploaded file");
        Ok(Exit::Success)
    }
}
