//! `hab sup bash` and `hab sup sh`: a shell with the interpreter package first in `PATH`.

use std::{env, ffi::OsString, os::unix::process::CommandExt, process::Command};

use anyhow::anyhow;
use roost_launch::line::{Line, SUPERVISOR, Style};
use roost_logs::Stream;

use crate::{
    cli::Run,
    context::{Context, variable},
    exit::Exit,
    options::run_config::interpreter,
};

/// Arguments of `hab sup bash`.
#[derive(Debug, clap::Args)]
pub(crate) struct Bash {}

/// Arguments of `hab sup sh`.
#[derive(Debug, clap::Args)]
pub(crate) struct Sh {}

impl Run for Bash {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        Err(replace_by(context, "bash", "Starting your bashlike shell; enjoy!"))
    }
}

impl Run for Sh {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        Err(replace_by(context, "sh", "Starting your bourne shell; enjoy!"))
    }
}

/// Becomes the shell; returns only on failure.
fn replace_by(context: &Context, shell: &str, greeting: &str) -> anyhow::Error {
    let path = match search_path(context) {
        Ok(path) => path,
        Err(error) => return error,
    };
    let style = Style::choose(false, false, false, variable).of_output(Stream::Stdout);
    context.ui.raw(&Line::new(SUPERVISOR, "SH", greeting).format(style));
    let error = Command::new(shell).env("PATH", path).exec();
    anyhow!("cannot start {shell}: {error}")
}

/// The directories of the interpreter package, if it is installed, before those of `PATH`.
fn search_path(context: &Context) -> anyhow::Result<OsString> {
    let own = env::var_os("PATH").unwrap_or_default();
    let wanted = interpreter()?;
    let Ok(installed) = roost_pkg::install::resolve(&context.root, &wanted) else {
        return Ok(own);
    };
    let directories = [installed.path.join("bin")];
    let directories = directories.into_iter().filter(|directory| directory.is_dir());
    Ok(env::join_paths(directories.chain(env::split_paths(&own)))?)
}
