//! Facts of packages and service directories.

use std::{fs, path::Path, sync::LazyLock};

use roost_ident::PackageIdent;
use roost_pkg::{
    FsRoot, Package, metafile,
    stage::{StageError, StageOptions, stage_directory},
};

/// Parses the text as each metafile.
pub fn metafile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let last = text.lines().count().max(1);
    let line = |fault: metafile::Fault| {
        assert!((1..=last).contains(&fault.line), "line {} of {last}", fault.line);
        assert!(!fault.problem.is_empty());
    };
    if let Ok(idents) = metafile::parse_idents(&text).map_err(line) {
        assert!(idents.iter().all(|(at, ident)| *at <= last && ident.is_fully_qualified()));
    }
    drop(metafile::parse_binds(&text).map_err(line));
    drop(metafile::parse_pairs(&text, "key=value").map_err(line));
    assert!(metafile::parse_exposes(&text).iter().all(|word| !word.is_empty()));
    let ident = PackageIdent::new("acme", "web", Some("1.0.0"), Some("20250101000000"));
    let path = metafile::parse_path(&text, &ident);
    assert!(path.iter().all(|entry| entry.starts_with("/hab/pkgs/acme/web/")));
    let _ = metafile::parse_type(&text).map_err(line);
    let _ = metafile::parse_signal(&text).map_err(line);
    let _ = metafile::parse_timeout_s(&text).map_err(line);
    let _ = metafile::parse_hook_status(&text).map_err(line);
}

/// Directory for staging: in memory if the system has such a file system.
pub(crate) static SCRATCH: LazyLock<&Path> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
});

/// Stages a directory with the three texts as `plan.sh`, `roost.toml` and `default.toml`; the
/// resulting release must be readable.
pub fn service_directory(data: &[u8]) {
    let texts: [String; 3] = crate::pieces::texts(data);
    let scratch = tempfile::tempdir_in(*SCRATCH).expect("a place to write");
    let dir = scratch.path().join("app");
    fs::create_dir_all(dir.join("hooks")).expect("a new directory");
    for (name, text) in ["plan.sh", "roost.toml", "default.toml"].iter().zip(&texts) {
        if !text.is_empty() {
            fs::write(dir.join(name), text).expect("written");
        }
    }
    let root = FsRoot::new(scratch.path().join("root")).expect("an absolute path");
    let options = StageOptions::default();
    // Without `hooks/run` most inputs end here, before anything is written.
    match stage_directory(&root, &dir, &options) {
        Ok(staged) => check(&root, staged.ident),
        Err(StageError::NotAService(_)) => {
            fs::write(dir.join("hooks/run"), "exec sleep 1\n").expect("written");
            match stage_directory(&root, &dir, &options) {
                Ok(staged) => check(&root, staged.ident),
                Err(error) => explain(&error),
            }
        }
        Err(error) => explain(&error),
    }
}

fn check(root: &FsRoot, ident: PackageIdent) {
    assert!(root.pkg_path(&ident).starts_with(root.pkgs()), "{ident}");
    Package::load(root, ident).expect("what was staged can be read");
}

fn explain(error: &StageError) {
    assert!(!error.to_string().is_empty());
    // Every fault of a text is reported as such, not as a system error.
    assert!(!matches!(error, StageError::Io { .. }), "{error}");
}
