//! `hab license accept`: records the acceptance for tools that check for Habitat's licence. Roost
//! itself requires none.

use anyhow::Context as _;
use roost_files::{Durability, PUBLIC_DIRECTORY, create_directories, replace};
use roost_ident::time::rfc3339_s;

use crate::{
    cli::Run,
    clock,
    context::{Context, variable},
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let path = context.licenses().join("habitat");
        let text = text(clock::unix_ms(), variable("USER").as_deref());
        create_directories(&context.licenses(), PUBLIC_DIRECTORY)
            .and_then(|()| replace(&path, text.as_bytes(), 0o644, Durability::Cache))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Exit::Success)
    }
}

fn text(now_unix_ms: u64, user: Option<&str>) -> String {
    let date = rfc3339_s(now_unix_ms);
    // JSON is valid YAML.
    let user = serde_json::Value::from(user.unwrap_or("unknown"));
    format!(
        "---\ndate_accepted: {date}\naccepting_product: hab\naccepting_product_version: {}\nuser: \
         {user}\nfile_format: '1.0'\n",
        roost_sup::VERSION
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_yaml_with_the_keys_of_habitat() {
        let text = text(0, Some("a: \"b\""));
        let value: serde_json::Value = yaml_serde::from_str(&text).expect("YAML");
        assert_eq!(value["date_accepted"], "1970-01-01T00:00:00Z");
        assert_eq!(value["user"], "a: \"b\"");
        assert_eq!(value["file_format"], "1.0");
    }
}
