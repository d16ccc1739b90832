//! `hab pkg diff`: the differences between two packages.

use std::path::Path;

use roost_pkg::{
    compare::{Content, compare},
    install,
};

use crate::{cli::Run, cmd::payload::parse_ident, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A package archive or the identifier of an installed package
    #[arg(value_name = "PKG_IDENT_OR_ARTIFACT")]
    before: String,
    /// The other package archive or identifier
    #[arg(value_name = "PKG_IDENT_OR_ARTIFACT")]
    after: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let (before, after) = (read(context, &self.before)?, read(context, &self.after)?);
        let shown =
            |content: &Content| content.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        context.ui.info(&format!("--- {}\n+++ {}", shown(&before), shown(&after)));
        let differences = compare(&before, &after);
        if differences.sections.is_empty() {
            context.ui.info("No differences");
        }
        for (heading, lines) in differences.sections {
            context.ui.info(&format!("{heading}:"));
            for line in lines {
                context.ui.info(&format!("  {line}"));
            }
        }
        Ok(Exit::Success)
    }
}

fn read(context: &Context, text: &str) -> anyhow::Result<Content> {
    let path = Path::new(text);
    if path.is_file() {
        return Ok(Content::of_archive(path)?);
    }
    if text.ends_with(".hart") {
        anyhow::bail!("File not found at: {text}");
    }
    let found = install::resolve(&context.root, &parse_ident(text)?)?;
    Ok(Content::of_release(found.ident, &found.path)?)
}
