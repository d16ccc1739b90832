//! Figures of a control group of version 2.

use std::{
    collections::BTreeSet,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use procfs::process::Process;

/// What a control group counts. A figure whose controller is off is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Its path in the hierarchy.
    pub path: String,
    /// CPU time of all processes that ever ran in it, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// How long its processes had to wait because of a CPU quota, in milliseconds.
    pub throttled_ms: Option<u64>,
    /// Memory, caches of files included.
    pub memory_bytes: Option<u64>,
    /// Most memory that it may use; absent without a limit.
    pub memory_max_bytes: Option<u64>,
    /// How often the kernel killed a process of it for want of memory.
    pub oom_kills: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Most processes and threads that it may have; absent without a limit.
    pub tasks_max: Option<u64>,
}

/// Where version 2 is mounted: alone, or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The control group of a service's first process, when no others than the service's processes
/// are in it.
pub(crate) fn of_service(proc: &Path, root: u32, pids: &BTreeSet<u32>) -> Option<Cgroup> {
    let path = path_of(proc, &root.to_string())?;
    let own = path_of(proc, "self")?;
    let mount = MOUNTS.map(Path::new).into_iter().find(|it| it.join("cgroup.procs").exists())?;
    of(mount, &path, &own, pids)
}

fn path_of(proc: &Path, process: &str) -> Option<String> {
    // `self` is a link: its name is not a process id.
    let directory = proc.join(process).canonicalize().ok()?;
    let groups = Process::new_with_root(directory).ok()?.cgroups().ok()?;
    groups.0.into_iter().find(|group| group.hierarchy == 0).map(|group| group.pathname)
}

fn of(mount: &Path, path: &str, own: &str, pids: &BTreeSet<u32>) -> Option<Cgroup> {
    let within = path.strip_prefix('/').filter(|within| !within.is_empty())?;
    // `..` shows a group outside of the namespace of groups.
    if within.split('/').any(|part| part == "..") || Path::new(own).starts_with(path) {
        return None;
    }
    let directory = mount.join(within);
    let inside = text(&directory, "cgroup.procs")?;
    if !inside.lines().all(|pid| pid.parse().is_ok_and(|pid| pids.contains(&pid))) {
        return None;
    }
    let number = |name| text(&directory, name)?.trim().parse().ok();
    let field = |name, key: &str| {
        let text = text(&directory, name)?;
        text.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok())
    };
    Some(Cgroup {
        path: path.into(),
        cpu_ms: field("cpu.stat", "usage_usec ").map(|us| us / 1_000),
        throttled_ms: field("cpu.stat", "throttled_usec ").map(|us| us / 1_000),
        memory_bytes: number("memory.current"),
        memory_max_bytes: number("memory.max"),
        oom_kills: field("memory.events", "oom_kill "),
        tasks: number("pids.current"),
        tasks_max: number("pids.max"),
    })
}

fn text(directory: &Path, name: &str) -> Option<String> {
    let path: PathBuf = directory.join(name);
    let mut text = String::new();
    File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    // A longer one would end within a number.
    ((text.len() as u64) < FILE_BYTES_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let mount = tempfile::tempdir().expect("a directory");
        let directory = mount.path().join("db.slice/redis");
        fs::create_dir_all(&directory).expect("a directory");
        for (name, text) in files {
            fs::write(directory.join(name), text).expect("a file");
        }
        mount
    }

    #[test]
    fn a_group_of_its_own_is_read_and_absent_controllers_are_absent() {
        let mount = group(&[
            ("cgroup.procs", "7\n8\n"),
            ("cpu.stat", "usage_usec 2500000\nuser_usec 1\nthrottled_usec 4000\n"),
            ("memory.current", "4096\n"),
            ("memory.max", "max\n"),
            ("memory.events", "low 0\noom 1\noom_kill 3\noom_group_kill 0\n"),
        ]);
        let found = of(mount.path(), "/db.slice/redis", "/system.slice/hab", &[7, 8, 9].into());
        let expected = Cgroup {
            path: "/db.slice/redis".into(),
            cpu_ms: Some(2_500),
            throttled_ms: Some(4),
            memory_bytes: Some(4096),
            memory_max_bytes: None,
            oom_kills: Some(3),
            tasks: None,
            tasks_max: None,
        };
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn a_group_that_others_are_in_is_not_the_services_own() {
        let mount = group(&[("cgroup.procs", "7\n8\n")]);
        let of =
            |path, own, pids: &[u32]| of(mount.path(), path, own, &pids.iter().copied().collect());
        assert_eq!(of("/db.slice/redis", "/x", &[7]), None, "8 is another's");
        assert_eq!(of("/db.slice/redis", "/db.slice/redis", &[7, 8]), None, "the Supervisor's");
        assert_eq!(of("/db.slice/redis", "/db.slice/redis/sup", &[7, 8]), None, "above its own");
        assert!(of("/db.slice/redis", "/db.slice/redis2", &[7, 8]).is_some());
        assert_eq!(of("/", "/x", &[7, 8]), None);
        assert_eq!(of("/../db.slice/redis", "/x", &[7, 8]), None);
        assert_eq!(of("/gone", "/x", &[7, 8]), None);
    }
}
