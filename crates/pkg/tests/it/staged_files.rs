//! Programs and data of plain directories.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use roost_pkg::stage::{StageOptions, Staged, stage_directory, survey};

use crate::support::{Root, write};

fn service(root: &Root, files: &[(&str, &str)]) -> PathBuf {
    let dir = root.beside("app");
    write(&dir.join("hooks/run"), "#!/bin/sh\nexec {{pkg.path}}/bin/server\n");
    for (name, content) in files {
        write(&dir.join(name), content);
    }
    dir
}

fn stage(root: &Root, dir: &Path) -> Staged {
    stage_directory(&root.fs, dir, &StageOptions::default()).unwrap()
}

fn refusal(root: &Root, dir: &Path) -> String {
    let error = stage_directory(&root.fs, dir, &StageOptions::default()).unwrap_err().to_string();
    error.replace(&format!("{}/", fs::canonicalize(dir).unwrap().display()), "")
}

fn release(root: &Root, staged: &Staged) -> PathBuf {
    root.fs.pkg_path(&staged.ident)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn programs_and_data_come_along_as_they_are() {
    let root = Root::new();
    let dir = service(
        &root,
        &[
            ("bin/server", "program"),
            ("bin/secret", "key"),
            ("web/a/b.html", "\u{fc}"),
            (".git/HEAD", "x"),
            ("web/.hidden", "x"),
            ("web/page.html~", "x"),
            ("README", "x"),
        ],
    );
    mode(&dir.join("bin/server"), 0o4755);
    mode(&dir.join("bin/secret"), 0o600);
    fs::write(dir.join("web/image"), b"\xff\x00").unwrap();
    fs::create_dir(dir.join("uploads")).unwrap();
    symlink("server", dir.join("bin/alias")).unwrap();
    symlink("../web/a", dir.join("bin/a")).unwrap();
    symlink("/usr/bin/env", dir.join("bin/env")).unwrap();
    let staged = stage(&root, &dir);
    let release = release(&root, &staged);
    assert_eq!(fs::read_to_string(release.join("bin/alias")).unwrap(), "program");
    assert_eq!(fs::read(release.join("web/image")).unwrap(), b"\xff\x00");
    assert_eq!(fs::read_to_string(release.join("bin/a/b.html")).unwrap(), "\u{fc}");
    assert_eq!(fs::read_link(release.join("bin/env")).unwrap(), Path::new("/usr/bin/env"));
    assert_eq!(mode_of(&release.join("bin/server")), 0o755, "no set-user-id");
    assert_eq!(mode_of(&release.join("bin/secret")), 0o600);
    assert!(release.join("uploads").is_dir() && release.join("README").is_file());
    for name in [".git", "web/.hidden", "web/page.html~"] {
        assert!(!release.join(name).exists(), "{name}");
    }
    assert!(!stage(&root, &dir).changed);
}

#[test]
fn any_change_makes_a_release_and_what_did_not_change_is_not_copied_again() {
    let root = Root::new();
    let dir = service(&root, &[("bin/server", "one"), ("lib/big", "data")]);
    let first = stage(&root, &dir);
    write(&dir.join("bin/server"), "two");
    let second = stage(&root, &dir);
    assert!(second.changed);
    assert_eq!(second.changed_file.as_deref(), Some("bin/server"));
    let (old, new) = (release(&root, &first), release(&root, &second));
    assert_eq!(fs::read_to_string(old.join("bin/server")).unwrap(), "one");
    assert_eq!(fs::read_to_string(new.join("bin/server")).unwrap(), "two");
    let inode = |path: PathBuf| path.metadata().unwrap().ino();
    assert_eq!(inode(old.join("lib/big")), inode(new.join("lib/big")));
    assert_ne!(inode(dir.join("lib/big")), inode(new.join("lib/big")), "a copy of the user's");

    // Another user wrote to the release; the next one has the content of the directory.
    fs::write(new.join("lib/big"), "spoilt").unwrap();
    mode(&dir.join("bin/server"), 0o755);
    let third = release(&root, &stage(&root, &dir));
    assert_eq!(mode_of(&third.join("bin/server")), 0o755);
    assert_eq!(fs::read_to_string(third.join("lib/big")).unwrap(), "data");

    for change in [
        |dir: &Path| fs::remove_file(dir.join("lib/big")).unwrap(),
        |dir: &Path| fs::create_dir(dir.join("empty")).unwrap(),
        |dir: &Path| symlink("a", dir.join("link")).unwrap(),
        |dir: &Path| {
            fs::remove_file(dir.join("link")).unwrap();
            symlink("b", dir.join("link")).unwrap();
        },
    ] {
        change(&dir);
        assert!(stage(&root, &dir).changed);
        assert!(!stage(&root, &dir).changed);
    }
}

#[test]
fn a_write_within_the_grain_of_the_clock_is_seen() {
    let root = Root::new();
    let dir = service(&root, &[("bin/server", "one")]);
    let file = dir.join("bin/server");
    // Not older than the grain, however slow this machine is.
    let modified = SystemTime::now() + Duration::from_secs(3600);
    let touch = || fs::File::options().write(true).open(&file).unwrap().set_modified(modified);
    touch().unwrap();
    let first = stage(&root, &dir);
    // Same size, same file, same time of modification; the time of change is as coarse.
    fs::write(&file, "two").unwrap();
    touch().unwrap();
    let record = release(&root, &first).join("STAGED_FILES");
    assert!(fs::read_to_string(&record).unwrap().starts_with("- "), "its state is not relied on");
    assert!(stage(&root, &dir).changed);
}

#[test]
fn the_state_of_a_rewritten_file_with_the_same_content_is_recorded() {
    let root = Root::new();
    let dir = service(&root, &[("bin/server", "one")]);
    let record = release(&root, &stage(&root, &dir)).join("STAGED_FILES");
    let text = fs::read_to_string(&record).unwrap();
    let (_, rest) = text.split_once(' ').unwrap();
    fs::write(&record, format!("other {rest}")).unwrap();
    assert!(!stage(&root, &dir).changed);
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.ends_with(rest) && !text.starts_with("other"), "{text}");
}

#[test]
fn what_cannot_be_part_of_a_release_is_refused_with_the_remedy() {
    let root = Root::new();
    let dir = service(&root, &[]);
    type Make = fn(&Path);
    let cases: [(&str, Make, &str); 4] = [
        ("pipe", mkfifo, "pipe: is a pipe, socket or device; remove it, or hide it"),
        (
            "out",
            |path| symlink("../secret", path).unwrap(),
            "out: is a symbolic link to a place outside of the directory",
        ),
        ("SVC_USER", |path| write(path, "root"), "SVC_USER: has the name of a metafile"),
        ("a\nb", |path| write(path, ""), "a\nb: has a control character in its name; rename it"),
    ];
    for (name, make, expected) in cases {
        make(&dir.join(name));
        let error = refusal(&root, &dir);
        assert!(error.starts_with(expected), "{error}");
        fs::remove_file(dir.join(name)).unwrap();
    }
    let big = fs::File::create(dir.join("big")).unwrap();
    big.set_len(2 << 30).unwrap();
    let error = refusal(&root, &dir);
    assert!(error.contains("holds more than 1024 MiB of files beside hooks"), "{error}");
    assert!(error.ends_with("under 'files' in roost.toml: files = [\"bin\"]"), "{error}");
    write(&dir.join("roost.toml"), "files = []\n");
    assert!(stage(&root, &dir).changed);
}

fn mkfifo(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status();
    assert!(status.is_ok_and(|status| status.success()));
}

#[test]
fn roost_toml_names_what_belongs_to_the_service() {
    let root = Root::new();
    let dir = service(&root, &[("bin/server", "x"), ("out/lib/a.so", "x"), ("log/app.log", "x")]);
    // In any spelling, and inside any directory.
    write(&dir.join("roost.toml"), "files = [\"bin/\", \"out//lib/a.so\", \"bin//server\"]\n");
    let staged = stage(&root, &dir);
    let release = release(&root, &staged);
    assert!(release.join("bin/server").is_file() && release.join("out/lib/a.so").is_file());
    assert!(!release.join("log").exists());
    let watched = survey(&root.fs, &dir, &StageOptions::default()).directories;
    for (place, is_watched) in
        [("", true), ("bin", true), ("hooks", true), ("out/lib", true), ("log", false)]
    {
        let place = if place.is_empty() { dir.clone() } else { dir.join(place) };
        assert_eq!(watched.contains(&place), is_watched, "{}", place.display());
    }

    for (named, problem) in [
        ("../x", "'../x' under 'files' must be a path below the directory"),
        ("", "'' under 'files' must be a path below the directory"),
        ("/bin", "'/bin' under 'files' must be a path below the directory"),
        (".git", "'.git' under 'files' is hidden"),
        ("config", "'config' under 'files' is part of every service"),
        ("run", "'run' under 'files' is part of every service"),
        ("lib", "'lib' under 'files' does not exist"),
    ] {
        write(&dir.join("roost.toml"), format!("files = [{named:?}]\n"));
        let error = refusal(&root, &dir);
        assert!(error.starts_with(&format!("roost.toml: {problem}")), "{error}");
    }
    write(&dir.join("DEPS/x"), "x");
    write(&dir.join("roost.toml"), "files = [\"DEPS/x\"]\n");
    let error = refusal(&root, &dir);
    assert!(error.starts_with("DEPS: has the name of a metafile"), "{error}");
}

#[test]
fn beside_a_plan_lie_sources_which_are_not_taken() {
    let root = Root::new();
    let dir = service(&root, &[("plan.sh", "pkg_name=app\n"), ("src/main.c", "x")]);
    let staged = stage(&root, &dir);
    assert!(!release(&root, &staged).join("src").exists());
    assert!(!release(&root, &staged).join("STAGED_FILES").exists());
    write(&dir.join("roost.toml"), "files = [\"src\"]\n");
    let staged = stage(&root, &dir);
    assert!(release(&root, &staged).join("src/main.c").is_file());
}

/// Whether a change affects the staged content, and whether it wakes a watcher.
fn effect(root: &Root, dir: &Path, change: impl FnOnce()) -> (bool, bool) {
    stage(root, dir);
    let state = || survey(&root.fs, dir, &StageOptions::default()).fingerprint;
    let before = state();
    change();
    (stage(root, dir).changed, state() != before)
}

#[test]
fn files_outside_of_the_service_are_not_a_change() {
    let root = Root::new();
    let dir = service(&root, &[("bin/server", "x"), ("config/a", "x"), ("lib/a.py", "x")]);
    write(&dir.join("roost.toml"), "ignore = [\"*.log\", \"/data/\", \"!.well-known\"]\n");
    write(&dir.join(".habignore"), "# of the user\n/tmp\nconfig/local\n");
    for name in [
        "results/run",
        "hooks/.run.swp",
        "hooks/4913",
        "hooks/run~",
        "config/.#a",
        "config/.a.swp",
        "config/#a#",
        "config/a.bak",
        "config/local",
        "bin/server.swp",
        "#notes#",
        ".git/index",
        ".hg/dirstate",
        ".svn/wc.db",
        "CVS/Entries",
        "lib/__pycache__/a.pyc",
        "app.log",
        "bin/deep/app.log",
        "data/db",
        "tmp",
    ] {
        // A directory that a file's creation adds belongs to the service.
        if let Some(parent) = Path::new(name).parent().filter(|parent| parent.ends_with("deep")) {
            fs::create_dir_all(dir.join(parent)).unwrap();
        }
        let path = dir.join(name);
        assert_eq!(effect(&root, &dir, || write(&path, "1")), (false, false), "{name}");
        assert_eq!(effect(&root, &dir, || write(&path, "two")), (false, false), "{name}");
        assert_eq!(effect(&root, &dir, || fs::remove_file(&path).unwrap()), (false, false));
    }
    for name in ["hooks/init", "config/.htaccess", ".well-known/x", "bin/4913x", "lib/results/a"] {
        let path = dir.join(name);
        assert_eq!(effect(&root, &dir, || write(&path, "1")), (true, true), "{name}");
        assert_eq!(effect(&root, &dir, || write(&path, "two")), (true, true), "{name}");
    }
    let rules = || write(&dir.join(".habignore"), "bin\n");
    assert_eq!(effect(&root, &dir, rules), (true, true));
}

#[test]
fn directories_with_a_cache_mark_are_left_out() {
    let root = Root::new();
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a compiler\n";
    let files = [
        ("target/CACHEDIR.TAG", tag),
        ("target/release/server", "x"),
        ("out/.habignore", "*\n"),
        ("out/run", "x"),
        ("docs/CACHEDIR.TAG", "not the mark"),
        ("results/run", "x"),
    ];
    let dir = service(&root, &files);
    let staged = stage(&root, &dir);
    let path = release(&root, &staged);
    assert!(!path.join("target").exists() && !path.join("out").exists());
    assert!(path.join("docs/CACHEDIR.TAG").exists() && !path.join("results").exists());
    let [results, target] = staged.warnings.as_slice() else { panic!("{:?}", staged.warnings) };
    assert!(
        results.contains("results: left out, because builds and 'hab plan render' write there")
    );
    assert!(target.contains("target: left out, CACHEDIR.TAG in it"), "{target}");
    write(&dir.join("roost.toml"), "files = [\"target/release/server\", \"results\"]\n");
    let path = release(&root, &stage(&root, &dir));
    assert!(path.join("target/release/server").exists() && path.join("results/run").exists());
    write(&dir.join("roost.toml"), "ignore = [\"!target\", \"!/results\"]\n");
    let path = release(&root, &stage(&root, &dir));
    assert!(path.join("target/release/server").exists() && path.join("results/run").exists());
    write(&dir.join("roost.toml"), "ignore = [\"[z-a]\"]\n");
    assert!(refusal(&root, &dir).starts_with("roost.toml: under 'ignore': '[z-a]' is not a rule"));
}

#[test]
fn the_supervisors_own_files_in_the_directory_are_left_out() {
    let root = Root::new();
    let dir = root.fs.path().parent().unwrap().to_owned();
    write(&dir.join("hooks/run"), "#!/bin/sh\n");
    write(&dir.join("roost.toml"), "name = \"app\"\n");
    let log = dir.join("sup.log");
    write(&log, "x");
    let found = log.metadata().unwrap();
    let leave_out = vec![(found.dev(), found.ino())];
    let options = StageOptions { leave_out, ..StageOptions::default() };
    let stage = || stage_directory(&root.fs, &dir, &options).unwrap();
    let survey = || survey(&root.fs, &dir, &options);
    let first = stage();
    let before = survey();
    write(&log, "another line");
    write(&root.fs.path().join("hab/sup/default/data/x.rst"), "x");
    assert!(!stage().changed);
    assert_eq!(survey(), before);
    let path = release(&root, &first);
    assert!(!path.join("root").exists() && !path.join("sup.log").exists());
}
