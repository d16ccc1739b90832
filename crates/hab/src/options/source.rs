//! Source of a service: an installed package, or a plain directory.

use std::{
    env, fs,
    io::{self, Read as _},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use roost_ident::PackageIdent;
use roost_pkg::FsRoot;

/// Something to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// An installed package.
    Ident(PackageIdent),
    /// A plain directory.
    Directory(PathBuf),
}

/// Suffix of package archives.
const ARCHIVE_SUFFIX: &str = ".hart";

impl Source {
    /// Reads the user's text. An explicit path (`.`, `./web`, `../web`, `/srv/web`) is a directory.
    /// `examples/web` may be either: the package if one with that name is installed, else the
    /// directory if it exists, else the package.
    ///
    /// # Errors
    /// For archives, and for text that is neither a directory nor an identifier.
    pub(crate) fn parse(text: &str, root: &FsRoot) -> Result<Self, String> {
        let path = Path::new(text);
        let is_path = text.starts_with('/') || text.split('/').next().is_some_and(is_dots);
        let ident = text.parse::<PackageIdent>().and_then(PackageIdent::validate);
        if text.ends_with(ARCHIVE_SUFFIX) || path.is_file() {
            return Err(if is_archive(path) {
                format!(
                    "{text}: install the archive (hab pkg install {text}) and name its package here"
                )
            } else if path.is_file() {
                not_an_archive(path)
            } else {
                format!("File not found at: {text}")
            });
        }
        match ident {
            Ok(ident) if !is_path && (root.pkg_path(&ident).is_dir() || !path.is_dir()) => {
                Ok(Self::Ident(ident))
            }
            _ if path.is_dir() => {
                absolute(path).map(Self::Directory).map_err(|error| format!("{text}: {error}"))
            }
            // A directory that was loaded before and is gone affects only its service.
            _ if is_path && is_followed(path, root) => {
                absolute(path).map(Self::Directory).map_err(|error| format!("{text}: {error}"))
            }
            _ if is_path => Err(format!("Directory not found at: {text}")),
            Err(error) => Err(error.to_string()),
            Ok(ident) => Ok(Self::Ident(ident)),
        }
    }
}

/// The absolute path, with links as the user named them: after entering a directory through a link,
/// the shell knows the name of the link.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    let logical = env::var_os("PWD").map(PathBuf::from).filter(|pwd| {
        let same = |at: &Path| fs::metadata(at).map(|found| (found.dev(), found.ino())).ok();
        pwd.is_absolute() && same(pwd).is_some() && same(pwd) == same(Path::new("."))
    });
    match logical {
        Some(pwd) if path.is_relative() => std::path::absolute(pwd.join(path)),
        _ => std::path::absolute(path),
    }
}

fn is_followed(path: &Path, root: &FsRoot) -> bool {
    let (known, _) = roost_pkg::followed::read_all(root);
    absolute(path).is_ok_and(|path| known.iter().any(|known| known.path == path))
}

/// First line of every package archive.
const ARCHIVE_MAGIC: &[u8] = b"HART-1\n";

fn is_archive(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut start = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(ARCHIVE_MAGIC.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == ARCHIVE_MAGIC
}

/// A file that is not a package: most often it belongs to the intended directory.
fn not_an_archive(path: &Path) -> String {
    let shown = path.display();
    let beside = path.ancestors().skip(1).find(|directory| directory.join("hooks/run").is_file());
    let instead = match beside {
        Some(directory) if directory.as_os_str().is_empty() => "give its directory: .".into(),
        Some(directory) => format!("give its directory: {}", directory.display()),
        None => "give a package identifier, or a directory with hooks/run".to_owned(),
    };
    format!("{shown} is a file and not a package archive; {instead}")
}

fn is_dots(part: &str) -> bool {
    part == "." || part == ".."
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_is_used_unless_such_a_package_is_installed() {
        let place = tempfile::tempdir().expect("a directory");
        let root = FsRoot::new(place.path().join("root")).expect("absolute");
        let web = place.path().join("web");
        fs::create_dir(&web).expect("a directory");
        let text = web.to_str().expect("text");
        assert_eq!(Source::parse(text, &root), Ok(Source::Directory(web.clone())));
        let ident = PackageIdent::new("acme", "web", None, None);
        assert_eq!(Source::parse("acme/web", &root), Ok(Source::Ident(ident)));
        // The sources of this crate, relative to the working directory of its tests.
        assert!(matches!(Source::parse("src/cmd", &root), Ok(Source::Directory(_))));
        fs::create_dir_all(root.pkg_path(&PackageIdent::new("src", "cmd", None, None)))
            .expect("a package");
        assert!(matches!(Source::parse("src/cmd", &root), Ok(Source::Ident(_))));
        assert!(matches!(Source::parse("./src/cmd", &root), Ok(Source::Directory(_))));
    }

    #[test]
    fn other_text_is_refused_with_the_reason() {
        let root = FsRoot::new("/nonexistent".into()).expect("absolute");
        let error = |text| Source::parse(text, &root).expect_err(text);
        assert_eq!(
            error("a-b-1-2-x86_64-linux.hart"),
            "File not found at: a-b-1-2-x86_64-linux.hart"
        );
        assert_eq!(error("./none"), "Directory not found at: ./none");
        assert!(error("noslash").starts_with("Invalid package identifier: \"noslash\"."));
        assert_eq!(
            error("Cargo.toml"),
            "Cargo.toml is a file and not a package archive; give a package identifier, or a \
             directory with hooks/run"
        );
        let place = tempfile::tempdir().expect("a directory");
        fs::create_dir(place.path().join("hooks")).expect("a directory");
        let run = place.path().join("hooks/run");
        fs::write(&run, "#!/bin/sh\n").expect("written");
        let text = error(run.to_str().expect("text"));
        assert!(text.ends_with(&format!("give its directory: {}", place.path().display())));
        let archive = place.path().join("x.hart");
        fs::write(&archive, "HART-1\nrest").expect("written");
        assert!(error(archive.to_str().expect("text")).contains("hab pkg install"));
    }
}
