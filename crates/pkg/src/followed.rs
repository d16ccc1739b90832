//! The plain directories that a Supervisor follows: one small file per service, so that the next
//! Supervisor follows them too, even after a reboot.

use std::{
    fs,
    path::{Path, PathBuf},
};

use roost_ident::PackageIdent;
use serde::{Deserialize, Serialize};

use crate::{
    read::read_text,
    root::FsRoot,
    stage::{Pinned, Rights, Staged},
};

/// Largest file in bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// A plain directory, and the properties that an operator agreed to by loading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// The directory, as the operator named it.
    pub path: PathBuf,
    /// Origin of the package.
    pub origin: String,
    /// Name of the package and the service.
    pub name: String,
    /// The user that the directory names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group that the directory names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The release that the directory was last staged as; stored in a separate file.
    #[serde(skip)]
    pub release: Option<PackageIdent>,
}

impl Followed {
    /// A directory as staged when an operator loaded it.
    #[must_use]
    pub fn new(path: &Path, staged: &Staged) -> Self {
        let Rights { user, group } = staged.rights.clone();
        let (origin, name) = (staged.ident.origin.clone(), staged.ident.name.clone());
        let release = Some(staged.ident.clone());
        Self { path: path.to_owned(), origin, name, user, group, release }
    }

    /// Properties that the directory cannot change without the operator.
    #[must_use]
    pub fn pinned(&self) -> Pinned {
        Pinned {
            origin: self.origin.clone(),
            name: self.name.clone(),
            rights: Rights { user: self.user.clone(), group: self.group.clone() },
        }
    }

    /// Content of its file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // A path that is not UTF-8 cannot be staged, as it gives no valid name.
        toml::to_string(self).unwrap_or_default()
    }
}

/// Path of a service's file.
#[must_use]
pub fn file(root: &FsRoot, service: &str) -> PathBuf {
    root.sup().directories().join(format!("{service}.toml"))
}

/// Path of the file with the release of a service's directory.
#[must_use]
pub fn release_file(root: &FsRoot, service: &str) -> PathBuf {
    root.sup().directories().join(format!("{service}.release"))
}

/// All followed directories by service name, and a line for each unusable file.
#[must_use]
pub fn read_all(root: &FsRoot) -> (Vec<Followed>, Vec<String>) {
    let (mut found, mut complaints) = (Vec::new(), Vec::new());
    let entries = fs::read_dir(root.sup().directories()).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    for path in paths {
        match read(&path) {
            Ok(None) => {}
            Ok(Some(mut followed)) => {
                let text = read_text(&release_file(root, &followed.name), BYTES_MAX);
                let release = text.ok().flatten().and_then(|text| text.trim().parse().ok());
                followed.release = release.filter(|release: &PackageIdent| {
                    release.origin == followed.origin && release.name == followed.name
                });
                found.push(followed);
            }
            Err(problem) => complaints.push(format!(
                "{}: {problem}; the service does not follow its directory until \
                 it is loaded again: hab svc load --force DIRECTORY",
                path.display()
            )),
        }
    }
    (found, complaints)
}

fn read(path: &Path) -> Result<Option<Followed>, String> {
    let Some(text) = read_text(path, BYTES_MAX).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let followed: Followed =
        toml::from_str(&text).map_err(|error| error.message().replace('\n', "; "))?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match followed.name == name && followed.path.is_absolute() {
        true => Ok(Some(followed)),
        false => Err("its content does not match its name".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = FsRoot::new(dir.path().into()).unwrap();
        assert_eq!(read_all(&root), (vec![], vec![]));
        let followed = Followed {
            path: "/srv/a \"b\"".into(),
            origin: "local".into(),
            name: "web".into(),
            user: Some("nobody".into()),
            group: None,
            release: "local/web/0.1.0/20260101000000".parse().ok(),
        };
        assert!(followed.release.is_some());
        fs::create_dir_all(root.sup().directories()).unwrap();
        fs::write(file(&root, "web"), followed.to_toml()).unwrap();
        fs::write(release_file(&root, "web"), "local/web/0.1.0/20260101000000\n").unwrap();
        fs::write(file(&root, "other"), followed.to_toml()).unwrap();
        fs::write(file(&root, "zeros"), [0; 100]).unwrap();
        fs::write(root.sup().directories().join("x.tmp"), "").unwrap();
        let (found, complaints) = read_all(&root);
        assert_eq!(found, [followed]);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[0].contains("other.toml: its content does not match its name"));
    }
}
