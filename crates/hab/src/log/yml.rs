//! `<sup>/config/log.yml`: levels of the diagnostic log in the format of log4rs (reference: control
//! §20.4). Roost uses the levels of the root and of loggers, and whether a console is standard
//! output or standard error; it reports everything else as ignored.

use std::{collections::BTreeMap, path::Path};

use roost_pkg::read::read_text;
use serde::Deserialize;
use yaml_serde::Value;

/// Largest file that is read.
const BYTES_MAX: u64 = 64 * 1024;

/// Contents of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Levels {
    /// In the syntax of `RUST_LOG`.
    pub(super) filter: String,
    pub(super) to_stderr: bool,
    /// Ignored parts of the file, one text each.
    pub(super) ignored: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    root: Option<Logger>,
    #[serde(default)]
    loggers: BTreeMap<String, Logger>,
    #[serde(default)]
    appenders: BTreeMap<String, Appender>,
    refresh_rate: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Logger {
    level: Option<Level>,
    #[serde(default)]
    appenders: Vec<String>,
    additive: Option<bool>,
}

#[derive(Deserialize)]
struct Appender {
    kind: String,
    target: Option<String>,
    encoder: Option<Value>,
    filters: Option<Value>,
}

/// A level in any case.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Level(String);

impl TryFrom<String> for Level {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = ["off", "error", "warn", "info", "debug", "trace"];
        let level = known.into_iter().find(|level| text.eq_ignore_ascii_case(level));
        level
            .map(|level| Self(level.into()))
            .ok_or_else(|| format!("'{text}' is not a level; levels are {}", known.join(", ")))
    }
}

/// Reads the file; `None` when it does not exist.
///
/// # Errors
/// The problem.
pub(super) fn read(path: &Path) -> Result<Option<Levels>, String> {
    let text = read_text(path, BYTES_MAX).map_err(|error| error.to_string())?;
    text.map(|text| parse(&text)).transpose()
}

fn parse(text: &str) -> Result<Levels, String> {
    let file: File = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
    let mut ignored = Vec::new();
    let mut filter = match &file.root {
        None => "error".to_owned(),
        // The default of log4rs.
        Some(Logger { level: None, .. }) => "debug".to_owned(),
        Some(Logger { level: Some(Level(level)), .. }) => level.clone(),
    };
    let root_appenders = file.root.map(|root| root.appenders).unwrap_or_default();
    for (name, logger) in &file.loggers {
        let fine = |c: char| c.is_alphanumeric() || "_:-".contains(c);
        if name.is_empty() || !name.chars().all(fine) {
            return Err(format!("'{name}' is not a valid name of a logger"));
        }
        if let Some(Level(level)) = &logger.level {
            filter.push_str(&format!(",{name}={level}"));
        }
        if !logger.appenders.is_empty() || logger.additive.is_some() {
            ignored.push(format!("the logger '{name}' has no appenders of its own"));
        }
    }
    let mut to_stderr = false;
    for (name, appender) in &file.appenders {
        if appender.kind != "console" {
            ignored.push(format!(
                "the appender '{name}' of kind '{}'; the log goes where the Supervisor prints",
                appender.kind
            ));
        } else if root_appenders.contains(name) {
            to_stderr |= appender.target.as_deref() == Some("stderr");
        }
        if appender.encoder.is_some() || appender.filters.is_some() {
            ignored.push(format!("the encoder and filters of the appender '{name}'"));
        }
    }
    if file.refresh_rate.is_some() {
        ignored.push("refresh_rate; `hab sup restart` reads the file again".into());
    }
    Ok(Levels { filter, to_stderr, ignored })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_apply_and_ignored_parts_are_reported() {
        let text = "
refresh_rate: 5 seconds
appenders:
  stdout:
    kind: console
    encoder:
      pattern: \"{m}{n}\"
  err: { kind: console, target: stderr }
  file: { kind: file, path: /var/log/sup.log }
root:
  level: WARN
  appenders: [stdout, err]
loggers:
  roost_sup::ring: { level: debug }
  roost_api: { level: off, appenders: [file], additive: false }
";
        let levels = parse(text).unwrap();
        assert_eq!(levels.filter, "warn,roost_api=off,roost_sup::ring=debug");
        assert!(levels.to_stderr);
        let told = levels.ignored.join("\n");
        for part in ["refresh_rate", "'roost_api' has no", "'file' of kind 'file'", "'stdout'"] {
            assert!(told.contains(part), "no {part} in {told}");
        }
        assert_eq!(levels.ignored.len(), 4);
        for (text, filter) in [("", "error"), ("{}", "error"), ("root: {}", "debug")] {
            assert_eq!(parse(text).unwrap().filter, filter, "{text}");
        }
    }

    #[test]
    fn any_input_is_read_or_refused_with_a_reason() {
        let text = "a: &a [x, *a]\nappenders: { o: { kind: console, target: stderr } }\n\
                    root: { level: warn, appenders: [o] }\nloggers: { r: { level: off } }\n";
        for mutation in crate::any_input::mutations(text) {
            if let Err(error) = parse(&mutation) {
                assert!(!error.is_empty());
            }
        }
    }

    #[test]
    fn an_invalid_file_is_an_error() {
        for (text, part) in [
            ("root: { level: loud }", "'loud' is not a level; levels are off, error"),
            ("rot: { level: info }", "unknown field `rot`"),
            ("loggers: { \"a=b,c\": { level: info } }", "'a=b,c' is not a valid name of a logger"),
            ("[", "invalid type: sequence"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
