//! Origins, which make and sign packages.

use anyhow::bail;

use crate::{
    cli_toml::CliToml,
    context::{Context, variable},
};

/// Longest name of an origin.
const MAX_CHARS: usize = 255;

/// An origin as a user may write it.
pub(crate) fn parse(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if first && text.chars().all(inner) && text.len() <= MAX_CHARS {
        return Ok(text.into());
    }
    Err(format!(
        "Invalid origin: '{text}' is not valid. A valid origin contains a-z, 0-9, and _ or - after \
         the first character. Origins must begin with a lowercase letter or number. Allowed \
         characters include lowercase letters, numbers, -, and _. No more than {MAX_CHARS} \
         characters."
    ))
}

/// The origin as given, or from the environment or `cli.toml`.
pub(crate) fn find(given: Option<String>, context: &Context) -> anyhow::Result<String> {
    let configured = || Ok::<_, anyhow::Error>(CliToml::read(&context.cli_toml())?.origin);
    let found = match given.or_else(|| variable("HAB_ORIGIN")) {
        Some(origin) => Some(origin),
        None => configured()?,
    };
    match found {
        Some(origin) => parse(&origin).map_err(anyhow::Error::msg),
        None => {
            bail!("No origin specified; please set --origin, HAB_ORIGIN, or configure cli.toml")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn origins_are_small_letters_digits_and_dashes() {
        for fine in ["a", "0a", "acme-corp_2"] {
            assert_eq!(parse(fine).as_deref(), Ok(fine));
        }
        for wrong in ["", "-a", "_a", "Acme", "a b", "a/b", "ä"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&"a".repeat(256)).is_err());
    }
}
