//! Links to programs of packages, for the shells of users (reference: packages §12.5).

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail};
use roost_ident::PackageIdent;
use roost_pkg::{
    install::{self, Installed},
    metafile::{self, MAX_METAFILE_BYTES},
    read::read_text,
};

use crate::{
    context::{Context, variable},
    ui::Verb,
};

/// Default directory of links.
pub(crate) const DEFAULT_DIRECTORY: &str = "/bin";

/// Directory of links: the given one, that of the environment, or the default.
pub(crate) fn directory(given: Option<PathBuf>) -> PathBuf {
    let from_env = || variable("HAB_BINLINK_DIR").map(PathBuf::from);
    given.or_else(from_env).unwrap_or_else(|| DEFAULT_DIRECTORY.into())
}

/// Links programs of one package.
pub(crate) struct Binlinks<'a> {
    context: &'a Context,
    /// The identifier as the user wrote it.
    shown: &'a PackageIdent,
    package: Installed,
    /// Directories of its programs, as the package names them.
    path: Vec<String>,
    /// Directory of links, including the root.
    destination: PathBuf,
    force: bool,
}

impl<'a> Binlinks<'a> {
    /// Links for the release that an identifier resolves to.
    ///
    /// # Errors
    /// When it is not installed, or the directory of links is relative.
    pub(crate) fn new(
        context: &'a Context,
        ident: &'a PackageIdent,
        directory: &Path,
        force: bool,
    ) -> anyhow::Result<Self> {
        let Ok(relative) = directory.strip_prefix("/") else { bail!("prefix not found") };
        let package = install::resolve(&context.root, ident)?;
        let text = read_text(&package.path.join("PATH"), MAX_METAFILE_BYTES)?;
        let path = metafile::parse_path(&text.unwrap_or_default(), &package.ident);
        let destination = context.root.path().join(relative);
        Ok(Self { context, shown: ident, package, path, destination, force })
    }

    /// Links every program.
    pub(crate) fn all(&self) -> anyhow::Result<()> {
        for directory in &self.path {
            for entry in fs::read_dir(self.real(directory))? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    continue;
                }
                let name = entry.file_name().into_string();
                let name = name.map_err(|name| {
                    anyhow::anyhow!("'{}' cannot name a link: it is not UTF-8", name.display())
                })?;
                self.one(&name)?;
            }
        }
        Ok(())
    }

    /// Links one program.
    pub(crate) fn one(&self, name: &str) -> anyhow::Result<()> {
        let ui = &self.context.ui;
        let destination = self.destination.display();
        ui.begin(&format!("Binlinking {name} from {} into {destination}", self.shown));
        let plain = Path::new(name).components().eq([Component::Normal(name.as_ref())]);
        let target = self.path.iter().map(|directory| Path::new(directory).join(name));
        let mut found = target.filter(|target| self.real_file(target).is_file());
        let Some(target) = found.next().filter(|_| plain) else {
            let ident = &self.package.ident;
            bail!("`{name}' was not found under any 'PATH' directories in the {ident} package");
        };
        if !self.destination.is_dir() {
            ui.status(Verb::Creating, &format!("parent directory {destination}"));
            fs::create_dir_all(&self.destination)?;
        }
        let link = self.destination.join(name);
        match fs::read_link(&link) {
            Ok(existing) if existing == target => {}
            Ok(_) if !self.force => {
                let shown = link.display();
                ui.warn(&format!(
                    "Skipping binlink because {name} already exists at {shown}. Use --force to \
                     overwrite"
                ));
                return Ok(());
            }
            Ok(_) => replace(&target, &link)?,
            // Nothing exists there, or a file that stays.
            Err(_) => symlink(&target, &link).with_context(|| link.display().to_string())?,
        }
        let ident = &self.package.ident;
        ui.end(&format!("Binlinked {name} from {ident} to {}", link.display()));
        Ok(())
    }

    /// A path of the package, including the root.
    fn real(&self, logical: &str) -> PathBuf {
        self.real_file(Path::new(logical))
    }

    fn real_file(&self, logical: &Path) -> PathBuf {
        let relative = logical.strip_prefix("/").unwrap_or(logical);
        self.context.root.path().join(relative)
    }
}

/// Replaces a link atomically: it always points to the old program or the new one.
fn replace(target: &Path, link: &Path) -> io::Result<()> {
    let name = link.file_name().unwrap_or_default().to_string_lossy();
    let temporary = link.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temporary);
    symlink(target, &temporary)?;
    fs::rename(&temporary, link)
}
