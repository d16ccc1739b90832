//! The facts of a plain directory, from `roost.toml` and `plan.sh`.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use roost_ident::ShutdownSignal;
use serde::Deserialize;

use super::{
    Located, StageError,
    others::Selection,
    plan::{self, NAME_PLACEHOLDER, Place, Plan, Value},
    reach::{Dir, Node, Opened},
    rules::{self, Rules},
};
use crate::{
    metafile::{Fault, MAX_METAFILE_BYTES},
    root::FsRoot,
};

/// The keys of `roost.toml`, all optional; the documentation of [`crate::stage`] describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Facts {
    pub(super) name: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) version: Option<String>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    pub(super) exports: Option<BTreeMap<String, String>>,
    pub(super) exposes: Option<Vec<Expose>>,
    pub(super) binds: Option<BTreeMap<String, Vec<String>>>,
    pub(super) binds_optional: Option<BTreeMap<String, Vec<String>>>,
    pub(super) shutdown_signal: Option<ShutdownSignal>,
    pub(super) shutdown_timeout: Option<u32>,
    /// Seconds by the name of a hook.
    pub(super) hook_timeouts: Option<BTreeMap<String, u32>>,
    pub(super) environment: Option<BTreeMap<String, String>>,
    /// Files and directories besides hooks and templates that belong to the service.
    pub(super) files: Option<Vec<String>>,
    /// Entries that do not belong to the service, in the syntax of `.gitignore`.
    pub(super) ignore: Option<Vec<String>>,
    /// The command of `pkg_svc_run`; only plans have it.
    #[serde(skip)]
    pub(super) svc_run: Option<String>,
}

/// A port that the service listens on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write a port (8080) or the name of an export (\"port\")")]
pub(super) enum Expose {
    /// The port itself.
    Port(u16),
    /// A key of the exports; the port is its value in the default configuration.
    Export(String),
}

/// The facts and where they come from.
pub(super) struct Read {
    pub(super) facts: Facts,
    /// The directory with `hooks/`, `config/` and so on.
    pub(super) context: Dir,
    pub(super) has_plan: bool,
    /// Rules for what does not belong to the service.
    pub(super) rules: Rules,
    /// The newest modification of the files with facts, in seconds since 1970.
    pub(super) newest_s: i64,
    /// Warnings about parts of the plan without effect.
    pub(super) warnings: Vec<String>,
}

/// Reads the facts of a directory. `roost.toml` overrides the plan.
pub(super) fn read(root: &FsRoot, dir: &Dir, target: &str) -> Result<Read, StageError> {
    let (context, plan) = find_plan(dir, target)?;
    let toml = context.file("roost.toml")?;
    let times = plan.iter().chain(&toml).map(|file| file.found.mtime());
    let newest_s = times.max().unwrap_or(i64::MIN);
    let mut facts = read_toml(toml)?;
    let rules = read_rules(&context, &facts)?;
    let has_plan = plan.is_some();
    let mut warnings = Vec::new();
    if let Some(plan) = plan {
        let path = plan.path.clone();
        let text = plan.text(MAX_METAFILE_BYTES)?;
        warnings = merge_plan(&mut facts, root, &context, &path, &text)?;
    }
    Ok(Read { facts, context, has_plan, rules, newest_s, warnings })
}

/// The facts about the files of a directory, as far as they can be read: the directory with
/// `hooks/`, which other entries belong to the service, and which do not.
pub(super) fn glance(dir: &Dir, target: &str) -> (Dir, Selection, Rules) {
    let (context, plan) = find_plan(dir, target).unwrap_or_else(|_| (dir.clone(), None));
    let facts = context.file("roost.toml").and_then(read_toml).unwrap_or_default();
    let rules = read_rules(&context, &facts).unwrap_or_else(|_| Rules::common());
    let selection = Selection::of(facts.files.as_deref(), plan.is_some());
    (context, selection, rules)
}

fn read_toml(toml: Option<Opened>) -> Result<Facts, StageError> {
    let Some(toml) = toml else { return Ok(Facts::default()) };
    let path = toml.path.clone();
    let text = toml.text(MAX_METAFILE_BYTES)?;
    parse_toml(&text).map_err(|fault| StageError::fault(&path, fault))
}

/// The rules of the top directory, from `.habignore` and `roost.toml`.
fn read_rules(context: &Dir, facts: &Facts) -> Result<Rules, StageError> {
    let mut rules = Rules::common();
    if let Some(file) = context.file(rules::FILE)? {
        let path = file.path.clone();
        let text = file.text(rules::FILE_BYTES_MAX)?;
        let with = rules.with("", text.lines());
        rules = with.map_err(|fault| StageError::fault(&path, fault))?;
    }
    if let Some(lines) = &facts.ignore {
        let with = rules.with("", lines.iter().map(String::as_str));
        rules = with.map_err(|Fault { problem, .. }| StageError::Refused {
            path: context.path().join("roost.toml"),
            problem: format!("under 'ignore': {problem}"),
        })?;
    }
    Ok(rules)
}

/// Possible paths of plans in a directory (reference: packages §13.1): those of a platform first.
pub(super) fn plan_places(target: &str) -> [[PathBuf; 2]; 2] {
    [[PathBuf::from(target), Path::new("habitat").join(target)], ["".into(), "habitat".into()]]
}

/// The plan of a directory, if any, and the directory that contains it.
fn find_plan(dir: &Dir, target: &str) -> Result<(Dir, Option<Opened>), StageError> {
    for group in plan_places(target) {
        let mut found = Vec::new();
        for place in group {
            if let Some(Node::File(plan)) = dir.get(place.join("plan.sh"))? {
                found.push((place, plan));
            }
        }
        if let [(_, one), (_, other)] = found.as_slice() {
            let (one, other) = (one.path.clone(), other.path.clone());
            return Err(StageError::TwoPlans { one, other });
        }
        if let Some((place, plan)) = found.pop() {
            let context = dir.dir(place)?.unwrap_or_else(|| dir.clone());
            return Ok((context, Some(plan)));
        }
    }
    Ok((dir.clone(), None))
}

fn parse_toml(text: &str) -> Result<Facts, Fault> {
    toml::from_str(text).map_err(|error| toml_fault(text, &error))
}

/// Checks that text is TOML.
pub(super) fn check_toml(text: &str) -> Result<(), Fault> {
    text.parse::<toml::Table>().map(drop).map_err(|error| toml_fault(text, &error))
}

fn toml_fault(text: &str, error: &toml::de::Error) -> Fault {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    Fault { line, problem: error.message().replace('\n', "; ") }
}

/// Adds the facts of a plan that `roost.toml` does not set. Returns warnings about parts without
/// effect.
fn merge_plan(
    facts: &mut Facts,
    root: &FsRoot,
    context: &Dir,
    path: &Path,
    text: &str,
) -> Result<Vec<String>, StageError> {
    let svc = root.svc(NAME_PLACEHOLDER);
    let preset = [
        ("pkg_svc_path", svc.root.clone()),
        ("pkg_svc_config_path", svc.config()),
        ("pkg_svc_config_install_path", svc.config_install()),
        ("pkg_svc_data_path", svc.data()),
        ("pkg_svc_files_path", svc.files()),
        ("pkg_svc_static_path", svc.static_()),
        ("pkg_svc_var_path", svc.var()),
        ("PLAN_CONTEXT", context.path().to_owned()),
        ("pkg_svc_user", "hab".into()),
        ("pkg_svc_group", "hab".into()),
    ];
    let preset = preset.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()));
    let mut include = |name: &str| {
        let file = context.file(name).map_err(|error| error.to_string())?;
        let file = file.ok_or_else(|| "there is no such file".to_owned())?;
        let path = file.path.clone();
        let text = file.text(MAX_METAFILE_BYTES).map_err(|error| error.to_string())?;
        Ok((path, text))
    };
    let surroundings = plan::Surroundings {
        settled: settled(facts),
        preset: BTreeMap::from(preset),
        environment: &environment,
        include: &mut include,
    };
    let mut found = Taken { plan: plan::parse(text, surroundings) };

    facts.origin = facts.origin.take().or(found.word("pkg_origin"));
    facts.name = facts.name.take().or(found.word("pkg_name"));
    facts.version = facts.version.take().or(found.word("pkg_version"));
    facts.user = facts.user.take().or(found.word("pkg_svc_user"));
    facts.group = facts.group.take().or(found.word("pkg_svc_group"));
    if facts.group.is_some() && facts.user.is_none() {
        // The value that variables of a plan have before it is read.
        facts.user = Some("hab".into());
    }
    facts.svc_run = found.word("pkg_svc_run");
    if let Some(exports) = found.map("pkg_exports") {
        facts.exports = Some(exports.into_iter().collect());
    }
    if let Some(keys) = found.array("pkg_exposes") {
        facts.exposes = Some(keys.into_iter().map(Expose::Export).collect());
    }
    for (variable, binds) in
        [("pkg_binds", &mut facts.binds), ("pkg_binds_optional", &mut facts.binds_optional)]
    {
        if let Some(pairs) = found.map(variable) {
            let keys = |text: String| text.split_whitespace().map(Into::into).collect();
            *binds = Some(pairs.into_iter().map(|(name, text)| (name, keys(text))).collect());
        }
    }
    if let Some(signal) = found.parsed("pkg_shutdown_signal", crate::metafile::parse_signal) {
        facts.shutdown_signal = Some(signal);
    }
    let timeout = found.parsed("pkg_shutdown_timeout_sec", crate::metafile::parse_timeout_s);
    facts.shutdown_timeout = facts.shutdown_timeout.or(timeout);

    let Plan { has_deps, mut faults, warnings, .. } = found.plan;
    let located = |place: Place, problem| Located {
        path: place.file.unwrap_or_else(|| path.to_owned()),
        line: place.line,
        problem,
    };
    if !faults.is_empty() {
        faults.sort_by_key(|fault| (fault.place.file.is_some(), fault.place.line));
        let faults = faults.into_iter().map(|fault| located(fault.place, fault.problem));
        return Err(StageError::Faults(faults.collect()));
    }
    let warnings = warnings.into_iter().map(|(place, text)| located(place, text).to_string());
    let mut warnings: Vec<_> = warnings.collect();
    // A directory uses the programs of the machine; nothing is built or installed for it.
    if has_deps {
        let path = path.display();
        warnings.push(format!("{path}: pkg_deps has no effect here; hooks find programs in PATH"));
    }
    Ok(warnings)
}

/// The environment variables that plans can read: none of the Supervisor's own and its commands',
/// such as keys.
fn environment(name: &str) -> Option<String> {
    let own = name.starts_with("HAB_") && name != "HAB_ORIGIN";
    if own { None } else { std::env::var(name).ok() }
}

/// Variables of a plan that `roost.toml` already sets, with the values of those that are words.
fn settled(facts: &Facts) -> BTreeMap<&'static str, Option<String>> {
    let words = [
        ("pkg_origin", &facts.origin),
        ("pkg_name", &facts.name),
        ("pkg_version", &facts.version),
        ("pkg_svc_user", &facts.user),
        ("pkg_svc_group", &facts.group),
    ];
    let words = words.into_iter().filter(|(_, word)| word.is_some());
    let words = words.map(|(name, word)| (name, word.clone()));
    let others = [
        ("pkg_exports", facts.exports.is_some()),
        ("pkg_exposes", facts.exposes.is_some()),
        ("pkg_binds", facts.binds.is_some()),
        ("pkg_binds_optional", facts.binds_optional.is_some()),
        ("pkg_shutdown_signal", facts.shutdown_signal.is_some()),
        ("pkg_shutdown_timeout_sec", facts.shutdown_timeout.is_some()),
    ];
    let others = others.into_iter().filter(|(_, said)| *said).map(|(name, _)| (name, None));
    words.chain(others).collect()
}

/// The variables of a plan by kind. A value of the wrong kind is a fault of the plan.
struct Taken {
    plan: Plan,
}

impl Taken {
    fn fault(&mut self, place: Place, problem: String) {
        self.plan.faults.push(plan::Fault { place, problem });
    }

    /// Of an array, the first element, as in bash. An empty word counts as unset, as in a plan.
    fn word(&mut self, name: &str) -> Option<String> {
        let (place, value) = self.plan.variables.remove(name)?;
        let word = match value {
            Value::Word(word) => word,
            Value::Array(items) => items.into_iter().next().unwrap_or_default(),
            Value::Map(_) | Value::Unknown(_) => {
                self.fault(place, format!("{name} must be a word"));
                return None;
            }
        };
        Some(word).filter(|word| !word.is_empty())
    }

    /// A plain word is an array of one element, as in bash.
    fn array(&mut self, name: &str) -> Option<Vec<String>> {
        let (place, value) = self.plan.variables.remove(name)?;
        match value {
            Value::Array(items) => Some(items),
            Value::Word(word) => Some([word].into_iter().filter(|w| !w.is_empty()).collect()),
            Value::Map(_) | Value::Unknown(_) => {
                self.fault(place, format!("{name} must be an array (a b)"));
                None
            }
        }
    }

    fn map(&mut self, name: &str) -> Option<Vec<(String, String)>> {
        let (place, value) = self.plan.variables.remove(name)?;
        match value {
            Value::Map(pairs) => Some(pairs),
            Value::Array(items) if items.is_empty() => Some(Vec::new()),
            _ => {
                self.fault(place, format!("{name} must be ([key]=value)"));
                None
            }
        }
    }

    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let place = self.plan.variables.get(name).map(|(place, _)| place.clone());
        let word = self.word(name)?;
        match (parse(&word), place) {
            (Ok(value), _) => Some(value),
            (Err(fault), place) => {
                let place = place.unwrap_or(Place { file: None, line: 1 });
                self.fault(place, fault.problem);
                None
            }
        }
    }
}

impl std::fmt::Display for Expose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Export(key) => write!(f, "'{key}'"),
        }
    }
}
