//! Placing a release into the package tree atomically, and pruning old ones.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use blake2::{Blake2b, Digest, digest::consts::U32};
use roost_ident::{PackageIdent, time};

use super::{
    StageError,
    copies::Copies,
    others::{Kind, Other},
    reach::Dir,
    record::{self, Record},
    tree::StagedFile,
};
use crate::{
    dirs,
    install::{self, Installed, STAGING_PREFIX},
    read::read_text,
    root::FsRoot,
    write::write_at_once,
};

/// Metafile that marks a staged release: the digest of its content.
const MARK: &str = "STAGED";
/// Start of the digest: a change of the format makes all releases differ.
const FORMAT: &[u8] = b"roost staged release 1\n";
/// Staged releases kept besides the newest one and those requested.
const KEPT: usize = 2;
/// Number of attempts when another process takes the same stamp.
const TRIES: usize = 8;
/// Between the prefix and the process id in names of temporary directories.
const OURS: &str = "-roost-";

/// Content of a release.
pub(super) struct Content<'a> {
    /// The source directory.
    pub(super) context: &'a Dir,
    /// Files with their content in memory.
    pub(super) files: BTreeMap<String, StagedFile>,
    /// Files to copy.
    pub(super) others: BTreeMap<String, Other>,
    /// The newest modification of any file, in seconds since 1970.
    pub(super) newest_s: i64,
    /// Why no new release may be made, if so: then only an existing release with this content is
    /// valid.
    pub(super) frozen: Option<StageError>,
}

/// A placed release.
pub(super) struct Placed {
    pub(super) ident: PackageIdent,
    /// The release is new.
    pub(super) changed: bool,
    /// The first copied file that differs from the previous release.
    pub(super) changed_file: Option<String>,
}

/// Puts the files into the tree unless the newest release of this version has the same content.
pub(super) fn place(
    root: &FsRoot,
    ident: &PackageIdent,
    content: Content<'_>,
) -> Result<Placed, StageError> {
    let Content { context, mut files, others, newest_s, frozen } = content;
    let former = newest(root, ident).map(|newest| newest.path);
    let before = former.as_deref().map(Record::of).unwrap_or_default();
    let record = Record::make(context, &others, &before)?;
    let changed_file = former.is_some().then(|| record.difference(&before)).flatten();
    let digest = digest(&files, &others, &record);
    if !others.is_empty() {
        files.insert(record::NAME.into(), StagedFile::public(record.to_text()));
    }
    files.insert(MARK.into(), StagedFile::public(digest.clone() + "\n"));
    let parent = root.pkg_path(ident);
    dirs::create_ours(&parent).map_err(|error| StageError::io(&parent, error))?;
    remove_abandoned(&parent);
    let mut tries = 0;
    loop {
        tries += 1;
        let newest = newest(root, ident);
        if let Some(newest) = &newest
            && mark(&newest.path).as_deref() == Some(&digest)
        {
            if record != before {
                // The record changed although the content did not: file states that were too
                // recent, or rewritten files. If this write fails, the next staging only reads
                // those files again.
                let text = record.to_text();
                let _ = write_at_once(&newest.path.join(record::NAME), text.as_bytes(), 0o644);
            }
            return Ok(Placed { ident: newest.ident.clone(), changed: false, changed_file: None });
        }
        if let Some(error) = frozen {
            return Err(error);
        }
        let release = release(newest.as_ref(), newest_s)?;
        let ident = PackageIdent { release: Some(release), ..ident.clone() };
        files.insert("IDENT".into(), StagedFile::public(format!("{ident}\n")));
        let path = root.pkg_path(&ident);
        let copies =
            Copies { context, others: &others, record: &record, former: former.as_deref() };
        match make(&parent, &path, &files, &copies) {
            Ok(()) => return Ok(Placed { ident, changed: true, changed_file }),
            // Another process took this stamp first: compare again.
            Err(error) if is_taken(&error) && tries < TRIES => {}
            Err(error) => return Err(StageError::io(&path, error)),
        }
    }
}

/// True when the destination exists: file systems report it in two ways.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

/// The newest installed release of a version, by release alone.
fn newest(root: &FsRoot, ident: &PackageIdent) -> Option<Installed> {
    install::matching(root, ident).into_iter().max_by(|a, b| a.ident.release.cmp(&b.ident.release))
}

/// The stamp of the newest content, or one second after the newest release if that is later.
fn release(newest: Option<&Installed>, newest_s: i64) -> Result<String, StageError> {
    let Some(newest) = newest else { return Ok(time::stamp(newest_s)) };
    let before = newest.ident.release.as_deref().unwrap_or_default();
    let next_s = time::parse_stamp(before).map_or(newest_s, |before_s| newest_s.max(before_s + 1));
    let release = time::stamp(next_s);
    if release.as_str() <= before {
        return Err(StageError::NotNewer { path: newest.path.clone() });
    }
    Ok(release)
}

fn digest(
    files: &BTreeMap<String, StagedFile>,
    others: &BTreeMap<String, Other>,
    record: &Record,
) -> String {
    let mut hash = Blake2b::<U32>::new();
    hash.update(FORMAT);
    let mut add = |name: &str, mode: u32, content: &str| {
        // Lengths mark the boundaries: different trees give different bytes.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(mode.to_le_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    };
    for (name, file) in files {
        add(name, file.mode, &file.text);
    }
    for (name, other) in others {
        let (kind, content) = match &other.kind {
            Kind::Directory => ("/", ""),
            Kind::File(_) => ("=", record.digest(name).unwrap_or_default()),
            Kind::Link(target) => (">", target.as_str()),
        };
        // No path of the files above starts with `//`.
        add(&format!("//{kind}{name}"), other.mode, content);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mark(release: &Path) -> Option<String> {
    let text = read_text(&release.join(MARK), 4096).ok().flatten()?;
    Some(text.trim().to_owned())
}

/// Writes all files next to the destination and renames them. Everything is on disk before that: a
/// spec may name this release after a power failure.
fn make(
    parent: &Path,
    path: &Path,
    files: &BTreeMap<String, StagedFile>,
    copies: &Copies<'_>,
) -> io::Result<()> {
    let temporary = temporary(parent);
    let write = || {
        make_directory(&temporary)?;
        for (name, file) in files {
            let mut below = temporary.clone();
            let steps: Vec<_> = name.split('/').collect();
            for step in &steps[..steps.len() - 1] {
                below.push(step);
                if !below.is_dir() {
                    make_directory(&below)?;
                }
            }
            let mut options = OpenOptions::new();
            let mut out =
                options.write(true).create_new(true).mode(0o600).open(temporary.join(name))?;
            out.write_all(file.text.as_bytes())?;
            out.set_permissions(Permissions::from_mode(file.mode))?;
            out.sync_all()?;
        }
        copies.make(&temporary)?;
        File::open(&temporary)?.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(parent)?.sync_all()
    };
    let made = write();
    if made.is_err() {
        // Best effort: the rest does not count as installed, and the next staging removes it.
        let _ = fs::remove_dir_all(&temporary);
    }
    made
}

pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(roost_files::PUBLIC_DIRECTORY))
}

fn temporary(parent: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    parent.join(format!("{STAGING_PREFIX}{OURS}{}-{count}", process::id()))
}

/// Removes incomplete releases of processes that no longer exist.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(STAGING_PREFIX)?.strip_prefix(OURS))
            .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Removes staged releases of the package except the given one, the newest few, the one that ran
/// last and those to keep. Never touches installed releases. Returns a line for each release that
/// could not be removed.
pub(super) fn prune(root: &FsRoot, ident: &PackageIdent, keep: &[PackageIdent]) -> Vec<String> {
    let any = PackageIdent::new(&ident.origin, &ident.name, None, None);
    let mut staged = install::matching(root, &any);
    staged.retain(|found| found.ident != *ident && mark(&found.path).is_some());
    staged.sort_by(|a, b| b.ident.compare_age(&a.ident));
    // The release that ran last is the fallback when no newer one can start.
    let ran = read_text(&root.sup().release_file(&ident.name), 4096).ok().flatten();
    let ran: Option<PackageIdent> = ran.and_then(|text| text.trim().parse().ok());
    staged.retain(|found| Some(&found.ident) != ran.as_ref());
    let mut warnings = Vec::new();
    for old in staged.into_iter().skip(KEPT).filter(|old| !keep.contains(&old.ident)) {
        if let Err(error) = remove(&old.path) {
            warnings.push(format!("{}: old release not removed: {error}", old.path.display()));
        }
    }
    warnings
}

/// Removes a release; it stops counting as installed atomically.
fn remove(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    let aside = temporary(parent);
    fs::rename(path, &aside)?;
    fs::remove_dir_all(&aside)?;
    match fs::remove_dir(parent) {
        // A version that still has releases stays.
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}
