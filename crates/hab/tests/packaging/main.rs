//! The files of `packaging/install` and `packaging/debian`, and their use by shells, `man` and
//! `dpkg`.

mod debian;
mod install;
mod manuals;
mod shells;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// An installation in a separate directory.
struct Installed {
    directory: tempfile::TempDir,
    prefix: &'static str,
}

/// A program of the machine, or of `packaging/`, in a separate environment.
fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C.UTF-8");
    command.stdin(Stdio::null());
    command
}

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)
}

/// True when this machine has the program; otherwise reports that the current test is skipped.
fn is_there(name: &str) -> bool {
    let found = program(name).arg("--version").output().is_ok();
    if !found {
        testkit::skip(&format!("no {name}"));
    }
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a program, which must succeed without errors.
fn said(output: &Output) -> String {
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    text(&output.stdout)
}

impl Installed {
    fn at(prefix: &'static str) -> Self {
        let installed = Self { directory: tempfile::tempdir().expect("a directory"), prefix };
        assert_eq!(said(&installed.run(&[env!("CARGO_BIN_EXE_hab")])), "");
        installed
    }

    /// Runs `packaging/install`.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = program(packaging("install"));
        // The machine need not be Debian here.
        command.env("ZSHDIR", format!("{}/share/zsh/site-functions", self.prefix));
        command.env("DESTDIR", self.directory.path()).env("PREFIX", self.prefix);
        command.args(arguments).output().expect("a shell")
    }

    /// The actual place of a path below the prefix.
    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(&self.prefix[1..]).join(below)
    }

    /// All files with their final paths.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut directories = vec![self.directory.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let path = path.strip_prefix(self.directory.path()).expect("inside");
                    files.push(format!("/{}", path.display()));
                }
            }
        }
        files.sort();
        files
    }
}
