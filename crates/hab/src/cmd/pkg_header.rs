//! `hab pkg header`

use std::path::PathBuf;

use roost_hart::{
    Archive,
    header::{FORMAT_VERSION, HASH_TYPE},
};

use crate::{cli::Run, cmd::archive_file, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A package archive
    #[arg(value_parser = archive_file::parse)]
    source: PathBuf,
}

impl Run for Arguments {
    /// An unreadable header is only a warning.
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let shown = self.source.display();
        context.ui.begin(&format!("Reading package header for {shown}"));
        context.ui.info("");
        let Ok(archive) = Archive::open(&self.source) else {
            context.ui.warn("Failed to read package header.");
            return Ok(Exit::Success);
        };
        let header = archive.header();
        for (name, value) in [
            ("Package", shown.to_string()),
            ("Format Version", FORMAT_VERSION.into()),
            ("Key Name", header.signer.to_string()),
            ("Hash Type", HASH_TYPE.into()),
            ("Raw Signature", header.signature_text.clone()),
        ] {
            context.ui.info(&format!("{name:<15}: {value}"));
        }
        Ok(Exit::Success)
    }
}
