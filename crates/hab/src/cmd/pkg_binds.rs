//! `hab pkg binds`

use std::io::{self, Write as _};

use roost_pkg::{
    metafile::{self, MAX_METAFILE_BYTES},
    read::read_text,
};

use crate::{cli::Run, cmd::installed::InstalledArg, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    package: InstalledArg,
}

impl Run for Arguments {
    /// Malformed binds are reported on standard error and do not fail the command.
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let package = self.package.resolve(context)?;
        context.ui.info(&format!("Showing binds for {}", package.ident));
        for (kind, file) in [("required", "BINDS"), ("optional", "BINDS_OPTIONAL")] {
            let text = read_text(&package.path.join(file), MAX_METAFILE_BYTES);
            let binds =
                text.ok().and_then(|text| metafile::parse_binds(&text.unwrap_or_default()).ok());
            match binds {
                Some(binds) if binds.is_empty() => context.ui.info(&format!("{kind}: none")),
                Some(binds) => {
                    let shown = |bind: &metafile::PackageBind| {
                        format!("[{}]={}", bind.name, bind.exports.join(" "))
                    };
                    let lines: Vec<_> = binds.iter().map(shown).collect();
                    // The blanks match Habitat's output.
                    context.ui.info(&format!("{kind}:\n    {}", lines.join("    \n")));
                }
                None => {
                    let text = format!("Error while querying {kind} binds for {}", package.ident);
                    let _ = writeln!(io::stderr(), "{text}");
                }
            }
        }
        Ok(Exit::Success)
    }
}
