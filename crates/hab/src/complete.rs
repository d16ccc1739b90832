//! Candidates for shell completion: loaded services, service groups, keys, installed packages.
//!
//! The completion scripts call this program for each key press, so nothing here may wait, print, or
//! fail: without a Supervisor there are no candidates.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use roost_ctl::{Answer, Request, ServiceStatus};

use crate::{
    context::{Context, variable},
    control::{RemoteArg, ask_within},
    ui::Ui,
};

/// Longest wait for a Supervisor.
const PATIENCE: Duration = Duration::from_millis(500);
/// Suffix of ring keys.
const RING_KEY: &str = ".sym.key";
/// Suffix of secret keys of users and service groups.
const BOX_KEY: &str = ".box.key";

/// Loaded services, by name and by identifier.
pub(crate) fn services() -> ArgValueCandidates {
    candidates(|| {
        let loaded = loaded();
        let names = loaded.iter().map(|it| it.ident.name.clone());
        let idents = loaded.iter().map(|it| format!("{}/{}", it.ident.origin, it.ident.name));
        names.chain(idents).collect()
    })
}

/// Groups of loaded services.
pub(crate) fn groups() -> ArgValueCandidates {
    candidates(|| loaded().iter().map(|status| status.group.to_string()).collect())
}

/// Groups of services that have printed something on this machine.
pub(crate) fn logged() -> ArgValueCandidates {
    candidates(|| {
        let Ok(context) = Context::new(Ui::silent()) else { return Vec::new() };
        roost_logs::groups(context.root.path()).unwrap_or_default()
    })
}

/// Installed packages.
pub(crate) fn packages() -> ArgValueCandidates {
    candidates(|| {
        let Ok(context) = Context::new(Ui::silent()) else { return Vec::new() };
        let installed = roost_pkg::install::list(&context.root);
        installed.iter().map(|it| format!("{}/{}", it.ident.origin, it.ident.name)).collect()
    })
}

/// Rings with a key in the cache.
pub(crate) fn rings() -> ArgValueCandidates {
    candidates(|| key_names(RING_KEY, |_| true))
}

/// Users with a key in the cache.
pub(crate) fn users() -> ArgValueCandidates {
    // Keys of service groups have the same suffix.
    candidates(|| key_names(BOX_KEY, |name| !name.contains(['@', '.'])))
}

fn candidates(find: impl Fn() -> Vec<String> + Send + Sync + 'static) -> ArgValueCandidates {
    ArgValueCandidates::new(move || -> Vec<CompletionCandidate> {
        let found: BTreeSet<String> = find().into_iter().collect();
        found.into_iter().map(CompletionCandidate::new).collect()
    })
}

fn loaded() -> Vec<ServiceStatus> {
    let mut found = Vec::new();
    let Ok(context) = Context::new(Ui::silent()) else { return found };
    let remote = RemoteArg::default().address(&context);
    // Without an answer there are no candidates.
    let _ = ask_within(&context, &remote, &Request::Status { ident: None }, Some(PATIENCE), |it| {
        if let Answer::Status(status) = it {
            found.push(*status);
        }
        Ok(())
    });
    found
}

/// Names of keys in the default cache, without revision and suffix.
fn key_names(suffix: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let Ok(context) = Context::new(Ui::silent()) else { return Vec::new() };
    let given = variable("HAB_CACHE_KEY_PATH").map(PathBuf::from);
    let cache = context.key_cache(given.as_deref());
    let Ok(entries) = fs::read_dir(cache.dir()) else { return Vec::new() };
    let name = |entry: fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        let (name, _revision) = file.strip_suffix(suffix)?.rsplit_once('-')?;
        wanted(name).then(|| name.to_owned())
    };
    entries.flatten().filter_map(name).collect()
}
