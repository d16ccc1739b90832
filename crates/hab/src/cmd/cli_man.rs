//! `hab cli man`: one man page per command, for packages of the program.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::CommandFactory;

use crate::{
    cli::{Cli, Run},
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory for the pages; made if it is missing
    directory: PathBuf,
}

impl Run for Arguments {
    fn run(self, _: &Context) -> anyhow::Result<Exit> {
        fs::create_dir_all(&self.directory)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), &self.directory))
            .with_context(|| format!("cannot write to {}", self.directory.display()))?;
        Ok(Exit::Success)
    }
}
