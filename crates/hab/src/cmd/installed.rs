//! The argument of commands that look at one installed package.

use roost_ident::PackageIdent;
use roost_pkg::{
    Installed,
    install::{self, ResolveError},
};

use crate::{cmd::payload::parse_ident, complete, context::Context};

/// The package.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InstalledArg {
    /// A package identifier (core/redis, core/busybox-static/1.42.2)
    #[arg(value_parser = parse_ident, add = complete::packages())]
    pkg_ident: PackageIdent,
}

impl InstalledArg {
    /// The release that it means: the newest that matches.
    pub(crate) fn resolve(&self, context: &Context) -> Result<Installed, ResolveError> {
        install::resolve(&context.root, &self.pkg_ident)
    }
}
