//! `hab license accept`: records what Habitat asks for, for tools that look. Roost itself asks
//! for nothing.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use roost_crypto::Revision;

use crate::{
    cli::Run,
    context::{Context, variable},
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let path = context.licenses().join("habitat");
        let text = text(&Revision::from_unix_seconds(now), variable("USER").as_deref());
        fs::create_dir_all(context.licenses())
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Exit::Success)
    }
}

fn text(now: &Revision, user: Option<&str>) -> String {
    // YYYYMMDDhhmmss, always 14 digits.
    let part = |from: usize, to: usize| now.as_str().get(from..to).unwrap_or_default().to_owned();
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    let user = serde_json::Value::from(user.unwrap_or("unknown"));
    format!(
        "---\ndate_accepted: {year}-{month}-{day}T{hour}:{minute}:{second}+00:00\n\
         accepting_product: hab\naccepting_product_version: {}\nuser: {user}\nfile_format: '1.0'\n",
        roost_sup::VERSION
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_yaml_with_the_keys_of_habitat() {
        let text = text(&Revision::from_unix_seconds(0), Some("a: \"b\""));
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        assert_eq!(value["date_accepted"], "1970-01-01T00:00:00+00:00");
        assert_eq!(value["user"], "a: \"b\"");
        assert_eq!(value["file_format"], "1.0");
    }
}
