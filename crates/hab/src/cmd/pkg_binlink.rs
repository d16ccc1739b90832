//! `hab pkg binlink`

use std::path::PathBuf;

use roost_ident::PackageIdent;

use crate::{
    cli::Run,
    cmd::{
        binlinks::{self, Binlinks},
        payload::parse_ident,
    },
    complete,
    context::Context,
    exit::Exit,
};

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory of the links [env: HAB_BINLINK_DIR] [default: /bin]
    #[arg(short = 'd', long = "dest", value_name = "DEST_DIR")]
    dest: Option<PathBuf>,
    /// Overwrite links with another target
    #[arg(short = 'f', long)]
    force: bool,
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident, add = complete::packages())]
    pkg_ident: PackageIdent,
    /// The program to link [default: all programs of the package]
    binary: Option<String>,
}

impl Run for Arguments {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let directory = binlinks::directory(self.dest);
        let links = Binlinks::new(context, &self.pkg_ident, &directory, self.force)?;
        match &self.binary {
            Some(name) => links.one(name)?,
            None => links.all()?,
        }
        Ok(Exit::Success)
    }
}
