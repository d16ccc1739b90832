//! Copying the unchanged files of a release.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    StageError,
    others::{Kind, Other, Stat, mode_of},
    place::make_directory,
    reach::{Dir, Node},
    record::{Record, changing, copy},
};

/// The entries to copy.
pub(super) struct Copies<'a> {
    /// The source directory.
    pub(super) context: &'a Dir,
    pub(super) others: &'a BTreeMap<String, Other>,
    pub(super) record: &'a Record,
    /// The previous release, whose unchanged files are hard-linked.
    pub(super) former: Option<&'a Path>,
}

impl Copies<'_> {
    /// Creates all entries below the directory of a new release, and waits until they are on disk.
    pub(super) fn make(&self, release: &Path) -> io::Result<()> {
        if self.others.is_empty() {
            return Ok(());
        }
        let before = self.former.map(Record::of).unwrap_or_default();
        for (name, other) in self.others {
            let to = release.join(name);
            if let Some(parent) = to.parent().filter(|parent| !parent.is_dir()) {
                // Only the parents of a path named in `roost.toml` are missing from the entries.
                roost_files::create_directories(parent, roost_files::PUBLIC_DIRECTORY)?;
            }
            match &other.kind {
                // Modes come last: a directory may deny access even to us.
                Kind::Directory => make_directory(&to)?,
                Kind::Link(target) => symlink(target, &to)?,
                Kind::File(stat) => {
                    let unchanged = self.record.digest(name) == before.digest(name);
                    let former = self.former.filter(|_| unchanged).map(|former| former.join(name));
                    let linked = former.is_some_and(|former| link(&former, &to, stat, other.mode));
                    if !linked {
                        self.copy(name, other, stat, &to)?;
                    }
                }
            }
        }
        for (name, other) in self.others {
            if other.kind == Kind::Directory {
                fs::set_permissions(release.join(name), Permissions::from_mode(other.mode))?;
            }
        }
        // One sync for all: waiting for thousands of files one by one would be slow.
        Ok(rustix::fs::syncfs(File::open(release)?)?)
    }

    fn copy(&self, name: &str, other: &Other, stat: &Stat, to: &Path) -> io::Result<()> {
        let refuse = |error: StageError| io::Error::other(error.to_string());
        let path = self.context.path().join(name);
        let Some(Node::File(mut from)) = self.context.get_itself(name).map_err(refuse)? else {
            return Err(refuse(changing(&path)));
        };
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let digest = copy(&mut from.file, &mut out)?;
        // The mode of the opened file: the entry may have been exchanged since it was listed.
        let mode = from.file.metadata()?.mode();
        if self.record.digest(name) != Some(digest.as_str()) || mode_of(mode) != other.mode {
            return Err(refuse(changing(&path)));
        }
        let modified = u64::try_from(stat.modified_ns).unwrap_or(0);
        out.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(modified))?;
        out.set_permissions(Permissions::from_mode(other.mode))
    }
}

/// Links a file of the previous release, unless it was modified there.
fn link(former: &Path, to: &Path, stat: &Stat, mode: u32) -> bool {
    let Ok(found) = former.symlink_metadata() else { return false };
    let is_same = found.is_file()
        && found.permissions().mode() & 0o7777 == mode
        && Stat::of(&found).size == stat.size
        && Stat::of(&found).modified_ns == stat.modified_ns;
    is_same && fs::hard_link(former, to).is_ok()
}
