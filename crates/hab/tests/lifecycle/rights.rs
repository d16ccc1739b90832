//! Rights of service processes and of the Supervisor's files.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use testkit::{Root, wait_for};

use crate::{root, root_with_web, wait_web};

/// Two users that exist on every system.
const DAEMON: u32 = 1;
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives everything below a directory to a user.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).expect("given");
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type().expect("a type").is_dir() {
            true => give(&path, user),
            false => chown(&path, Some(user), Some(user)).expect("given"),
        }
    }
}

/// A root whose program another user than that of the tests may execute.
fn root_with_program() -> (tempfile::TempDir, Root) {
    let bin = tempfile::tempdir().expect("a directory");
    fs::set_permissions(bin.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let program = bin.path().join("hab");
    fs::copy(env!("CARGO_BIN_EXE_hab"), &program).expect("copied");
    (bin, Root::new(program))
}

/// A promise of the operator guide: with three capabilities an ordinary user runs services as other
/// users, which get none of them.
#[test]
fn three_capabilities_are_enough_and_stay_with_the_supervisor() {
    if !is_root() || !Path::new("/usr/bin/setpriv").exists() {
        return testkit::skip("needs root and setpriv");
    }
    let (_bin, root) = root_with_program();
    let run = "#!/bin/sh\ngrep Cap /proc/self/status > {{pkg.svc_data_path}}/rights\n\
               cat {{pkg.svc_config_path}}/app/app.conf >> {{pkg.svc_data_path}}/rights\n\
               id -u >> {{pkg.svc_data_path}}/rights\nexec sleep 100000\n";
    let files = [
        ("hooks/run", run),
        ("hooks/init", "#!/bin/sh\ngrep CapAmb /proc/self/status\n"),
        ("hooks/reconfigure", "#!/bin/sh\necho new $(cat {{pkg.svc_config_path}}/app/app.conf)\n"),
        ("config/app/app.conf", "word {{cfg.word}}\n"),
        ("default.toml", "word = \"one\"\n"),
        ("SVC_USER", "nobody"),
        ("SVC_GROUP", "nogroup"),
        ("SHUTDOWN_TIMEOUT", "1000"),
    ];
    root.package(crate::WEB, &files);
    give(root.path(), DAEMON);
    let capabilities = "+setuid,+setgid,+chown";
    let start = || {
        let setpriv = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"];
        let sets = [
            format!("--inh-caps={capabilities}"),
            format!("--ambient-caps={capabilities}"),
            format!("--bounding-set=-all,{capabilities}"),
        ];
        let command = setpriv.map(String::from).into_iter().chain(sets);
        root.supervisor().through(command).args(["acme/web"]).start()
    };
    let mut sup = start();
    sup.wait_up("web");
    let rights = wait_for("the rights", || {
        Some(root.read("hab/svc/web/data/rights")).filter(|text| text.ends_with("65534\n"))
    });
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(rights.contains(&format!("{set}:\t0000000000000000\n")), "{rights}");
    }
    assert!(rights.contains("word one\n"), "{rights}");
    sup.wait_log("web.default(HK): hook[init]: CapAmb:\t0000000000000000");
    // A file that belongs to the service is read, compared and replaced.
    root.write("hab/user/web/config/user.toml", "word = \"two\"\n");
    sup.wait_log("web.default(HK): hook[reconfigure]: new word two");
    for (path, user) in
        [("config/app/app.conf", NOBODY), ("config/app", NOBODY), ("data", NOBODY), ("run", DAEMON)]
    {
        let found = fs::metadata(root.join("hab/svc/web").join(path)).expect(path);
        assert_eq!(found.uid(), user, "{path}");
    }
    // A process of another user is signalled: it ends by TERM, long before its timeout.
    assert_eq!(sup.stop(), 0);
    let log = sup.log();
    assert!(log.contains("Service gracefully terminated"), "{log}");
    // The same files again: nothing is new.
    root.write("hab/user/web/config/user.toml", "word = \"two\"\n");
    let mut sup = start();
    sup.wait_up("web");
    let changed = sup.log().contains("Modified configuration file");
    assert!(!changed, "{}", sup.log());
    assert_eq!(sup.stop(), 0);
}

/// An ordinary user's Supervisor with a harmless capability passes on only that one.
#[test]
fn a_service_of_the_supervisors_user_keeps_only_harmless_capabilities() {
    if !is_root() || !Path::new("/usr/bin/setpriv").exists() {
        return testkit::skip("needs root and setpriv");
    }
    let (_bin, root) = root_with_program();
    let run = "#!/bin/sh\ngrep CapEff /proc/self/status\nexec sleep 100000\n";
    root.package(crate::WEB, &[("hooks/run", run)]);
    give(root.path(), DAEMON);
    let capabilities = "+setuid,+setgid,+net_bind_service";
    let setpriv = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"];
    let sets = [format!("--inh-caps={capabilities}"), format!("--ambient-caps={capabilities}")];
    let command = setpriv.map(String::from).into_iter().chain(sets);
    let sup = root.supervisor().through(command).args(["acme/web"]).start();
    sup.wait_log("web.default(O): CapEff:\t0000000000000400");
}

/// A program below an ordinary user's service that became root.
#[test]
fn a_process_that_may_not_be_killed_is_named_and_nothing_is_started_beside_it() {
    if !is_root() || !Path::new("/usr/bin/setpriv").exists() {
        return testkit::skip("needs root and setpriv");
    }
    let (bin, root) = root_with_program();
    let become_root = bin.path().join("become-root");
    fs::copy("/usr/bin/setpriv", &become_root).expect("copied");
    fs::set_permissions(&become_root, fs::Permissions::from_mode(0o4755)).expect("a mode");
    let run = format!(
        "#!/bin/sh\n{} --reuid=0 sh -c 'trap \"\" TERM; echo $$ >> {{{{pkg.svc_data_path}}}}/roots; \
         while :; do sleep 0.1; done' &\nexec sleep 100000\n",
        become_root.display()
    );
    root.package(crate::WEB, &[("hooks/run", &run), ("SHUTDOWN_TIMEOUT", "1")]);
    give(root.path(), NOBODY);
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut sup = root.supervisor().through(user).args(["acme/web"]).start();
    let roots = || -> Vec<i32> {
        let text = root.read("hab/svc/web/data/roots");
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    sup.wait_up("web");
    let child = wait_for("the child", || roots().first().copied());
    let owner = fs::metadata(format!("/proc/{child}")).expect("it lives").uid();
    if owner != 0 {
        return testkit::skip("needs a file system with programs that gain rights by their mode");
    }
    let secret = root.read("hab/sup/default/CTL_SECRET");
    let control = |args: &[&str]| {
        let mut command = sup.command(args.iter().copied().chain(["-r", &sup.ctl.to_string()]));
        command.env("HAB_CTL_SECRET", &secret).output().expect("the program starts")
    };
    let stopped = control(&["svc", "stop", "acme/web", "--wait", "--timeout", "3"]);
    assert!(!stopped.status.success(), "it is not stopped: {stopped:?}");
    sup.wait_log("Not permitted to kill PID ");
    let log = sup.log();
    assert!(log.contains(&format!("PID {child} (sh, user 0)")), "{log}");
    let started = control(&["svc", "start", "acme/web"]);
    assert!(started.status.success(), "{started:?}");
    // A new Supervisor does not know of it.
    sup.signal(rustix::process::Signal::HUP);
    sup.wait_log_times("Not permitted to kill PID ", 2);
    assert_eq!(roots(), [child], "no second copy");
    assert!(!sup.log().contains("Service killed"), "{}", sup.log());
    crate::kill(child, rustix::process::Signal::KILL);
    wait_for("the next run", || roots().get(1).copied());
    // It delays the end of the Supervisor only by seconds.
    assert_eq!(sup.stop(), 0);
    assert!(sup.log().contains("Not waiting any longer for what is left"), "{}", sup.log());
}

fn modes(root: &Root) -> BTreeMap<String, u32> {
    fn walk(base: &Path, dir: &Path, found: &mut BTreeMap<String, u32>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let mode = entry.metadata().expect("there").mode();
            let name = path.strip_prefix(base).expect("below").display().to_string();
            found.insert(name, mode & 0o7777);
            if entry.file_type().expect("a type").is_dir() {
                walk(base, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root.path(), &root.join("hab"), &mut found);
    found.insert("hab".into(), root.join("hab").metadata().expect("there").mode() & 0o7777);
    found
}

#[test]
fn every_file_and_directory_has_its_mode_whatever_the_umask() {
    for mask in ["0", "077"] {
        let root = root();
        root.write("hello/hooks/run", "#!/bin/sh\nexec sleep 100000\n");
        root.write("hello/hooks/health-check", "#!/bin/sh\necho fine\n");
        root.write("hello/config/a.conf", "a\n");
        if is_root() {
            root.write("hello/roost.toml", "user = \"nobody\"\n");
        }
        let shell = ["sh", "-c", "umask \"$0\"; exec \"$@\"", mask];
        let sup = root.supervisor().through(shell).args([root.join("hello")]).start();
        sup.wait_up("hello");
        sup.wait_json("/services/hello/default", |service| service["health_check"] == "Ok");
        wait_for("the log of the hook", || {
            (root.read("hab/svc/hello/logs/health-check.stdout.log") == "fine\n").then_some(())
        });
        wait_for("the ring's data", || {
            fs::read_dir(root.join("hab/sup/default/data")).ok()?.next().map(|_| ())
        });
        let modes = modes(&root);
        for (path, mode) in &modes {
            assert_eq!(mode & 0o002, 0, "{path} is {mode:o} with umask {mask}");
        }
        for (path, mode) in [
            ("hab", 0o755),
            ("hab/sup/default", 0o755),
            ("hab/sup/default/specs", 0o755),
            ("hab/sup/default/data", 0o755),
            ("hab/sup/default/MEMBER_ID", 0o644),
            ("hab/sup/default/CTL_SECRET", 0o600),
            ("hab/sup/default/LOCK", 0o600),
            ("hab/sup/default/specs/hello.spec", 0o600),
            ("hab/launcher", 0o755),
            ("hab/launcher/PID", 0o644),
            ("hab/launcher/processes", 0o644),
            ("hab/svc/hello/PID", 0o644),
            ("hab/svc/hello/logs/health-check.stdout.log", 0o644),
        ] {
            assert_eq!(
                modes.get(path).map(|mode| format!("{mode:o}")),
                Some(format!("{mode:o}")),
                "{path} with umask {mask}"
            );
        }
    }
}

#[test]
fn a_state_directory_that_others_may_write_is_refused_with_the_remedy() {
    for dir in ["hab/sup/default", "hab/sup/default/specs", "hab/launcher"] {
        let root = root_with_web(&[]);
        fs::create_dir_all(root.join(dir)).expect("made");
        fs::set_permissions(root.join(dir), fs::Permissions::from_mode(0o777)).expect("a mode");
        let mut sup = root.supervisor().args(["acme/web"]).spawn();
        assert_eq!(sup.wait_exit(), 86);
        let log = sup.log();
        let remedy = format!("chmod go-w '{}'", root.join(dir).display());
        assert!(log.contains("others may write it") && log.contains(&remedy), "{log}");
        fs::set_permissions(root.join(dir), fs::Permissions::from_mode(0o755)).expect("a mode");
        let sup = root.supervisor().args(["acme/web"]).start();
        wait_web(&sup, crate::is_up);
    }
}
