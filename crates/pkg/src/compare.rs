//! Differences between two packages: `hab pkg diff`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use roost_hart::{
    Archive, HartError, PayloadHash,
    body::Body,
    layout::{Layout, Place},
    limits, pack,
    walk::{self, Flow, Kind},
};
use roost_ident::PackageIdent;

/// Metafiles that differ between any two releases, or repeat other content.
const UNREMARKABLE: [&str; 6] =
    ["IDENT", "FILES", "MANIFEST", "INSTALL_HOOK_STATUS", "STAGED", "STAGED_FILES"];
/// Longest text that is compared line by line.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// The content of a package.
#[derive(Debug, Default)]
pub struct Content {
    /// Its identifier.
    pub ident: Option<PackageIdent>,
    files: BTreeMap<String, FileFacts>,
    texts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileFacts {
    mode: u32,
    /// Hash of the content, or the target of a link.
    content: String,
}

/// Differences, as lines `+ added`, `- removed`, `~ changed` below headings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Headings with their lines, without empty sections.
    pub sections: Vec<(&'static str, Vec<String>)>,
}

impl Content {
    /// Reads an archive without verifying its signature.
    ///
    /// # Errors
    /// When it cannot be read or holds content that a package cannot hold.
    pub fn of_archive(path: &Path) -> Result<Self, HartError> {
        let archive = Archive::open(path)?;
        let metafiles = archive.metafiles(&["IDENT"])?;
        let ident = metafiles.get("IDENT").and_then(|text| text.parse::<PackageIdent>().ok());
        let Some(ident) = ident else { return Err(HartError::NoMetafile("IDENT".into())) };
        let mut layout = Layout::new(&ident);
        let mut content = Self { ident: Some(ident), ..Self::default() };
        let size = fs::metadata(path).map_or(0, |found| found.len());
        let body: Body<_> = archive.body()?;
        walk::walk(body, limits::unpacked_bytes(size), |entry, data| {
            let Place::Inside(path) = layout.place(entry)? else { return Ok(Flow::Continue) };
            let path = String::from_utf8_lossy(&path).into_owned();
            let found = match entry.kind {
                Kind::File => content.read(&path, data, entry.size)?,
                Kind::Directory | Kind::Special(_) => return Ok(Flow::Continue),
                Kind::Symlink => format!("-> {}", String::from_utf8_lossy(&entry.link)),
                Kind::HardLink => {
                    let target = layout.hard_link_target(entry)?;
                    let target = String::from_utf8_lossy(&target).into_owned();
                    let known = content.files.get(&target);
                    known.map_or_else(String::new, |found| found.content.clone())
                }
            };
            let mode = if entry.kind == Kind::File { entry.mode } else { 0 };
            content.files.insert(path, FileFacts { mode, content: found });
            Ok(Flow::Continue)
        })?;
        Ok(content)
    }

    /// Reads an installed release.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn of_release(ident: PackageIdent, directory: &Path) -> Result<Self, HartError> {
        let mut content = Self { ident: Some(ident), ..Self::default() };
        for relative in pack::sorted(directory)? {
            let path: PathBuf = directory.join(&relative);
            let name = relative.to_string_lossy().into_owned();
            let found = fs::symlink_metadata(&path).map_err(HartError::Io)?;
            if found.is_file() {
                let mut file = fs::File::open(&path).map_err(HartError::Io)?;
                let hash = content.read(&name, &mut file, found.len())?;
                let mode = found.permissions().mode() & 0o7777;
                content.files.insert(name, FileFacts { mode, content: hash });
            } else if found.is_symlink() {
                let target = fs::read_link(&path).map_err(HartError::Io)?;
                let target = format!("-> {}", target.display());
                content.files.insert(name, FileFacts { mode: 0, content: target });
            }
        }
        Ok(content)
    }

    /// The hash of a file; keeps texts that are compared line by line.
    fn read(&mut self, path: &str, data: &mut dyn Read, size: u64) -> io::Result<String> {
        let is_text = is_metafile(path) || path == "default.toml";
        if !is_text || size > TEXT_BYTES_MAX {
            return Ok(PayloadHash::of(data)?.as_str().to_owned());
        }
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // Search paths contain the release itself.
        let own = self.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let hash = PayloadHash::of(text.replace(&own, "").as_bytes())?;
        self.texts.insert(path.into(), text);
        Ok(hash.as_str().to_owned())
    }

    fn words(&self, name: &str) -> BTreeSet<String> {
        let text = self.texts.get(name).map(String::as_str).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Keys of the default configuration with their values.
    fn configuration(&self) -> BTreeMap<String, String> {
        let text = self.texts.get("default.toml").map(String::as_str).unwrap_or_default();
        let mut keys = BTreeMap::new();
        for (name, value) in text.parse::<toml::Table>().unwrap_or_default() {
            flatten(&name, &value, &mut keys);
        }
        keys
    }
}

fn flatten(path: &str, value: &toml::Value, keys: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                flatten(&format!("{path}.{name}"), value, keys);
            }
        }
        other => drop(keys.insert(path.into(), other.to_string())),
    }
}

/// Compares two packages: dependencies, hooks, configuration, metafiles, other files.
#[must_use]
pub fn compare(before: &Content, after: &Content) -> Differences {
    let mut sections = Vec::new();
    let mut add = |heading, lines: Vec<String>| {
        if !lines.is_empty() {
            sections.push((heading, lines));
        }
    };
    add("Dependencies", dependencies(before, after));
    add("Hooks", files(before, after, |path| path.starts_with("hooks/") || path == "run"));
    let (one, other) = (before.configuration(), after.configuration());
    add(
        "Configuration",
        changes(&one, &other, |key, one, other| match (one, other) {
            (Some(one), Some(other)) => format!("{key}: {one} -> {other}"),
            (Some(value), None) | (None, Some(value)) => format!("{key}: {value}"),
            (None, None) => key.into(),
        }),
    );
    let is_template =
        |path: &str| path.starts_with("config/") || path.starts_with("config_install/");
    add("Templates", files(before, after, is_template));
    let told = |path: &str| matches!(path, "DEPS" | "TDEPS" | "default.toml");
    add(
        "Metafiles",
        files(before, after, |path| {
            is_metafile(path) && !told(path) && !UNREMARKABLE.contains(&path)
        }),
    );
    add(
        "Files",
        files(before, after, |path| {
            let hook = path.starts_with("hooks/") || path == "run";
            !hook && !is_template(path) && !is_metafile(path) && !told(path)
        }),
    );
    Differences { sections }
}

fn is_metafile(path: &str) -> bool {
    path.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

/// Dependencies by origin and name: a different release is a change.
fn dependencies(before: &Content, after: &Content) -> Vec<String> {
    let by_name = |content: &Content| -> BTreeMap<String, String> {
        let all = content.words("DEPS").into_iter().chain(content.words("TDEPS"));
        let split = |ident: String| {
            let at = ident.match_indices('/').nth(1).map_or(ident.len(), |(at, _)| at);
            (ident[..at].to_owned(), ident[at..].trim_start_matches('/').to_owned())
        };
        all.map(split).collect()
    };
    changes(&by_name(before), &by_name(after), |name, one, other| match (one, other) {
        (Some(one), Some(other)) => format!("{name}: {one} -> {other}"),
        (Some(release), None) | (None, Some(release)) => format!("{name}/{release}"),
        (None, None) => name.into(),
    })
}

fn files(before: &Content, after: &Content, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let select = |content: &Content| -> BTreeMap<String, FileFacts> {
        let files = content.files.iter().filter(|(path, _)| wanted(path));
        files.map(|(path, facts)| (path.clone(), facts.clone())).collect()
    };
    changes(&select(before), &select(after), |path, one, other| match (one, other) {
        (Some(one), Some(other)) if one.content == other.content => {
            format!("{path}: mode {:04o} -> {:04o}", one.mode, other.mode)
        }
        _ => path.into(),
    })
}

fn changes<V: PartialEq>(
    before: &BTreeMap<String, V>,
    after: &BTreeMap<String, V>,
    line: impl Fn(&str, Option<&V>, Option<&V>) -> String,
) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (one, other) = (before.get(name), after.get(name));
            let sign = match (one, other) {
                (Some(one), Some(other)) if one == other => return None,
                (Some(_), Some(_)) => '~',
                (Some(_), None) => '-',
                (None, _) => '+',
            };
            Some(format!("{sign} {}", line(name, one, other)))
        })
        .collect()
}
