//! `hab sup token list`

use roost_access::{NOTICE_MS, Rules, read_to_show};
use roost_text::shown;
use serde_json::{Value, json};

use crate::{
    cli::Run,
    clock,
    cmd::svc_status::columns,
    context::Context,
    exit::Exit,
    options::tokens_file::{Format, TokensFile, end, end_json, scopes_json},
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: TokensFile,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let rules = read_to_show(&self.file.path(context)?)?;
        let now_ms = clock::unix_ms();
        context.ui.block(&match self.file.format {
            Format::Text => columns(&table(&rules, now_ms)),
            Format::Json => format!("{:#}\n", document(&rules, now_ms)),
        });
        Ok(Exit::Success)
    }
}

/// How long a token is still valid, as a word.
fn state(expires_ms: Option<u64>, now_ms: u64) -> &'static str {
    match expires_ms {
        Some(expires_ms) if expires_ms <= now_ms => "expired",
        Some(expires_ms) if expires_ms <= now_ms.saturating_add(NOTICE_MS) => "expires soon",
        _ => "valid",
    }
}

fn table(rules: &Rules, now_ms: u64) -> Vec<Vec<String>> {
    let mut table =
        vec![["kind", "name", "scopes", "expires", "state"].map(str::to_owned).to_vec()];
    table.extend(rules.tokens.iter().map(|token| {
        vec![
            "token".into(),
            token.name.to_string(),
            token.scopes.to_string().replace(", ", ","),
            end(token.expires_ms),
            state(token.expires_ms, now_ms).into(),
        ]
    }));
    table.extend(rules.certificates.iter().map(|rule| {
        vec![
            "certificate".into(),
            shown(rule.subject.as_str()).to_string(),
            rule.scopes.to_string().replace(", ", ","),
            "-".into(),
            "-".into(),
        ]
    }));
    table
}

fn document(rules: &Rules, now_ms: u64) -> Value {
    let token = |token: &roost_access::TokenRule| {
        json!({
            "name": &*token.name,
            "scopes": scopes_json(token.scopes),
            "expires": end_json(token.expires_ms),
            "state": state(token.expires_ms, now_ms).replace(' ', "_"),
        })
    };
    let certificate = |rule: &roost_access::CertificateRule| json!({ "subject": rule.subject.as_str(), "scopes": scopes_json(rule.scopes) });
    json!({
        "tokens": rules.tokens.iter().map(token).collect::<Vec<_>>(),
        "certificates": rules.certificates.iter().map(certificate).collect::<Vec<_>>(),
    })
}
