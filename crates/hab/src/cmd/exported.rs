//! What an export takes along: the packages that are named, with everything they depend on.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use roost_ident::PackageIdent;
use roost_pkg::{
    FsRoot, Installed, Package, graph,
    image::Member,
    install,
    setup::{LocalArchive, Step, Wanted},
    staging,
};

use crate::{cmd::pkg_install, context::Context, ui::Verb};

/// Packages to export.
pub(crate) struct Exported {
    /// The first that is named.
    pub(crate) ident: PackageIdent,
    /// What the export makes.
    pub(crate) output: PathBuf,
    /// All of them, with everything they depend on.
    pub(crate) members: Vec<Member>,
    roots: Roots,
}

impl Exported {
    /// Finds installed packages, and unpacks archives for the time of the export; shows what is
    /// taken along. Without an output that is named it is one of this ending, named after the
    /// first package.
    pub(crate) fn gather(
        context: &Context,
        texts: &[String],
        output: Option<&Path>,
        ending: &str,
    ) -> anyhow::Result<Self> {
        let named = texts.iter().map(|text| Named::read(context, text));
        let named = named.collect::<anyhow::Result<Vec<_>>>()?;
        let ident = named.first().context("no package is named")?.ident().clone();
        let default = || format!("{}.{ending}", ident.to_string().replace('/', "-")).into();
        let output = output.map_or_else(default, Path::to_owned);
        context.ui.begin(&format!("Exporting {ident}"));
        let mut roots = Roots { installed: context.root.clone(), unpacked: None };
        let mut members: Vec<Member> = Vec::new();
        for one in named {
            if let Named::Archive(local) = &one {
                roots.unpack(context, local, &output)?;
            }
            let needed = graph::all(roots.of(one.ident()), one.ident())?;
            for ident in std::iter::once(one.ident()).chain(&needed) {
                if members.iter().all(|known| known.ident != *ident) {
                    let Installed { ident, path } = roots.find(ident)?;
                    members.push(Member { ident, path });
                }
            }
        }
        for member in &members {
            context.ui.status(Verb::Using, &member.ident.to_string());
        }
        Ok(Self { ident, output, members, roots })
    }

    /// What the metafiles of the first package hold.
    pub(crate) fn package(&self) -> anyhow::Result<Package> {
        Ok(Package::load(self.roots.of(&self.ident), self.ident.clone())?)
    }
}

/// A package as the user named it.
enum Named {
    Installed(PackageIdent),
    Archive(LocalArchive),
}

impl Named {
    fn read(context: &Context, text: &str) -> anyhow::Result<Self> {
        Ok(match pkg_install::parse_source(text).map_err(anyhow::Error::msg)? {
            Wanted::Archive(local) => Self::Archive(local),
            Wanted::Ident(ident) => Self::Installed(install::resolve(&context.root, &ident)?.ident),
        })
    }

    fn ident(&self) -> &PackageIdent {
        match self {
            Self::Installed(ident) | Self::Archive(LocalArchive { ident, .. }) => ident,
        }
    }
}

/// Where the packages are.
struct Roots {
    installed: FsRoot,
    unpacked: Option<Scratch>,
}

impl Roots {
    /// Unpacks an archive, and what it depends on and is not installed.
    fn unpack(
        &mut self,
        context: &Context,
        local: &LocalArchive,
        output: &Path,
    ) -> anyhow::Result<()> {
        let scratch = match self.unpacked.take() {
            Some(scratch) => scratch,
            None => Scratch::beside(output)?,
        };
        let scratch = self.unpacked.insert(scratch);
        let setup = context.setup(&scratch.0, Some(&self.installed));
        setup.install(&Wanted::Archive(local.clone()), &mut |step| {
            if let Step::Verifying(ident) = step {
                context.ui.status(Verb::Verifying, &ident.to_string());
            }
        })?;
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &FsRoot> {
        let unpacked = self.unpacked.iter().map(|scratch| &scratch.0);
        std::iter::once(&self.installed).chain(unpacked)
    }

    /// The root in which a release is.
    fn of(&self, ident: &PackageIdent) -> &FsRoot {
        let found = self.all().find(|root| install::resolve(root, ident).is_ok());
        found.unwrap_or(&self.installed)
    }

    fn find(&self, ident: &PackageIdent) -> Result<Installed, install::ResolveError> {
        install::resolve(self.of(ident), ident)
    }
}

/// A root that is removed again.
struct Scratch(FsRoot);

impl Scratch {
    /// Beside the output, where there must be room for as much.
    fn beside(output: &Path) -> anyhow::Result<Self> {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let path = output.with_file_name(format!(".{name}.{}.packages", std::process::id()));
        let path = std::path::absolute(path)?;
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot unpack into {}", path.display()))?;
        Ok(Self(FsRoot::new(path).context("no absolute path")?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Beside the output, by a name that says what it is.
        let _ = staging::remove_tree(self.0.path());
    }
}
