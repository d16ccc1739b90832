//! `hab pkg exec`: runs a command in the environment of a package.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use crate::{
    cli::Run,
    cmd::{installed::InstalledArg, pkg_env::environment},
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    package: InstalledArg,
    /// The command, from PATH of the package and of this process, and its arguments; hab does not
    /// interpret options among them
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let own = environment(context, self.package.resolve(context)?)?;
        let inherited = env::var_os("PATH");
        let path = match (own.get("PATH"), inherited) {
            (Some(own), Some(rest)) => {
                let mut path = OsString::from(own);
                path.push(":");
                path.push(rest);
                Some(path)
            }
            (Some(own), None) => Some(own.into()),
            (None, inherited) => inherited,
        };
        let Some((name, arguments)) = self.command.split_first() else {
            bail!("no command is given");
        };
        let Some(program) = find(name, path.as_deref()) else {
            let shown = Path::new(name).display();
            bail!("`{shown}' was not found on the filesystem or in PATH");
        };
        let mut command = Command::new(program);
        command.arg0(name).args(arguments).envs(&own);
        if let Some(path) = path {
            command.env("PATH", path);
        }
        // Returns only on failure.
        Err(command.exec().into())
    }
}

/// An absolute path is used as is; anything else is searched in `path`, even with slashes.
fn find(name: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    let name = Path::new(name);
    if name.is_absolute() {
        return name.exists().then(|| name.into());
    }
    let places = path.map(|path| env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    places.into_iter().map(|place| place.join(name)).find(|candidate| candidate.is_file())
}
