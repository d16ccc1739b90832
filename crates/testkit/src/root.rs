//! A separate root directory with packages from literals.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::Once,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::supervisor::Builder;

/// Prefix of a root's directory name, before the id of the test process.
const PREFIX: &str = "roost-";
static LEFTOVERS: Once = Once::new();

/// A temporary `FS_ROOT`. Dropping it kills every process that was started with it and removes its
/// files.
#[derive(Debug)]
pub struct Root {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Root {
    /// Creates an empty root for the given `hab` program
    /// (`env!("CARGO_BIN_EXE_hab")` in tests of its crate).
    ///
    /// # Panics
    /// When the directory cannot be created.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        LEFTOVERS.call_once(end_leftovers);
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a directory");
        // Services that run as another user must be able to reach their files.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        Self { directory, program: program.into() }
    }

    /// The directory used as `/`.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The program under test.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A path below the root.
    #[must_use]
    pub fn join(&self, relative: &str) -> PathBuf {
        self.path().join(relative)
    }

    /// Writes a file below the root, with its parent directories, by renaming like careful editors.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, relative: &str, content: &str) {
        let path = self.join(relative);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        let temporary = path.with_extension("testkit-new");
        fs::write(&temporary, content).expect("a file");
        fs::rename(&temporary, &path).expect("a rename");
    }

    /// Reads a file below the root; empty when it does not exist.
    #[must_use]
    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.join(relative)).unwrap_or_default()
    }

    /// Installs a package: `TARGET`, `IDENT` and the given files. It runs as the user of the test
    /// unless `SVC_USER` and `SVC_GROUP` are given.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub fn package(&self, ident: &str, files: &[(&str, &str)]) {
        let base = format!("hab/pkgs/{ident}");
        self.write(&format!("{base}/IDENT"), ident);
        self.write(&format!("{base}/TARGET"), &format!("{}-linux", std::env::consts::ARCH));
        if rustix::process::geteuid().is_root() {
            self.write(&format!("{base}/SVC_USER"), "root");
            self.write(&format!("{base}/SVC_GROUP"), "root");
        }
        for (name, content) in files {
            self.write(&format!("{base}/{name}"), content);
        }
    }

    /// Writes a spec file, which loads the service: `ident = …` and further lines.
    pub fn spec(&self, name: &str, content: &str) {
        self.write(&format!("hab/sup/default/specs/{name}.spec"), content);
    }

    /// Builder of a Supervisor in this root.
    #[must_use]
    pub fn supervisor(&self) -> Builder<'_> {
        Builder::new(self)
    }

    /// Kills everything that runs in this root at once, like a power failure: no process can react
    /// to the end of another.
    pub fn lose_power(&self) {
        for signal in [Signal::STOP, Signal::KILL] {
            // A process may start another one while the list is read.
            for _ in 0..2 {
                for pid in self.processes() {
                    let _ = kill_process(pid, signal);
                }
            }
        }
        crate::wait_for("the end of every process", || self.processes().is_empty().then_some(()));
    }

    /// Processes that were started with this root as `FS_ROOT`.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        let own = |(root, pid): (PathBuf, Pid)| (root == self.path()).then_some(pid);
        processes_with_root().filter_map(own).collect()
    }
}

/// Every process with an `FS_ROOT`, and its value.
fn processes_with_root() -> impl Iterator<Item = (PathBuf, Pid)> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let root = environ.split(|b| *b == 0).find_map(|e| e.strip_prefix(b"FS_ROOT="))?;
        Some((PathBuf::from(OsStr::from_bytes(root)), Pid::from_raw(pid)?))
    })
}

/// Kills leftover processes of dead test processes, and removes their files. The name of a root
/// contains the id of its owner.
fn end_leftovers() {
    let space_of = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let here = fs::read_link("/proc/self/ns/pid").ok();
    let is_leftover = |root: &Path, pid: Pid| {
        let name = root.file_name().and_then(OsStr::to_str).and_then(|n| n.strip_prefix(PREFIX));
        let owner = name.and_then(|name| name.split_once('-')?.0.parse::<u32>().ok());
        // In another pid namespace the owner may have another id.
        owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists())
            && root.parent() == Some(&std::env::temp_dir())
            && space_of(pid.as_raw_nonzero().get()) == here
    };
    for (root, pid) in processes_with_root().filter(|(root, pid)| is_leftover(root, *pid)) {
        let _ = kill_process(pid, Signal::KILL);
        let _ = fs::remove_dir_all(root);
    }
}

impl Root {
    /// Kills every process that was started with this root, including services.
    pub fn kill_all(&self) {
        // A Supervisor may start a process while the list is read.
        for _ in 0..20 {
            let processes = self.processes();
            if processes.is_empty() {
                return;
            }
            for pid in processes {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.kill_all();
    }
}
