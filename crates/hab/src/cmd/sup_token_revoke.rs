//! `hab sup token revoke`

use roost_access::{change, removed};
use serde_json::json;

use crate::{
    cli::Run,
    context::Context,
    exit::Exit,
    options::tokens_file::{Format, TokensFile},
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name of the token
    name: String,
    #[command(flatten)]
    file: TokensFile,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let path = self.file.path(context)?;
        change(&path, |path, text| match text {
            Some(text) => removed(path, text, &self.name),
            None => removed(path, "# no tokens\n", &self.name),
        })?;
        let shown = path.display();
        context.ui.info(&match self.file.format {
            Format::Text => format!("Revoked token {} in {shown}", self.name),
            Format::Json => {
                format!("{:#}", json!({ "revoked": self.name, "file": shown.to_string() }))
            }
        });
        Ok(Exit::Success)
    }
}
