//! The program `hab` without a Supervisor: parsing, texts, files and exit codes.

mod certificates;
mod files;
mod parsing;
mod run_options;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A working directory that contains its own root.
struct Place(tempfile::TempDir);

/// The result of the program.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("written");
    }

    fn hab(&self, arguments: &[&str]) -> Ended {
        self.hab_with(arguments, &[], "")
    }

    fn hab_with(&self, arguments: &[&str], env: &[(&str, &str)], stdin: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hab"))
            .args(arguments)
            .env_clear()
            .env("FS_ROOT", self.root())
            .envs(env.iter().copied())
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // A program that reads nothing may have ended already.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("an end");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ended {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
