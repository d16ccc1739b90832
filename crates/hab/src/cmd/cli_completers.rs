//! `hab cli completers`: completion scripts.

use anyhow::Context as _;
use clap_complete::{Shell, env::Shells};

use crate::{cli::Run, context::Context, exit::Exit};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name of the shell
    #[arg(short = 's', long, value_enum)]
    shell: Shell,
}

/// As a file on `fpath` the script is the function `_hab`, whose first call must complete as well.
const ZSH_FIRST_CALL: &str = "\
if [[ ${funcstack[1]} == _hab ]]; then
    _clap_dynamic_completer_hab \"$@\"
fi
";

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        // The script calls the program for each key press, so candidates are current.
        let name = self.shell.to_string();
        let shells = Shells::builtins();
        let shell = shells.completer(&name).with_context(|| format!("{name} is not supported"))?;
        let mut script = Vec::new();
        shell.write_registration("COMPLETE", "hab", "hab", "hab", &mut script)?;
        if self.shell == Shell::Zsh {
            script.extend_from_slice(ZSH_FIRST_CALL.as_bytes());
        }
        context.ui.raw(&String::from_utf8_lossy(&script));
        Ok(Exit::Success)
    }
}
