//! Parts from files and the kernel.

use std::{collections::BTreeMap, fs, path::Path};

use super::{Content, titled};

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most processes, and threads of each, that are shown.
const PROCESSES_MAX: usize = 2_000;
const THREADS_MAX: usize = 200;
/// What is shown of a process and of a thread; nothing of these holds arguments or environment.
const OF_PROCESS: [&str; 4] = ["status", "limits", "io", "cgroup"];
const OF_THREAD: [&str; 4] = ["comm", "stat", "wchan", "stack"];
/// What is shown of the machine.
const FIGURES: [&str; 8] = [
    "version",
    "uptime",
    "loadavg",
    "meminfo",
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
    "sys/fs/file-nr",
];
/// The key of specs that holds a secret, even if it is encrypted.
const SECRET_KEY: &str = "svc_encrypted_password";

/// The spec files.
pub(super) fn specs(directory: &Path) -> Content {
    let mut out = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|it| it == "spec")) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = match roost_files::read_text(path, FILE_BYTES_MAX) {
            Ok(text) => text.unwrap_or_default(),
            Err(error) => format!("cannot be read: {error}"),
        };
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains(SECRET_KEY)).collect();
        titled(&mut out, &roost_text::shown(&name), kept.join("\n").as_bytes());
    }
    Ok(out)
}

/// Reads a file of `/proc`, whose length is not known before.
fn read(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap_or_else(|error| format!("{error}\n").into_bytes());
    bytes.truncate(usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX));
    bytes
}

/// The launcher that holds this root, and all its descendants, with their threads.
pub(super) fn processes(root: &Path) -> Content {
    let lock = roost_launch::lock::path(root);
    let text = roost_files::read_text(&lock, FILE_BYTES_MAX)?.unwrap_or_default();
    let launcher: u32 = text.trim().parse().map_err(|_| {
        anyhow::anyhow!("{} names no process: no Supervisor ran with this root", lock.display())
    })?;
    anyhow::ensure!(
        !roost_launch::group::process_has_ended(launcher),
        "the launcher (process {launcher}) has ended"
    );
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let status = String::from_utf8_lossy(&read(&entry.path().join("status"))).into_owned();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        if let Some(parent) = parent.and_then(|parent| parent.trim().parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut out, mut waiting, mut shown) = (Vec::new(), vec![launcher], 0);
    while let Some(pid) = waiting.pop() {
        shown += 1;
        if shown > PROCESSES_MAX {
            titled(&mut out, "and more processes", b"");
            break;
        }
        waiting.extend(children.get(&pid).into_iter().flatten());
        let place = Path::new("/proc").join(pid.to_string());
        for file in OF_PROCESS {
            titled(&mut out, &format!("{pid} {file}"), &read(&place.join(file)));
        }
        let threads = fs::read_dir(place.join("task")).into_iter().flatten().flatten();
        for thread in threads.take(THREADS_MAX) {
            let name = thread.file_name();
            for file in OF_THREAD {
                let title = format!("{pid} thread {} {file}", name.to_string_lossy());
                titled(&mut out, &title, &read(&thread.path().join(file)));
            }
        }
    }
    Ok(out)
}

/// Memory, load and pressure.
#[expect(clippy::unnecessary_wraps, reason = "a part like the others")]
pub(super) fn figures() -> Content {
    let mut out = Vec::new();
    for file in FIGURES {
        titled(&mut out, file, &read(&Path::new("/proc").join(file)));
    }
    Ok(out)
}

/// Room on the file system of the root.
pub(super) fn disk(root: &Path) -> Content {
    let found = rustix::fs::statvfs(root)?;
    let mebibytes = |blocks: u64| blocks.saturating_mul(found.f_frsize) >> 20;
    let text = format!(
        "total_mib {}\nfree_mib {}\navailable_mib {}\nfiles {}\nfiles_free {}\n",
        mebibytes(found.f_blocks),
        mebibytes(found.f_bfree),
        mebibytes(found.f_bavail),
        found.f_files,
        found.f_ffree,
    );
    Ok(text.into_bytes())
}
