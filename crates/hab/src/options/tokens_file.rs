//! The file that `hab sup token` works on, and how its entries are shown.

use std::path::PathBuf;

use roost_access::Scopes;
use roost_ident::time::rfc3339_s;
use serde_json::{Value, json};

use crate::{context::Context, options::run::configured_tokens};

/// The file, and the form of the output.
#[derive(Debug, clap::Args)]
pub(crate) struct TokensFile {
    /// The file with tokens; default: http_tokens of sup.toml, or hab/sup/default/http-tokens.toml
    #[arg(long, env = "HAB_HTTP_TOKENS")]
    file: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// JSON
    Json,
}

impl TokensFile {
    /// The path of the file.
    ///
    /// # Errors
    /// When the configuration of the Supervisor cannot be read.
    pub(crate) fn path(&self, context: &Context) -> anyhow::Result<PathBuf> {
        Ok(match &self.file {
            Some(path) => path.clone(),
            None => configured_tokens(context)?.unwrap_or_else(|| context.root.sup().http_tokens()),
        })
    }
}

/// The end of a token, for people.
pub(crate) fn end(expires_ms: Option<u64>) -> String {
    expires_ms.map_or_else(|| "never".into(), rfc3339_s)
}

/// The end of a token, for programs.
pub(crate) fn end_json(expires_ms: Option<u64>) -> Value {
    expires_ms.map(rfc3339_s).into()
}

/// Scopes, for programs.
pub(crate) fn scopes_json(scopes: Scopes) -> Value {
    json!(scopes.iter().map(roost_access::Scope::as_str).collect::<Vec<_>>())
}
