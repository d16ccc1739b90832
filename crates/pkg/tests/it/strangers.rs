//! Directories that others than root may write. The tests need root.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
};

use roost_pkg::stage::{Pinned, StageOptions, Staged, stage_directory};

use crate::support::{Root, write};

/// The number of `nobody`, which exists everywhere.
const STRANGER: u32 = 65534;

/// A service directory that the stranger owns and whose service runs as `nobody`; `None` when this
/// process is not root.
fn service(root: &Root) -> Option<PathBuf> {
    let dir = root.beside("app");
    if dir.metadata().unwrap().uid() != 0 {
        eprintln!("SKIPPED: this is not root");
        return None;
    }
    // The temporary directory of a test is closed for others.
    fs::set_permissions(dir.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    write(&dir.join("hooks/run"), "#!/bin/sh\n");
    write(&dir.join("roost.toml"), "user = \"nobody\"\n");
    give(&dir);
    Some(dir)
}

/// Gives everything below to the stranger.
fn give(path: &Path) {
    std::os::unix::fs::lchown(path, Some(STRANGER), Some(STRANGER)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

fn stage(root: &Root, dir: &Path, pinned: Option<Pinned>) -> Result<Staged, String> {
    let options = StageOptions { pinned, ..StageOptions::default() };
    stage_directory(&root.fs, dir, &options).map_err(|error| error.to_string())
}

fn pinned(staged: &Staged) -> Option<Pinned> {
    Some(Pinned {
        origin: staged.ident.origin.clone(),
        name: staged.ident.name.clone(),
        rights: staged.rights.clone(),
    })
}

#[test]
fn a_stranger_cannot_read_more_than_before() {
    let root = Root::new();
    let Some(dir) = service(&root) else { return };
    let secret = root.beside("secrets").join("key");
    write(&secret, "of root");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    type Place = fn(&Path, &Path);
    let places: [(&str, Place); 6] = [
        ("hooks/init", |secret, at| symlink(secret, at).unwrap()),
        ("hooks/init", |_, at| symlink("../../secrets/key", at).unwrap()),
        ("default.toml", |secret, at| symlink(secret, at).unwrap()),
        ("run", |secret, at| symlink(secret, at).unwrap()),
        ("plan.sh", |secret, at| symlink(secret, at).unwrap()),
        // The same with a hard link, for those who may create one.
        ("data", |secret, at| fs::hard_link(secret, at).unwrap()),
    ];
    for (name, place) in places {
        let at = dir.join(name);
        if name == "run" {
            fs::remove_file(dir.join("hooks/run")).unwrap();
        }
        place(&secret, &at);
        if at.is_symlink() {
            std::os::unix::fs::lchown(&at, Some(STRANGER), None).unwrap();
        }
        let error = stage(&root, &dir, None).unwrap_err();
        assert!(error.contains("is not read: the user nobody may write"), "{name}: {error}");
        fs::remove_file(&at).unwrap();
        if name == "run" {
            write(&dir.join("hooks/run"), "#!/bin/sh\n");
            chown(dir.join("hooks/run"), Some(STRANGER), None).unwrap();
        }
    }
    // A whole directory, and one named by a link of the stranger's.
    fs::set_permissions(secret.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    symlink(secret.parent().unwrap(), dir.join("config")).unwrap();
    std::os::unix::fs::lchown(dir.join("config"), Some(STRANGER), None).unwrap();
    assert!(stage(&root, &dir, None).unwrap_err().contains("is not read"));
    fs::remove_file(dir.join("config")).unwrap();
    // Links to world-readable files are allowed.
    symlink("/etc/hostname", dir.join("hooks/init")).unwrap();
    assert!(stage(&root, &dir, None).is_ok());
}

#[test]
fn links_of_roots_own_are_followed() {
    let root = Root::new();
    let Some(dir) = service(&root) else { return };
    let own = root.beside("own");
    let secret = root.beside("secrets").join("key");
    write(&secret, "# of root\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    write(&own.join("hooks/run"), "#!/bin/sh\n");
    symlink(&secret, own.join("default.toml")).unwrap();
    assert!(stage(&root, &own, None).is_ok());
    // A directory of root's, named through a link in one of the stranger's.
    fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
    symlink(&own, dir.join("link")).unwrap();
    let error = stage(&root, &dir.join("link"), None).unwrap_err();
    assert!(error.contains("is not read: the user nobody may write"), "{error}");
}

#[test]
fn a_stranger_does_not_change_whom_the_service_runs_as() {
    let root = Root::new();
    let Some(dir) = service(&root) else { return };
    let first = stage(&root, &dir, None).unwrap();
    assert_eq!(first.warnings, [""; 0]);
    let facts = dir.join("roost.toml");
    for text in ["user = \"root\"\n", "", "user = \"nobody\"\ngroup = \"root\"\n"] {
        write(&facts, text);
        let error = stage(&root, &dir, pinned(&first)).unwrap_err();
        assert!(error.contains("instead of nobody:nogroup"), "{error}");
        assert!(error.contains("hab svc load --force"), "{error}");
    }
    for text in ["name = \"other\"\n", "origin = \"core\"\n"] {
        write(&facts, format!("user = \"nobody\"\n{text}"));
        let error = stage(&root, &dir, pinned(&first)).unwrap_err();
        assert!(error.contains("and was loaded as local/app"), "{error}");
    }
    // Everything else may change.
    write(&facts, "user = \"nobody\"\nversion = \"2\"\n");
    write(&dir.join("hooks/run"), "#!/bin/sh\n# two\n");
    assert!(stage(&root, &dir, pinned(&first)).unwrap().changed);
    // A directory that only root may write may change everything but its name.
    chown(&dir, Some(0), Some(0)).unwrap();
    for entry in ["hooks", "hooks/run", "roost.toml"] {
        chown(dir.join(entry), Some(0), Some(0)).unwrap();
    }
    write(&facts, "user = \"root\"\n");
    assert_eq!(stage(&root, &dir, pinned(&first)).unwrap().rights.user.as_deref(), Some("root"));
}

#[test]
fn what_runs_as_root_is_not_changed_by_a_stranger() {
    let root = Root::new();
    let Some(dir) = service(&root) else { return };
    write(&dir.join("roost.toml"), "user = \"root\"\n");
    let first = stage(&root, &dir, None).unwrap();
    assert!(first.warnings[0].contains("runs as root, and the user nobody may write"));
    let pins = pinned(&first);
    assert_eq!(pins.as_ref().unwrap().rights.user.as_deref(), Some("root"));
    assert!(!stage(&root, &dir, pins.clone()).unwrap().changed, "as it was loaded");
    write(&dir.join("hooks/run"), "#!/bin/sh\n# two\n");
    let error = stage(&root, &dir, pins.clone()).unwrap_err();
    assert!(error.contains("a change of its files is not followed"), "{error}");
    assert!(stage(&root, &dir, None).unwrap().changed, "an operator agrees by loading it again");
}
