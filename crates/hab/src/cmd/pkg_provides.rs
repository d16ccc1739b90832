//! `hab pkg provides`: which installed packages contain a file of this name.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::bail;
use roost_pkg::install::STAGING_PREFIX;

use crate::{cli::Run, context::Context, exit::Exit};

/// Deepest directory below the package tree that is searched.
const MAX_DEPTH: usize = 128;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print fully qualified identifiers
    #[arg(short = 'r')]
    full_releases: bool,
    /// Print the paths of the files
    #[arg(short = 'p')]
    full_paths: bool,
    /// Name of a file or directory
    file: String,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let tree = context.root.pkgs();
        let mut lines = BTreeSet::new();
        self.search(&tree, &mut Vec::new(), &mut lines);
        if lines.is_empty() {
            bail!("Can't find {}", self.file);
        }
        context.ui.raw(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        Ok(Exit::Success)
    }
}

impl Arguments {
    /// Searches a directory; `parts` are the names from the tree down to it.
    fn search(&self, directory: &Path, parts: &mut Vec<String>, lines: &mut BTreeSet<String>) {
        if parts.len() > MAX_DEPTH {
            return;
        }
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with(STAGING_PREFIX) {
                continue;
            }
            parts.push(name);
            if parts.last() == Some(&self.file) {
                lines.extend(self.line(parts, &entry.path()));
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.search(&entry.path(), parts, lines);
            }
            parts.pop();
        }
    }

    /// The line about a match; `None` outside of packages.
    fn line(&self, parts: &[String], path: &Path) -> Option<String> {
        let length = if self.full_releases { 4 } else { 2 };
        let ident = (parts.len() >= 2).then(|| parts[..parts.len().min(length)].join("/"))?;
        Some(if self.full_paths { format!("{ident}: {}", path.display()) } else { ident })
    }
}
