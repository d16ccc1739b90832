//! `--generate-config`: the effective settings as a commented TOML file (reference: control §12.2).

use clap::Command;
use toml::{Table, Value};

/// One entry per key, in this order, below the help text of its option. A key without value becomes
/// a comment, and so does one whose value is a secret: files of settings are shown to others.
pub(crate) fn render(command: &Command, keys: &[String], values: &Table) -> String {
    let mut out = String::new();
    for key in keys {
        let option = command.get_arguments().find(|option| option.get_id() == key);
        let help = option.and_then(|option| option.get_help()).map(ToString::to_string);
        out.push_str(&format!("###  {}\n", help.unwrap_or_default()));
        let is_secret = option.is_some_and(clap::Arg::is_hide_env_values_set);
        match values.get(key) {
            Some(_) if is_secret => {
                out.push_str(&format!(
                    "###  It is set, and its value is not shown\n# {key} = \n\n"
                ));
            }
            Some(value) => out.push_str(&format!("{key} = {}\n\n", inline(value))),
            None => out.push_str(&format!("# {key} = \n\n")),
        }
    }
    out
}

/// A value on one line.
fn inline(value: &Value) -> String {
    value.to_string()
}
