//! Temporary roots with packages from literals.

use std::{fs, path::Path};

use roost_ident::{PackageIdent, PackageTarget};
use roost_pkg::FsRoot;

pub(crate) struct Root {
    _dir: tempfile::TempDir,
    pub(crate) fs: FsRoot,
}

pub(crate) fn ident(text: &str) -> PackageIdent {
    text.parse().expect(text)
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
    fs::write(path, content).expect("file");
}

impl Root {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let fs = FsRoot::new(dir.path().join("root")).expect("absolute");
        Self { _dir: dir, fs }
    }

    /// A directory beside the root.
    pub(crate) fn beside(&self, name: &str) -> std::path::PathBuf {
        let path = self.fs.path().with_file_name(name);
        fs::create_dir_all(&path).expect("directory");
        path
    }

    /// Installs a package: `TARGET` and these files.
    pub(crate) fn install(&self, package: &str, files: &[(&str, &str)]) -> PackageIdent {
        let ident = ident(package);
        let dir = self.fs.pkg_path(&ident);
        write(&dir.join("TARGET"), format!("{}\n", PackageTarget::active()));
        for (name, content) in files {
            write(&dir.join(name), content);
        }
        ident
    }
}
