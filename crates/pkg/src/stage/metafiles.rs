//! The metafiles of a staged release, from the facts of its directory.

use std::{collections::BTreeMap, fmt::Write as _};

use roost_ident::{PackageIdent, PackageTarget};

use super::{
    facts::{Expose, Facts},
    tree::StagedFile,
};
use crate::{metafile::parse_hook_timeouts, user};

/// Longest part of an identifier in bytes: one file name.
const MAX_PART_BYTES: usize = 255;

/// A problem with the facts, without the file name.
type Problem = String;

/// Origin, name and version of the new release.
pub(super) fn ident(
    facts: &Facts,
    origin_env: Option<&str>,
    directory_name: Option<&str>,
) -> Result<PackageIdent, Problem> {
    let origin = facts.origin.as_deref().or(origin_env.filter(|origin| !origin.is_empty()));
    let origin = origin.unwrap_or("local");
    let name = facts.name.as_deref().or(directory_name).unwrap_or_default();
    let version = facts.version.as_deref().unwrap_or("0.1.0");
    for (what, part) in [("origin", origin), ("name", name)] {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if part.is_empty() || part.len() > MAX_PART_BYTES || !part.chars().all(fine) {
            return Err(format!(
                "the {what} '{part}' may only hold a-z, A-Z, 0-9, _ and -; \
                 set '{what} = \"...\"' in roost.toml"
            ));
        }
    }
    let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    let dots = matches!(version, "." | "..");
    if version.is_empty() || version.len() > MAX_PART_BYTES || dots || version.contains(odd) {
        return Err(format!(
            "the version '{version}' is empty, too long or holds blanks or '/'; \
             set 'version = \"1.0\"' in roost.toml"
        ));
    }
    Ok(PackageIdent::new(origin, name, Some(version), None))
}

/// User and group as written to the metafiles; without a group, the primary group of the user.
pub(super) fn user_and_group(facts: &Facts) -> Option<(String, String)> {
    let user = facts.user.clone()?;
    let group = facts.group.clone().or_else(|| user::primary_group(&user));
    Some((user.clone(), group.unwrap_or(user)))
}

/// All metafiles except `IDENT`, which contains the release. `native`: no plan requires the
/// interpreter package. `run` is set when the directory itself has no run file.
pub(super) fn files(
    facts: &Facts,
    native: bool,
    default_toml: Option<&str>,
) -> Result<BTreeMap<String, StagedFile>, Vec<Problem>> {
    let (mut files, mut problems) = (BTreeMap::new(), Vec::new());
    let mut add = |name: &str, text: Result<String, Problem>| match text {
        Ok(text) if text.is_empty() => {}
        Ok(text) => drop(files.insert(name.to_owned(), StagedFile::public(text + "\n"))),
        Err(problem) => problems.push(problem),
    };
    add("TARGET", Ok(PackageTarget::active().to_string()));
    add("PACKAGE_TYPE", Ok(if native { "native".into() } else { String::new() }));
    if let Some((user, group)) = user_and_group(facts) {
        let check = |what: &str, name: String| match name.is_empty()
            || name.contains(|c: char| c.is_whitespace() || c == ':')
        {
            true => Err(format!("the {what} '{name}' is not a valid name")),
            false => Ok(name),
        };
        add("SVC_USER", check("user", user));
        add("SVC_GROUP", check("group", group));
    } else if let Some(group) = &facts.group {
        add("SVC_GROUP", Err(format!("the group '{group}' needs a user; set 'user' too")));
    }
    let exports = facts.exports.clone().unwrap_or_default();
    add("EXPORTS", pairs("export", &exports));
    add("EXPOSES", exposes(facts, &exports, default_toml));
    add("BINDS", binds(facts.binds.as_ref()));
    add("BINDS_OPTIONAL", binds(facts.binds_optional.as_ref()));
    let mut environment = facts.environment.clone().unwrap_or_default();
    // The search path has a metafile of its own.
    add("RUNTIME_PATH", Ok(environment.remove("PATH").unwrap_or_default()));
    add("RUNTIME_ENVIRONMENT", pairs("environment variable", &environment));
    let text = facts.shutdown_signal.map_or_else(String::new, |signal| signal.to_string());
    add("SHUTDOWN_SIGNAL", Ok(text));
    let text = facts.shutdown_timeout.map_or_else(String::new, |seconds| seconds.to_string());
    add("SHUTDOWN_TIMEOUT", Ok(text));
    add("HOOK_TIMEOUTS", hook_timeouts(facts));
    match problems.is_empty() {
        true => Ok(files),
        false => Err(problems),
    }
}

fn hook_timeouts(facts: &Facts) -> Result<String, Problem> {
    let given = facts.hook_timeouts.iter().flatten();
    let text =
        given.map(|(hook, seconds)| format!("{hook}={seconds}")).collect::<Vec<_>>().join("\n");
    match parse_hook_timeouts(&text) {
        Ok(_) => Ok(text),
        Err(fault) => Err(format!("'hook_timeouts': {}", fault.problem)),
    }
}

/// The file `run` for a plan's `pkg_svc_run` (reference: packages §13.3). The Supervisor already
/// starts it as the service user.
pub(super) fn run_script(command: &str, svc_path: &str, data_path: &str) -> String {
    let quoted = |path: &str| format!("'{}'", path.replace('\'', "'\\''"));
    let (svc, data) = (quoted(svc_path), quoted(data_path));
    format!("#!/bin/sh\nexport HOME={data}\ncd {svc} || exit 1\nexec {command} 2>&1\n")
}

fn pairs(what: &str, pairs: &BTreeMap<String, String>) -> Result<String, Problem> {
    let mut text = String::new();
    for (key, value) in pairs {
        let odd = key.is_empty() || key.contains(|c: char| c == '=' || c.is_whitespace());
        if odd || value.contains(['\n', '\r', '\0']) || value != value.trim() {
            return Err(format!(
                "the {what} '{key}' cannot be written as one line key=value; \
                 use a key without blanks and '=', and a value without line ends"
            ));
        }
        let _ = writeln!(text, "{key}={value}");
    }
    Ok(text.trim_end().into())
}

fn binds(binds: Option<&BTreeMap<String, Vec<String>>>) -> Result<String, Problem> {
    let mut joined = BTreeMap::new();
    for (name, keys) in binds.into_iter().flatten() {
        if keys.iter().any(|key| key.is_empty() || key.contains(char::is_whitespace)) {
            return Err(format!("the keys of the bind '{name}' must be words without blanks"));
        }
        joined.insert(name.clone(), keys.join(" "));
    }
    if joined.values().any(|keys| keys.contains('=')) {
        return Err("the keys of a bind must not hold '='".into());
    }
    pairs("bind", &joined)
}

/// Ports joined by blanks: literal ones, or the default configuration's value for an export.
fn exposes(
    facts: &Facts,
    exports: &BTreeMap<String, String>,
    default_toml: Option<&str>,
) -> Result<String, Problem> {
    let defaults: toml::Table = default_toml.unwrap_or_default().parse().unwrap_or_default();
    let mut ports = Vec::new();
    for expose in facts.exposes.iter().flatten() {
        let port = match expose {
            Expose::Port(port) => i64::from(*port),
            Expose::Export(key) => {
                let path = exports.get(key).ok_or_else(|| {
                    format!("Bad value in pkg_exposes; No pkg_export found matching key: {key}")
                })?;
                let mut steps = path.split('.');
                let first = steps.next().and_then(|step| defaults.get(step));
                let value = steps.fold(first, |value, step| value?.get(step));
                // Text is allowed too: a build does not check the type.
                match value {
                    Some(toml::Value::Integer(port)) => *port,
                    Some(toml::Value::String(port)) => port.trim().parse().unwrap_or(0),
                    _ => 0,
                }
            }
        };
        if !(1..=65535).contains(&port) {
            return Err(format!(
                "Bad pkg_export in pkg_exposes; {expose} is not a port from 1 to 65535 in default.toml"
            ));
        }
        ports.push(port.to_string());
    }
    Ok(ports.join(" "))
}
