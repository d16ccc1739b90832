//! `hab pkg hash`

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use roost_hart::PayloadHash;

use crate::{cli::Run, cmd::archive_file, context::Context, exit::Exit};

/// Longest name of a file.
const MAX_NAME_BYTES: u64 = 4096;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file [default: file names from standard input, one per line]
    #[arg(value_parser = archive_file::parse)]
    source: Option<PathBuf>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        if let Some(source) = self.source {
            print(context, &source)?;
            return Ok(Exit::Success);
        }
        let mut names = BufReader::new(io::stdin());
        loop {
            let mut name = String::new();
            if names.by_ref().take(MAX_NAME_BYTES).read_line(&mut name)? == 0 {
                return Ok(Exit::Success);
            }
            print(context, Path::new(name.trim_end_matches(['\n', '\r'])))?;
        }
    }
}

fn print(context: &Context, path: &Path) -> io::Result<()> {
    let hash = PayloadHash::of(File::open(path)?)?;
    context.ui.info(&format!("{}  {}", hash.as_str(), path.display()));
    Ok(())
}
