//! The service facts in a `plan.sh`.
//!
//! A plan is a bash script. It is never run: this module reads it as bash would, and takes the
//! assignments of the variables of [`NEEDED`] whose values follow from the text alone. These are
//! words, quotes, arrays, `+=`, elements, other variables of the plan, the expansions of `${…}`
//! that compare and cut, and files read with `source`. A value that needs a command, or is assigned
//! under a condition, in a loop or by a function, is unknown; the error names its line.
//!
//! | file | holds |
//! |---|---|
//! | `cursor` | where quotes, substitutions and here-documents end |
//! | `script` | commands, blocks, functions: which assignments happen |
//! | `words` | expansions |
//! | `glob` | patterns in expansions |
//! | `values` | variables: words, arrays, associative arrays |

mod cursor;
mod glob;
mod script;
#[cfg(test)]
mod tests;
mod values;
mod words;

use std::collections::BTreeMap;

use crate::metafile;

use self::{
    script::{Effects, End, Script},
    values::Known,
};
pub(super) use self::{
    script::{Include, Place},
    values::Value,
};

/// Variables with facts about the service, and the equivalent key in `roost.toml`.
pub(super) const NEEDED: [(&str, &str); 12] = [
    ("pkg_origin", "origin"),
    ("pkg_name", "name"),
    ("pkg_version", "version"),
    ("pkg_exports", "exports"),
    ("pkg_exposes", "exposes"),
    ("pkg_binds", "binds"),
    ("pkg_binds_optional", "binds_optional"),
    ("pkg_svc_run", "hooks/run"),
    ("pkg_svc_user", "user"),
    ("pkg_svc_group", "group"),
    ("pkg_shutdown_signal", "shutdown_signal"),
    ("pkg_shutdown_timeout_sec", "shutdown_timeout"),
];

/// Placeholder for the package's name in paths until the whole plan is read.
pub(super) const NAME_PLACEHOLDER: &str = "@__pkg_name__@";

/// Version of a plan that computes its version.
pub(super) const COMPUTED_VERSION: &str = "0.1.0";

/// A problem in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Place,
    pub(super) problem: String,
}

/// A parsed plan.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Values with the place of their assignment.
    pub(super) variables: BTreeMap<&'static str, (Place, Value)>,
    /// True when the plan declares run-time dependencies.
    pub(super) has_deps: bool,
    pub(super) faults: Vec<Fault>,
    /// Warnings about parts without effect.
    pub(super) warnings: Vec<(Place, String)>,
}

/// Inputs of a plan besides its text.
pub(super) struct Surroundings<'e, 'i> {
    /// Variables set elsewhere, with their value if it is a word; the plan cannot change them.
    pub(super) settled: BTreeMap<&'e str, Option<String>>,
    /// Variables set before a plan is read.
    pub(super) preset: BTreeMap<String, String>,
    pub(super) environment: &'e dyn Fn(&str) -> Option<String>,
    /// Reads the files that the plan names.
    pub(super) include: &'i mut Include<'e>,
}

/// Reads a plan.
pub(super) fn parse(text: &str, surroundings: Surroundings<'_, '_>) -> Plan {
    let Surroundings { settled, preset, environment, include } = surroundings;
    let mut include = |path: &str| {
        let (path, text) = include(path)?;
        Ok((path, normal(&text)))
    };
    let presets: Vec<String> = preset.keys().cloned().collect();
    let known = Known::new(preset, settled, environment);
    let mut effects = Effects::new(known, &mut include);
    let text = normal(text);
    let end = Script::new(&text, None, &mut effects).run();
    let mut plan = Plan::default();
    if let End::Broken { place, problem } = end {
        plan.faults.push(Fault { place, problem });
    }
    let deps = effects.known.variables.get("pkg_deps");
    plan.has_deps = deps.is_some_and(|value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Word(word) => !word.is_empty(),
        Value::Map(_) | Value::Unknown(_) => true,
    });
    plan.take(&mut effects, &presets);
    plan.warnings.append(&mut effects.warnings);
    plan.faults.sort_by(|a, b| {
        (a.place.file.is_some(), a.place.line).cmp(&(b.place.file.is_some(), b.place.line))
    });
    plan
}

/// The value that a plan assigns to a variable: the words, or why they are unknown, and the line.
#[derive(Debug)]
pub(crate) struct Assigned {
    pub(crate) line: usize,
    pub(crate) words: Result<Vec<String>, String>,
}

/// Reads the words that a plan assigns to these variables. Ignores files that it reads with
/// `source`, and knows no environment variables.
///
/// # Errors
/// When bash could not parse the whole plan.
pub(crate) fn words_of<'n>(
    text: &str,
    names: &[&'n str],
) -> Result<BTreeMap<&'n str, Assigned>, metafile::Fault> {
    let mut include = |_: &str| Err("only the plan itself is read here".to_owned());
    let known = Known::new(BTreeMap::new(), BTreeMap::new(), &|_| None);
    let mut effects = Effects::new(known, &mut include);
    let text = normal(text);
    if let End::Broken { place, problem } = Script::new(&text, None, &mut effects).run() {
        return Err(metafile::Fault { line: place.line, problem });
    }
    let assigned = |name: &&'n str| {
        let words = match effects.known.variables.get(*name)? {
            Value::Word(word) => Ok(word.split_whitespace().map(Into::into).collect()),
            Value::Array(items) => Ok(items.clone()),
            Value::Map(_) => Err("it is an associative array".into()),
            Value::Unknown(why) => Err(why.clone()),
        };
        let line = effects.places.get(*name).map_or(1, |place| place.line);
        Some((*name, Assigned { line, words }))
    };
    Ok(names.iter().filter_map(assigned).collect())
}

impl Plan {
    fn take(&mut self, effects: &mut Effects<'_, '_>, presets: &[String]) {
        for (name, key) in NEEDED {
            if effects.known.is_fixed(name) {
                continue;
            }
            let in_function = effects.in_functions.iter().find(|(found, ..)| found == name);
            let place = effects.places.get(name).cloned();
            let function = effects.functions.iter().find(|(found, _)| found == name);
            let (place, why) = match (effects.known.variables.remove(name), place) {
                (Some(Value::Unknown(why)), Some(place)) => (place, why),
                _ if in_function.is_some() => {
                    let Some((_, place, function)) = in_function else { continue };
                    (place.clone(), format!("the function {function} assigns it, and is not run"))
                }
                _ if name == "pkg_version" && function.is_some() => {
                    let Some((_, place)) = function else { continue };
                    (place.clone(), "the function pkg_version computes it".into())
                }
                (Some(value), Some(place)) => {
                    self.variables.insert(name, (place, value));
                    continue;
                }
                // `${name:=word}` sets a variable too.
                (Some(value), None) if !presets.iter().any(|preset| preset == name) => {
                    self.variables.insert(name, (Place { file: None, line: 1 }, value));
                    continue;
                }
                _ => continue,
            };
            if name == "pkg_version" {
                let text = format!(
                    "pkg_version is computed by the plan ({why}), so the version is \
                     {COMPUTED_VERSION}; set 'version' in roost.toml for another one"
                );
                self.warnings.push((place.clone(), text));
                let value = Value::Word(COMPUTED_VERSION.into());
                self.variables.insert(name, (place, value));
            } else {
                self.faults.push(Fault { place, problem: refusal(name, key, &why) });
            }
        }
    }
}

fn refusal(name: &str, key: &str, why: &str) -> String {
    let instead = match key {
        "hooks/run" => "write hooks/run".to_owned(),
        key => format!("set '{key}' in roost.toml"),
    };
    format!(
        "the value of {name} is not known without running the plan: {why}; \
         assign it a literal, or {instead}"
    )
}

/// True for a variable of [`NEEDED`].
fn is_needed(name: &str) -> bool {
    NEEDED.iter().any(|(needed, _)| *needed == name)
}

/// Removes the marks of other systems: a byte-order mark, CR LF.
fn normal(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}
