//! What the files of a root show of a service whose Supervisor does not answer: its spec, its
//! process, its last lines. Only what is there; nothing is concluded from what is missing.

use std::{fs, ops::ControlFlow, path::Path};

use anyhow::bail;
use roost_ident::{DesiredState, time::rfc3339_ms};
use roost_logs::{Selection, Stream, directory_of};
use serde_json::{Value, json};

use super::{loaded::Loaded, svc_why::similar};
use crate::context::Context;

/// Largest spec or process id file that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Lines of standard error that are shown.
const LAST_LINES: usize = 8;

/// A spec file, as far as this needs it.
struct Spec {
    name: String,
    /// Origin and name of its package.
    ident: String,
    group: String,
    desired: DesiredState,
}

/// Explains a service from files. `error` is why its Supervisor could not be asked.
///
/// # Errors
/// When the service has neither a spec nor lines.
pub(crate) fn explain(context: &Context, service: &Loaded, error: &str) -> anyhow::Result<Value> {
    let root = context.root.path();
    let wanted = match service {
        Loaded::Ident(ident) => ident.name.clone(),
        Loaded::Name(name) => name.split('.').next().unwrap_or_default().to_owned(),
    };
    let specs = specs(&context.root.sup().specs());
    let groups = roost_logs::groups(root).unwrap_or_default();
    let lines_of = |name: &str| {
        groups.iter().find(|group| group.split('.').next() == Some(name)).map(String::as_str)
    };
    let Some(spec) = specs.iter().find(|spec| spec.name == wanted) else {
        let mut text = format!("{error}.\n{wanted} is not loaded: it has no spec file");
        if lines_of(&wanted).is_some() {
            text.push_str(&format!(
                ". Its lines of earlier are kept: 'hab svc logs {wanted}' shows them"
            ));
        } else if let Some(near) = similar(&wanted, specs.iter().map(|spec| spec.name.as_str())) {
            text.push_str(&format!(". Did you mean {near}?"));
        }
        bail!("{text}");
    };
    let away = json!({
        "code": "supervisor_away",
        "message": "its Supervisor does not answer; what follows comes from files",
        "since": null,
        "evidence": [error.to_string(), supervisor(root)],
    });
    let pid = process(&context.root.svc(&spec.name).pid_file());
    let last = lines_of(&spec.name).and_then(|group| last(root, group));
    let state = match (pid, spec.desired) {
        (Some(pid), _) => format!("its process (id {pid}) runs, and nothing looks after it"),
        (None, DesiredState::Down) => "it was stopped, and its process does not run".into(),
        (None, DesiredState::Up) => "it is to run, and its process does not run".into(),
    };
    let mut chain = vec![away];
    if spec.desired == DesiredState::Down {
        chain.push(json!({
            "code": "desired_down", "message": "its spec has it stopped", "evidence": [],
            "since": null,
        }));
    }
    if let Some(Last { mark, unix_ms, stderr }) = last {
        chain.push(json!({
            "code": "last_lines", "message": format!("the last mark in its lines: {mark}"),
            "since": rfc3339_ms(unix_ms), "evidence": stderr,
        }));
    }
    let logs = format!("hab svc logs {} --tail 50", spec.name);
    Ok(json!({
        "id": format!("{}.{}", spec.name, spec.group),
        "answer": format!("{}.{}: its Supervisor does not answer; {state}", spec.name, spec.group),
        "chain": chain,
        "remedies": [
            {"text": "Start the Supervisor, which takes care of its services again",
             "command": "hab sup run"},
            {"text": format!("Read what {} printed", spec.ident), "command": logs},
            {"text": "Collect everything for a report first", "command": "hab sup debug-bundle"},
        ],
    }))
}

/// The specs that can be read.
fn specs(directory: &Path) -> Vec<Spec> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let spec = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".spec")?.to_owned();
        let text = roost_files::read_text(path, FILE_BYTES_MAX).ok()??;
        let table: toml::Table = text.parse().ok()?;
        let word = |key: &str| table.get(key).and_then(toml::Value::as_str);
        let ident: Vec<&str> = word("ident")?.split('/').take(2).collect();
        let desired = word("desired_state").and_then(DesiredState::from_spec_word);
        Some(Spec {
            name,
            ident: ident.join("/"),
            group: word("group").unwrap_or("default").into(),
            desired: desired.unwrap_or_default(),
        })
    };
    entries.filter_map(|entry| spec(&entry.path())).collect()
}

/// Whether a launcher holds this root.
fn supervisor(root: &Path) -> String {
    let path = roost_launch::lock::path(root);
    let pid = process(&path);
    match pid {
        Some(pid) => format!("the launcher (process {pid}) lives"),
        None => format!("no process that {} names lives", path.display()),
    }
}

/// The living process that a file names.
fn process(path: &Path) -> Option<u32> {
    let text = roost_files::read_text(path, FILE_BYTES_MAX).ok()??;
    let pid: u32 = text.trim().parse().ok()?;
    (!roost_launch::group::process_has_ended(pid)).then_some(pid)
}

/// The end of the lines of a service.
struct Last {
    mark: String,
    unix_ms: u64,
    stderr: Vec<String>,
}

fn last(root: &Path, group: &str) -> Option<Last> {
    let directory = directory_of(root, group)?;
    let (mut mark, mut stderr) = (None, Vec::new());
    let newest = Selection { tail: Some(1_000), ..Selection::default() };
    let read = roost_logs::read(&directory, &newest, |record| {
        let line = record.line;
        if line.tag.mark().is_some() {
            mark = Some((line.text.to_owned(), line.unix_ms));
        } else if line.stream == Stream::Stderr {
            stderr.push(line.text.chars().take(200).collect::<String>());
            if stderr.len() > LAST_LINES {
                stderr.remove(0);
            }
        }
        ControlFlow::Continue(())
    });
    read.ok()?;
    let (mark, unix_ms) = mark?;
    Some(Last { mark, unix_ms, stderr })
}
