//! `hab pkg tree`: prints the dependencies of a package as a tree.

use std::collections::BTreeSet;

use roost_ident::PackageIdent;
use roost_pkg::graph::Graph;

use crate::{cli::Run, cmd::installed::InstalledArg, context::Context, exit::Exit};

/// Deepest printed level: dependencies of installed packages may be circular.
const MAX_DEPTH: usize = 64;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print the packages that depend on the package instead
    #[arg(short = 'r', long)]
    reverse: bool,
    #[command(flatten)]
    package: InstalledArg,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let ident = self.package.resolve(context)?.ident;
        let graph = Graph::read(&context.root)?;
        let mut tree =
            Tree { graph, reverse: self.reverse, shown: BTreeSet::new(), text: String::new() };
        tree.text = format!("{ident}\n");
        tree.below(&ident, "", 0);
        context.ui.block(&tree.text);
        Ok(Exit::Success)
    }
}

struct Tree {
    graph: Graph,
    reverse: bool,
    /// Packages whose own dependencies were already printed.
    shown: BTreeSet<PackageIdent>,
    text: String,
}

impl Tree {
    fn below(&mut self, ident: &PackageIdent, indent: &str, depth: usize) {
        let next = if self.reverse {
            self.graph.dependents(ident)
        } else {
            self.graph.dependencies(ident).to_vec()
        };
        for (at, one) in next.iter().enumerate() {
            let is_last = at + 1 == next.len();
            let (branch, deeper) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let seen = !self.shown.insert(one.clone());
            let note = if !self.graph.contains(one) {
                " (not installed)"
            } else if seen && !self.graph.dependencies(one).is_empty() {
                " (see above)"
            } else {
                ""
            };
            self.text.push_str(&format!("{indent}{branch}{one}{note}\n"));
            if !seen && depth < MAX_DEPTH {
                self.below(one, &format!("{indent}{deeper}"), depth + 1);
            }
        }
    }
}
