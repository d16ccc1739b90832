//! The program `hab` without a Supervisor: parsing, texts, files and exit codes.

mod certificates;
mod files;
mod parsing;
mod run_options;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use testkit::Ended;

/// A working directory that contains its own root.
struct Place(tempfile::TempDir);

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
        let mut command = Command::new(env!("CARGO_BIN_EXE_hab"));
        command
            .args(arguments)
            .env_clear()
            .env("FS_ROOT", self.root())
            .envs(env.iter().copied())
            .current_dir(self.path());
        testkit::run(&mut command, stdin)
    }
}
