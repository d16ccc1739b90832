use std::sync::mpsc;

use super::*;

/// Far longer than any event takes: only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Fixture {
    root: tempfile::TempDir,
    watcher: Watcher<&'static str>,
    reports: mpsc::Receiver<&'static str>,
}

fn fixture() -> Fixture {
    let (sender, reports) = mpsc::channel();
    Fixture {
        root: tempfile::tempdir().unwrap(),
        watcher: Watcher::start(move |key| sender.send(key).is_ok()).unwrap(),
        reports,
    }
}

impl Fixture {
    /// Returns when the watcher has executed all commands so far: it then reports a file whose
    /// watch was added last.
    fn settle(&self) {
        let probe = self.root.path().join("probe");
        self.watcher.watch("probe", vec![Target::File(probe.clone())]);
        loop {
            fs::write(&probe, format!("{:?}", Instant::now())).unwrap();
            if self.reports.recv_timeout(QUIET * 3) == Ok("probe") {
                break;
            }
        }
        // A late report of the probe precedes that of the next key.
        self.watcher.unwatch("probe");
        self.watcher.watch_and_report("settled", Vec::new());
        while self.reports.recv_timeout(PATIENCE).unwrap() != "settled" {}
    }

    fn expect(&self, key: &str) {
        assert_eq!(self.reports.recv_timeout(PATIENCE), Ok(key));
    }
}

#[test]
fn a_file_in_directories_that_do_not_exist_yet_is_seen() {
    let fixture = fixture();
    let file = fixture.root.path().join("user/web/config/user.toml");
    fixture.watcher.watch("user", vec![Target::File(file.clone())]);
    fixture.settle();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "port = 1").unwrap();
    fixture.expect("user");
}

#[test]
fn a_change_before_the_start_of_watching_is_reported_on_request() {
    let fixture = fixture();
    let file = fixture.root.path().join("default.toml");
    fs::write(&file, "changed since it was read").unwrap();
    fixture.watcher.watch_and_report("tree", vec![Target::File(file)]);
    fixture.expect("tree");
    fixture.settle();
    assert_eq!(fixture.reports.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn a_directory_that_was_removed_and_made_again_is_still_watched() {
    let fixture = fixture();
    let directory = fixture.root.path().join("specs");
    fs::create_dir(&directory).unwrap();
    fixture.watcher.watch("specs", vec![Target::Directory(directory.clone())]);
    fixture.settle();
    fs::write(directory.join("a.spec"), "a").unwrap();
    fixture.expect("specs");
    fs::remove_dir_all(&directory).unwrap();
    fixture.expect("specs");
    fs::create_dir(&directory).unwrap();
    fixture.settle();
    fs::write(directory.join("b.spec"), "b").unwrap();
    fixture.expect("specs");
}

#[test]
fn a_rename_over_a_file_counts_and_an_unrelated_file_does_not() {
    let fixture = fixture();
    let file = fixture.root.path().join("user.toml");
    fs::write(&file, "a").unwrap();
    fixture.watcher.watch("user", vec![Target::File(file.clone())]);
    fixture.settle();
    fs::write(fixture.root.path().join("other"), "x").unwrap();
    fs::write(fixture.root.path().join("new"), "b").unwrap();
    fs::rename(fixture.root.path().join("new"), &file).unwrap();
    fixture.expect("user");
    assert_eq!(fixture.reports.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn the_removal_of_a_directory_at_the_path_is_a_change() {
    let fixture = fixture();
    let file = fixture.root.path().join("user.toml");
    fs::create_dir(&file).unwrap();
    fixture.watcher.watch("user", vec![Target::File(file.clone())]);
    fixture.settle();
    fs::remove_dir(&file).unwrap();
    fixture.expect("user");
}

#[test]
fn a_change_that_was_not_reported_yet_outlives_a_new_watch_of_its_key() {
    let root = tempfile::tempdir().unwrap();
    let commands = Commands(Arc::default());
    let (woken, _wake) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let inotify = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    let (targets, armed) = (BTreeMap::new(), BTreeMap::new());
    let mut thread = Thread { inotify, woken, commands: commands.clone(), targets, armed };
    let watch = || {
        let targets = vec![Target::Directory(root.path().into())];
        commands.add("directory", Command::Watch(targets, false));
    };
    watch();
    assert!(thread.take_commands(&mut Vec::new()));
    fs::write(root.path().join("file"), "new").unwrap();
    watch();
    assert!(thread.take_commands(&mut Vec::new()));
    let (sender, reports) = mpsc::channel();
    let report = |thread: &mut Thread<&'static str>| {
        thread.report_changes(&|key| sender.send(key).is_ok());
    };
    report(&mut thread);
    assert!(reports.try_recv().is_err(), "more may follow");
    std::thread::sleep(QUIET);
    report(&mut thread);
    assert_eq!(reports.try_recv(), Ok("directory"));
    report(&mut thread);
    assert!(reports.try_recv().is_err(), "reported once");
}

#[test]
fn a_change_reverted_before_its_report_is_reported() {
    let fixture = fixture();
    let directory = fixture.root.path().join("specs");
    let file = fixture.root.path().join("user.toml");
    fs::create_dir(&directory).unwrap();
    fs::write(&file, "a").unwrap();
    let (kept, place) = (fixture.root.path().join("kept"), file.clone());
    fixture.watcher.watch("specs", vec![Target::Directory(directory.clone())]);
    fixture.settle();
    fs::write(directory.join("a.spec"), "a").unwrap();
    fs::remove_file(directory.join("a.spec")).unwrap();
    fixture.expect("specs");

    // The same file is back, without any difference.
    let mut watched = Watched {
        targets: vec![Target::File(place)],
        fingerprint: fingerprint(&[Target::File(file.clone())]),
        change: None,
    };
    fs::rename(&file, &kept).unwrap();
    assert!(!watched.is_due(Instant::now()), "more may follow");
    fs::rename(&kept, &file).unwrap();
    let later = Instant::now() + QUIET;
    assert!(!watched.is_due(later), "it has just changed again");
    assert!(watched.is_due(later + QUIET));
    assert!(!watched.is_due(later + QUIET * 2), "once");
}

#[test]
fn added_files_are_reported_soon_and_what_may_be_gone_for_a_moment_is_not() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("specs");
    let (a, b) = (directory.join("a.spec"), directory.join("b.spec"));
    fs::create_dir(&directory).unwrap();
    fs::write(&a, "a").unwrap();
    let targets = vec![Target::Directory(directory.clone())];
    let fingerprint = fingerprint(&targets);
    let mut watched = Watched { targets, fingerprint, change: None };
    let now = Instant::now();

    fs::write(&b, "b").unwrap();
    assert!(!watched.is_due(now));
    assert!(watched.is_due(now + QUIET_ADDED), "a file was added");

    // An editor moves the file away and writes a new one in its place.
    fs::rename(&a, directory.join("a.spec~")).unwrap();
    assert!(!watched.is_due(now));
    assert!(!watched.is_due(now + QUIET_ADDED), "the file may be back soon");
    fs::write(&a, "new").unwrap();
    assert!(!watched.is_due(now + QUIET_ADDED * 2));
    assert!(!watched.is_due(now + QUIET_ADDED * 3), "the same change");
    assert!(watched.is_due(now + QUIET_ADDED * 2 + QUIET));
}

#[test]
fn each_key_keeps_its_newest_command_and_no_report_is_lost() {
    let commands = Commands(Arc::default());
    for _ in 0..100 {
        commands.add("a", Command::Watch(Vec::new(), true));
        commands.add("a", Command::Watch(vec![Target::File("f".into())], false));
        commands.add("b", Command::Watch(Vec::new(), false));
        commands.add("b", Command::Unwatch);
    }
    let all = commands.all();
    assert!(matches!(&all["a"], Command::Watch(targets, true) if targets.len() == 1));
    assert!(matches!(all["b"], Command::Unwatch));
    assert_eq!(all.len(), 2);
}

#[test]
fn a_tree_sees_files_in_new_directories() {
    let fixture = fixture();
    let tree = fixture.root.path().join("service");
    fs::create_dir_all(tree.join("hooks")).unwrap();
    fixture.watcher.watch("tree", vec![Target::Tree(tree.clone())]);
    fixture.settle();
    fs::create_dir(tree.join("config")).unwrap();
    fixture.expect("tree");
    fs::write(tree.join("config/app.conf"), "x").unwrap();
    fixture.expect("tree");
}

#[test]
fn a_save_of_an_editor_is_one_change() {
    let fixture = fixture();
    let file = fixture.root.path().join("user.toml");
    fs::write(&file, "a").unwrap();
    fixture.watcher.watch("user", vec![Target::File(file.clone())]);
    fixture.settle();
    fs::rename(&file, fixture.root.path().join("user.toml~")).unwrap();
    fs::write(&file, "").unwrap();
    fs::write(&file, "b").unwrap();
    let new = fixture.root.path().join("new");
    fs::write(&new, "bc").unwrap();
    fs::rename(&new, &file).unwrap();
    fixture.expect("user");
    fixture.settle();
    assert_eq!(fixture.reports.try_recv(), Err(mpsc::TryRecvError::Empty), "once");
}

#[test]
fn a_switched_link_on_the_path_is_a_change() {
    use std::os::unix::fs::symlink;
    let fixture = fixture();
    let at = |path: &str| fixture.root.path().join(path);
    for (release, content) in [("1", "one"), ("2", "other")] {
        fs::create_dir_all(at("releases").join(release)).unwrap();
        fs::write(at("releases").join(release).join("user.toml"), content).unwrap();
    }
    symlink("releases/1", at("current")).unwrap();
    fs::create_dir(at("config")).unwrap();
    symlink("../current/user.toml", at("config/user.toml")).unwrap();
    fixture.watcher.watch("user", vec![Target::File(at("config/user.toml"))]);
    fixture.settle();
    symlink("releases/2", at("next")).unwrap();
    fs::rename(at("next"), at("current")).unwrap();
    fixture.expect("user");
}
