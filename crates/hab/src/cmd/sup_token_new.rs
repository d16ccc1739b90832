//! `hab sup token new`

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use roost_access::{NewToken, Scope, added, change, digest_of};
use roost_crypto::random_bytes;
use roost_ident::time::parse_rfc3339_ms;
use serde_json::json;

use crate::{
    cli::Run,
    clock,
    context::Context,
    exit::{Exit, UsageError},
    options::tokens_file::{Format, TokensFile, end, end_json, scopes_json},
};

/// Begins each token, so that programs that search texts for secrets find it.
const PREFIX: &str = "roost_";

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What people call the token: letters, digits, '.', '_' and '-'
    name: String,
    /// What it may read: probe, read (includes probe), logs, secrets, ring
    #[arg(long, required = true, value_delimiter = ',', value_parser = parse_scope)]
    scopes: Vec<Scope>,
    /// When it ends: a time from now (90d, 12h), a day (2027-01-31), a point in time
    /// (2027-01-31T12:00:00Z) or never
    #[arg(long, value_name = "WHEN")]
    expires: String,
    #[command(flatten)]
    file: TokensFile,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let expires_ms = parse_end(&self.expires, clock::unix_ms())?;
        let path = self.file.path(context)?;
        // 256 random bits cannot be guessed.
        let secret: [u8; 32] = random_bytes()?;
        let token = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
        let digest = digest_of(&token).ok_or_else(|| anyhow::anyhow!("the token is too long"))?;
        let scopes = self.scopes.into_iter().collect();
        let new = NewToken { name: &self.name, digest, scopes, expires_ms };
        change(&path, |path, text| added(path, text, &new))?;
        match self.file.format {
            Format::Text => {
                context.ui.info(&token);
                context.ui.warn(&format!(
                    "Keep the token: it is shown only now, and {path} holds its hash. Scopes: \
                     {scopes}. Expires: {end}. A Supervisor that runs with --http-tokens {path} \
                     accepts it within a second.",
                    path = path.display(),
                    end = end(expires_ms),
                ));
            }
            Format::Json => context.ui.info(&format!(
                "{:#}",
                json!({
                    "name": self.name,
                    "token": token,
                    "scopes": scopes_json(scopes),
                    "expires": end_json(expires_ms),
                    "file": path.display().to_string(),
                })
            )),
        }
        Ok(Exit::Success)
    }
}

fn parse_scope(text: &str) -> Result<Scope, roost_access::UnknownScope> {
    text.parse()
}

/// The end of a token as people give it, in milliseconds since 1970; `None` is never.
fn parse_end(text: &str, now_ms: u64) -> Result<Option<u64>, UsageError> {
    if text == "never" {
        return Ok(None);
    }
    let unit = |letter| match letter {
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let from_now = || -> Option<u64> {
        let at = text.len().checked_sub(1)?;
        let (count, unit_ms) = (text.get(..at)?, unit(text.get(at..)?)?);
        let is_number = count.bytes().all(|byte| byte.is_ascii_digit());
        let count = if is_number { count.parse::<u64>().ok()? } else { return None };
        now_ms.checked_add(count.checked_mul(unit_ms)?)
    };
    let day = || parse_rfc3339_ms(&format!("{text}T00:00:00Z"));
    let Some(end_ms) = from_now().or_else(day).or_else(|| parse_rfc3339_ms(text)) else {
        return Err(UsageError(format!(
            "invalid value '{}' for '--expires <WHEN>': expected 90d, 12h, 2027-01-31, \
             2027-01-31T12:00:00Z or never",
            roost_text::shown(text)
        )));
    };
    // What the file can hold: years of four digits.
    if end_ms <= now_ms || parse_rfc3339_ms(&roost_ident::time::rfc3339_s(end_ms)).is_none() {
        return Err(UsageError(format!(
            "invalid value '{}' for '--expires <WHEN>': it is not in the future, or too far in it",
            roost_text::shown(text)
        )));
    }
    Ok(Some(end_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_people_give_them() {
        let now_ms = 1_795_362_698_000;
        let end = |text: &str| parse_end(text, now_ms).ok();
        assert_eq!(end("never"), Some(None));
        assert_eq!(end("90d"), Some(Some(now_ms + 90 * 86_400_000)));
        assert_eq!(end("2m"), Some(Some(now_ms + 120_000)));
        assert_eq!(end("2027-01-31"), Some(Some(1_801_353_600_000)));
        assert_eq!(end("2027-01-31T01:00:00+01:00"), Some(Some(1_801_353_600_000)));
        for text in [
            "",
            "d",
            "0d",
            "-1d",
            "90",
            "1y",
            "2020-01-01",
            "soon",
            "99999999999999999999d",
            "9999999d",
        ] {
            assert_eq!(end(text), None, "{text}");
        }
    }
}
