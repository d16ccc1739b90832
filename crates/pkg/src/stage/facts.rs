//! What a plain directory says about itself, from `roost.toml` and `plan.sh`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use roost_ident::ShutdownSignal;
use serde::Deserialize;

use super::{
    StageError,
    others::Selection,
    plan::{self, NAME_PLACEHOLDER, Value, Variables},
};
use crate::{
    metafile::{Fault, MAX_METAFILE_BYTES},
    read::read_text,
    root::FsRoot,
};

/// The keys of `roost.toml`; all are optional. They are described in the documentation of
/// [`crate::stage`].
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
    pub(super) environment: Option<BTreeMap<String, String>>,
    /// Files and directories beside hooks and templates that are part of the service.
    pub(super) files: Option<Vec<String>>,
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
    /// A key of the exports; the port is what the configuration has there by default.
    Export(String),
}

/// The facts, and which files they came from.
pub(super) struct Read {
    pub(super) facts: Facts,
    /// The directory with `hooks/`, `config/` and so on.
    pub(super) context: PathBuf,
    /// The plan, if there is one.
    pub(super) plan: Option<PathBuf>,
    /// `roost.toml`, if there is one.
    pub(super) toml: Option<PathBuf>,
    /// What of the plan has no effect, for the user.
    pub(super) warning: Option<String>,
}

/// Reads the facts of a directory. Where both files say something, `roost.toml` is right.
pub(super) fn read(root: &FsRoot, dir: &Path, target: &str) -> Result<Read, StageError> {
    let plan = find_plan(dir, target)?;
    let context = plan.as_deref().and_then(Path::parent).unwrap_or(dir).to_path_buf();
    let toml = context.join("roost.toml");
    let text = read_text(&toml, MAX_METAFILE_BYTES)?;
    let mut facts = text.as_deref().map_or_else(
        || Ok(Facts::default()),
        |text| parse_toml(text).map_err(|fault| StageError::fault(&toml, fault)),
    )?;
    let mut warning = None;
    if let Some(plan) = &plan {
        let text = read_text(plan, MAX_METAFILE_BYTES)?.unwrap_or_default();
        merge_plan(&mut facts, root, &text).map_err(|fault| StageError::fault(plan, fault))?;
        // A directory is run with what the machine has; its programs are not built or installed.
        if text.lines().any(|line| line.starts_with("pkg_deps=(") && line != "pkg_deps=()") {
            let plan = plan.display();
            warning =
                Some(format!("{plan}: pkg_deps has no effect here; hooks find programs in PATH"));
        }
    }
    Ok(Read { facts, context, plan, toml: text.map(|_| toml), warning })
}

/// What a directory says of the files in it, as far as it can be understood: the directory with
/// `hooks/`, and which others belong to the service.
pub(super) fn glance(dir: &Path, target: &str) -> (PathBuf, Selection) {
    let plan = find_plan(dir, target).ok().flatten();
    let context = plan.as_deref().and_then(Path::parent).unwrap_or(dir).to_path_buf();
    let text = read_text(&context.join("roost.toml"), MAX_METAFILE_BYTES).ok().flatten();
    let facts = text.and_then(|text| parse_toml(&text).ok()).unwrap_or_default();
    let selection = Selection::of(facts.files.as_deref(), plan.is_some());
    (context, selection)
}

/// The plan of a directory (packages chapter 13.1); a directory needs none.
fn find_plan(dir: &Path, target: &str) -> Result<Option<PathBuf>, StageError> {
    let groups = [
        [dir.join(target), dir.join("habitat").join(target)],
        [dir.to_path_buf(), dir.join("habitat")],
    ];
    for group in groups {
        let mut plans = group.map(|dir| dir.join("plan.sh")).into_iter().filter(|at| at.is_file());
        match (plans.next(), plans.next()) {
            (None, _) => {}
            (plan, None) => return Ok(plan),
            (Some(one), Some(other)) => return Err(StageError::TwoPlans { one, other }),
        }
    }
    Ok(None)
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

fn merge_plan(facts: &mut Facts, root: &FsRoot, text: &str) -> Result<(), Fault> {
    let settled = settled(facts);
    let svc = root.svc(NAME_PLACEHOLDER);
    let known = [
        ("pkg_svc_path", svc.root.clone()),
        ("pkg_svc_config_path", svc.config()),
        ("pkg_svc_config_install_path", svc.config_install()),
        ("pkg_svc_data_path", svc.data()),
        ("pkg_svc_files_path", svc.files()),
        ("pkg_svc_static_path", svc.static_()),
        ("pkg_svc_var_path", svc.var()),
    ];
    let known = known.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()));
    let mut plan = Plan(plan::parse(text, &settled, BTreeMap::from(known))?);

    facts.origin = facts.origin.take().or(plan.word("pkg_origin")?);
    facts.name = facts.name.take().or(plan.word("pkg_name")?);
    facts.version = facts.version.take().or(plan.word("pkg_version")?);
    facts.user = facts.user.take().or(plan.word("pkg_svc_user")?);
    facts.group = facts.group.take().or(plan.word("pkg_svc_group")?);
    facts.svc_run = plan.word("pkg_svc_run")?;
    if let Some(exports) = plan.map("pkg_exports")? {
        facts.exports = Some(exports.into_iter().collect());
    }
    if let Some(keys) = plan.array("pkg_exposes")? {
        facts.exposes = Some(keys.into_iter().map(Expose::Export).collect());
    }
    for (variable, binds) in
        [("pkg_binds", &mut facts.binds), ("pkg_binds_optional", &mut facts.binds_optional)]
    {
        if let Some(pairs) = plan.map(variable)? {
            let keys = |text: String| text.split_whitespace().map(Into::into).collect();
            *binds = Some(pairs.into_iter().map(|(name, text)| (name, keys(text))).collect());
        }
    }
    if let Some(signal) = plan.parsed("pkg_shutdown_signal", crate::metafile::parse_signal)? {
        facts.shutdown_signal = Some(signal);
    }
    let timeout = plan.parsed("pkg_shutdown_timeout_sec", crate::metafile::parse_timeout_s)?;
    facts.shutdown_timeout = facts.shutdown_timeout.or(timeout);
    Ok(())
}

/// Variables of a plan that `roost.toml` has already said.
fn settled(facts: &Facts) -> BTreeSet<&'static str> {
    [
        ("pkg_origin", facts.origin.is_some()),
        ("pkg_name", facts.name.is_some()),
        ("pkg_version", facts.version.is_some()),
        ("pkg_svc_user", facts.user.is_some()),
        ("pkg_svc_group", facts.group.is_some()),
        ("pkg_exports", facts.exports.is_some()),
        ("pkg_exposes", facts.exposes.is_some()),
        ("pkg_binds", facts.binds.is_some()),
        ("pkg_binds_optional", facts.binds_optional.is_some()),
        ("pkg_shutdown_signal", facts.shutdown_signal.is_some()),
        ("pkg_shutdown_timeout_sec", facts.shutdown_timeout.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, said)| said.then_some(name))
    .collect()
}

/// The variables of a plan, taken out by kind.
struct Plan(Variables);

impl Plan {
    /// An empty word counts as not assigned, as in a plan.
    fn word(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(name) {
            None => Ok(None),
            Some((_, Value::Word(word))) => Ok(Some(word).filter(|word| !word.is_empty())),
            Some((line, _)) => Err(kind_fault(line, name, "a word, not an array")),
        }
    }

    fn array(&mut self, name: &str) -> Result<Option<Vec<String>>, Fault> {
        match self.0.remove(name) {
            None => Ok(None),
            Some((_, Value::Array(items))) => Ok(Some(items)),
            // In bash a plain word is the first element.
            Some((_, Value::Word(word))) => {
                Ok(Some([word].into_iter().filter(|word| !word.is_empty()).collect()))
            }
            Some((line, Value::Map(_))) => Err(kind_fault(line, name, "an array (a b)")),
        }
    }

    fn map(&mut self, name: &str) -> Result<Option<Vec<(String, String)>>, Fault> {
        match self.0.remove(name) {
            None => Ok(None),
            Some((_, Value::Map(pairs))) => Ok(Some(pairs)),
            Some((_, Value::Array(items))) if items.is_empty() => Ok(Some(Vec::new())),
            Some((line, _)) => Err(kind_fault(line, name, "([key]=value)")),
        }
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let line = self.0.get(name).map_or(1, |(line, _)| *line);
        let Some(word) = self.word(name)? else { return Ok(None) };
        parse(&word).map(Some).map_err(|fault| Fault { line, ..fault })
    }
}

fn kind_fault(line: usize, name: &str, right: &str) -> Fault {
    Fault { line, problem: format!("{name} must be {right}") }
}

impl std::fmt::Display for Expose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Port(port) => port.fmt(f),
            Self::Export(key) => write!(f, "'{key}'"),
        }
    }
}
