//! `hab cli man`: one man page per command, for packages of the program.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Command;

use crate::{
    cli::{self, Run},
    context::Context,
    exit::Exit,
    manual,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory for the pages; made if it is missing
    directory: PathBuf,
}

impl Run for Arguments {
    fn run(self, _: &Context) -> anyhow::Result<Exit> {
        let mut program = cli::command().disable_help_subcommand(true);
        // Sets the full name of each command.
        program.build();
        fs::create_dir_all(&self.directory)
            .and_then(|()| write_pages(&program, &self.directory))
            .with_context(|| format!("cannot write to {}", self.directory.display()))?;
        Ok(Exit::Success)
    }
}

/// Writes the page of a command and of all its subcommands.
fn write_pages(command: &Command, directory: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_pages(inner, directory)?;
    }
    manual::write_page(command, directory).map(drop)
}
