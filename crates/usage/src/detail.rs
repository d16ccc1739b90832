//! What takes longer to find out about one service.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use procfs::process::Process;

use crate::{
    LINKS_MAX, Usage,
    cgroup::{self, Cgroup},
    own::descriptors_max,
    sockets::{self, Listening},
};

/// Facts about one service beyond its [`Usage`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// The process with the most descriptors.
    pub fullest: Option<Fullest>,
    /// Where its processes listen; `None` when that cannot be known.
    pub listening: Option<Vec<Listening>>,
    /// Its control group, when that is the service's own.
    pub cgroup: Option<Cgroup>,
}

/// A process and its descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fullest {
    /// Its id.
    pub pid: u32,
    /// How many it has open.
    pub open: u64,
    /// How many it may have open; `None` without a limit, or when that cannot be read.
    pub limit: Option<u64>,
}

impl Detail {
    /// Reads them for the service with this first process, whose other figures are known.
    #[must_use]
    pub fn read(root: u32, usage: &Usage) -> Self {
        let proc = Path::new("/proc");
        let fullest = usage.members.iter().max_by_key(|member| member.descriptors);
        let fullest = fullest.filter(|_| usage.descriptors.is_some()).map(|member| {
            let process = Process::new_with_root(proc.join(member.pid.to_string()));
            let limit = process.ok().and_then(|process| descriptors_max(&process));
            Fullest { pid: member.pid, open: member.descriptors, limit }
        });
        let pids: BTreeSet<u32> = usage.members.iter().map(|member| member.pid).collect();
        Self {
            fullest,
            listening: listening(proc, root, &pids),
            cgroup: cgroup::of_service(proc, root, &pids),
        }
    }
}

/// Where processes listen. Sockets of another network namespace than the first process's are not
/// found.
fn listening(proc: &Path, root: u32, pids: &BTreeSet<u32>) -> Option<Vec<Listening>> {
    let sockets = sockets::all(&proc.join(root.to_string()))?;
    let mut found = BTreeSet::new();
    let mut left = LINKS_MAX;
    for pid in pids {
        let links = match links(proc.join(pid.to_string()).join("fd"), &mut left) {
            Ok(links) => links,
            Err(error) if is_gone(&error) => continue,
            Err(_) => return None,
        };
        found.extend(links.iter().filter_map(|inode| sockets.get(inode)));
        if left == 0 {
            return None;
        }
    }
    Some(found.into_iter().collect())
}

/// Inodes of the sockets that a directory of descriptors shows.
fn links(directory: PathBuf, left: &mut usize) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(directory)? {
        if *left == 0 {
            break;
        }
        *left -= 1;
        // One that was closed meanwhile has no target.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let inode = target.to_str().and_then(|target| target.strip_prefix("socket:["));
        let inode = inode.and_then(|inode| inode.strip_suffix(']'));
        inodes.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Ok(inodes)
}

fn is_gone(error: &io::Error) -> bool {
    // ESRCH: it ended after the directory was opened
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3)
}
