//! The service directory and the files in it, seen from outside.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use roost_ident::Hook;
use roost_pkg::{
    dirs::prepare,
    user::{Credentials, capable},
    write::{Change, Rendered, write_atomic, write_rendered},
};

use crate::support::{Root, write};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn directories_have_the_recorded_modes() {
    let root = Root::new();
    let svc = root.fs.svc("full");
    prepare(&svc, None).unwrap();
    for dir in [svc.root.clone(), svc.hooks(), svc.logs(), root.fs.svc_root()] {
        assert_eq!(mode(&dir), 0o755, "{}", dir.display());
    }
    let theirs =
        [svc.config(), svc.config_install(), svc.data(), svc.files(), svc.var(), svc.static_()];
    for dir in theirs {
        assert_eq!(mode(&dir), 0o770, "{}", dir.display());
    }
    assert_eq!(fs::read_dir(&svc.root).unwrap().count(), 8, "nothing else is left behind");
}

#[test]
fn our_directories_are_opened_again_and_theirs_left_alone() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    prepare(&svc, None).unwrap();
    for dir in [&root.fs.svc_root(), &svc.root, &svc.logs(), &svc.data()] {
        chmod(dir, 0o700);
    }
    chmod(&root.fs.path().join("hab"), 0o711);
    prepare(&svc, None).unwrap();
    assert_eq!(mode(&root.fs.svc_root()), 0o755);
    assert_eq!(mode(&svc.root), 0o755);
    assert_eq!(mode(&svc.logs()), 0o755);
    assert_eq!(mode(&svc.data()), 0o700);
    assert_eq!(mode(&root.fs.path().join("hab")), 0o711, "not above the tree of services");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    write(&svc.var(), "in the way");
    let error = prepare(&svc, None).unwrap_err();
    assert_eq!(error.dir, svc.var());
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("Can't create directory {}: ", svc.var().display())),
        "{text}"
    );
}

#[test]
fn the_services_directories_and_files_get_their_owner() {
    if !capable() {
        eprintln!("skipped: this process may not give files away");
        return;
    }
    let owner = Credentials { uid: 4711, gid: 4712, groups: vec![4712] };
    let root = Root::new();
    let svc = root.fs.svc("n");
    prepare(&svc, Some(&owner)).unwrap();
    let config = Rendered::Config("sub/a.conf");
    for file in [config, Rendered::File("f"), Rendered::Hook(Hook::Run), Rendered::Run] {
        write_rendered(&svc, file, b"x", Some(&owner)).unwrap();
    }
    let theirs = [svc.data(), svc.config(), svc.config().join("sub"), config.path(&svc)];
    for path in theirs.iter().chain([&svc.files().join("f")]) {
        let found = fs::metadata(path).unwrap();
        assert_eq!((found.uid(), found.gid()), (4711, 4712), "{}", path.display());
    }
    for path in [svc.root.clone(), svc.hooks(), svc.run(), svc.hook(Hook::Run)] {
        assert_eq!(fs::metadata(&path).unwrap().uid(), 0, "{}", path.display());
    }
}

#[test]
fn rendered_files_are_written_only_when_they_differ() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    let file = Rendered::Config("a/b.conf");
    let path = file.path(&svc);
    assert_eq!(write_rendered(&svc, file, b"one", None).unwrap(), Change::Created);
    assert_eq!((mode(&path), mode(&svc.config().join("a"))), (0o740, 0o770));
    let inode = fs::metadata(&path).unwrap().ino();
    chmod(&path, 0o600);
    assert_eq!(write_rendered(&svc, file, b"one", None).unwrap(), Change::Unchanged);
    assert_eq!((mode(&path), fs::metadata(&path).unwrap().ino()), (0o600, inode));
    assert_eq!(write_rendered(&svc, file, b"two", None).unwrap(), Change::Modified);
    assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o740, b"two".to_vec()));
    fs::remove_dir_all(svc.config()).unwrap();
    assert_eq!(write_rendered(&svc, file, b"two", None).unwrap(), Change::Created);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file");
}

#[test]
fn each_kind_of_file_has_its_mode() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    for (file, path, expected) in [
        (Rendered::Hook(Hook::HealthCheck), "hooks/health-check", 0o755),
        (Rendered::Run, "run", 0o755),
        (Rendered::File("f"), "files/f", 0o640),
        (Rendered::ConfigInstall("x"), "config_install/x", 0o740),
    ] {
        assert_eq!(write_rendered(&svc, file, b"x", None).unwrap(), Change::Created);
        assert_eq!(file.path(&svc), svc.root.join(path));
        assert_eq!(mode(&svc.root.join(path)), expected, "{path}");
    }
    assert_eq!((mode(&svc.hooks()), mode(&svc.files())), (0o755, 0o770));
}

#[test]
fn links_that_a_service_makes_lead_nowhere() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    prepare(&svc, None).unwrap();
    let target = root.beside("target");
    write(&target.join("file"), "theirs");
    symlink(&target, svc.config().join("sub")).unwrap();
    symlink(target.join("file"), svc.config().join("a")).unwrap();
    let error = write_rendered(&svc, Rendered::Config("sub/x"), b"x", None).unwrap_err();
    assert!(error.to_string().contains("sub on the path is not a directory; remove it"), "{error}");
    assert!(!target.join("x").exists());
    // A link in place of the file is replaced, even if the content behind it is the same.
    let change = write_rendered(&svc, Rendered::Config("a"), b"theirs", None).unwrap();
    assert_eq!(change, Change::Modified);
    assert!(fs::symlink_metadata(svc.config().join("a")).unwrap().is_file());
    for climbing in ["../x", "/etc/x", "a/../../x", ""] {
        let written = write_rendered(&svc, Rendered::Config(climbing), b"x", None);
        assert!(written.is_err(), "{climbing}");
    }
}

#[test]
fn the_operators_own_link_to_a_directory_is_followed() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    let target = root.beside("disk");
    fs::create_dir_all(&svc.root).unwrap();
    symlink(&target, svc.config()).unwrap();
    prepare(&svc, None).unwrap();
    write_rendered(&svc, Rendered::Config("a"), b"x", None).unwrap();
    assert!(target.join("a").is_file());
}

#[test]
fn something_else_in_place_of_a_file_is_replaced_or_refused() {
    let root = Root::new();
    let svc = root.fs.svc("n");
    write(&svc.config().join("dir/x"), "");
    assert!(write_rendered(&svc, Rendered::Config("dir"), b"x", None).is_err());
    assert_eq!(fs::read_dir(svc.config()).unwrap().count(), 1, "no temporary file");
}

#[test]
fn state_files_are_replaced_with_their_mode() {
    let root = Root::new();
    let dir = root.beside("state");
    let path = dir.join("x.spec");
    write_atomic(&path, b"one", 0o600).unwrap();
    write_atomic(&path, b"two", 0o644).unwrap();
    assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o644, b"two".to_vec()));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no temporary file");
    assert!(write_atomic(&dir.join("no/x"), b"", 0o600).is_err());
    assert!(write_atomic(Path::new("/"), b"", 0o600).is_err());
}
