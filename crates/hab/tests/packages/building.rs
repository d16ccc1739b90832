//! From a directory to a package and back.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A separate machine: a root, a home, a working directory.
pub(crate) struct Machine(tempfile::TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    /// Puts a public key where this user's keys are.
    pub(crate) fn trust(&self, key: &str) {
        let text = fs::read_to_string(key).expect("a key");
        let name = Path::new(key).file_name().and_then(|name| name.to_str()).expect("a name");
        for cache in ["root/hab/cache/keys", ".hab/cache/keys"] {
            self.write(&format!("{cache}/{name}"), &text);
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, text).expect("written");
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hab"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path())
            .env("FS_ROOT", self.root())
            .current_dir(self.path())
            .output()
            .expect("the program starts")
    }

    /// Standard output of a command that succeeds.
    pub(crate) fn hab(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Standard error of a command that fails.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub(crate) fn service(&self, name: &str) {
        self.write(&format!("{name}/hooks/run"), "#!/bin/sh\nexec sleep 1000\n");
        self.write(&format!("{name}/hooks/install"), "#!/bin/sh\necho installing {{cfg.word}}\n");
        self.write(&format!("{name}/hooks/uninstall"), "#!/bin/sh\necho going\n");
        self.write(&format!("{name}/default.toml"), "word = \"one\"\nport = 8080\n");
        self.write(&format!("{name}/config/app.conf"), "{{cfg.word}}\n");
        self.write(&format!("{name}/bin/tool"), "#!/bin/sh\necho tool $1\n");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path().join(name).join("bin/tool"), mode).expect("a mode");
        self.write(
            &format!("{name}/roost.toml"),
            "origin = \"acme\"\nversion = \"1.0\"\nexports = { port = \"port\" }\nexposes = [\"port\"]\n",
        );
    }

    /// Everything below the package tree.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, u64> {
        fn collect(directory: &Path, found: &mut BTreeMap<PathBuf, u64>) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                found.insert(path.clone(), entry.metadata().map_or(0, |found| found.len()));
                if path.is_dir() && !path.is_symlink() {
                    collect(&path, found);
                }
            }
        }
        let mut found = BTreeMap::new();
        collect(&self.root().join("hab/pkgs"), &mut found);
        // Sizes of directories depend on their history.
        found.retain(|path, _| path.exists() || path.is_symlink());
        found.iter_mut().filter(|(path, _)| path.is_dir()).for_each(|(_, size)| *size = 0);
        found
    }
}

pub(crate) fn archive(machine: &Machine) -> PathBuf {
    let results = fs::read_dir(machine.path().join("results")).expect("results");
    let mut found = results.flatten().map(|entry| entry.path());
    found.find(|path| path.extension().is_some_and(|e| e == "hart")).expect("an archive")
}

#[test]
fn a_directory_becomes_a_package_on_another_machine_in_two_commands() {
    let (one, other) = (Machine::new(), Machine::new());
    one.service("web");
    let built = one.hab(&["pkg", "build", "web"]);
    assert!(built.contains("origin key pair acme-"), "{built}");
    let archive = archive(&one);
    let hart = archive.to_str().expect("text");
    let signer = fs::read_to_string(one.path().join("results/last_build.env")).expect("a file");
    assert!(signer.contains("pkg_ident=acme/web/1.0/"), "{signer}");
    // The other machine does not trust the signer yet, and the error shows the remedy.
    let text = other.refused(&["pkg", "install", hart]);
    assert!(text.contains("hab origin key import < acme-"), "{text}");
    assert!(!other.root().join("hab/pkgs/acme").exists());
    let installed = other.hab(&["pkg", "install", hart, "--trust", &public_key(&one)]);
    assert!(installed.contains("Installed acme/web/1.0/"), "{installed}");
    assert!(installed.contains("web hook[install]:(HK): installing one\n"), "{installed}");
    let run = other.hab(&["pkg", "exec", "acme/web", "sh", "-c", "echo $PATH"]);
    assert!(run.starts_with("/hab/pkgs/acme/web/1.0/"), "{run}");
    let info = other.hab(&["pkg", "info", "--json", hart]);
    for fact in ["\"exposes\":[8080]", "\"manifest\":\"# acme / web\\n", "\"target\":"] {
        assert!(info.contains(fact), "{info}");
    }
    let files = fs::read_dir(other.root().join("hab/pkgs/acme/web/1.0")).expect("a release");
    let release = files.flatten().next().expect("a release").path();
    let list = fs::read_to_string(release.join("FILES")).expect("FILES");
    assert!(list.starts_with("HART-1\nacme-") && list.contains("/bin/tool\n"), "{list}");
}

pub(crate) fn public_key(machine: &Machine) -> String {
    let results = fs::read_dir(machine.path().join("results")).expect("results");
    let mut found = results.flatten().map(|entry| entry.path());
    let key = found.find(|path| path.extension().is_some_and(|e| e == "pub"));
    key.expect("a key").to_str().expect("text").to_owned()
}

/// A service that depends on a library, both as archives in one directory.
pub(crate) fn two_archives() -> (Machine, PathBuf) {
    let machine = Machine::new();
    machine.service("lib");
    machine.hab(&["pkg", "build", "lib", "--release", "20250101000000"]);
    let lib = archive(&machine);
    machine.hab(&["pkg", "install", lib.to_str().expect("text")]);
    machine.write("app/hooks/run", "#!/bin/sh\nexec sleep 1000\n");
    machine.write(
        "app/plan.sh",
        "pkg_name=app\npkg_origin=acme\npkg_version=2.0\npkg_deps=(acme/lib)\npkg_svc_user=root\n\
         pkg_svc_group=root\n",
    );
    machine.hab(&["pkg", "build", "app", "--release", "20250101000001"]);
    let app = lib.with_file_name("acme-app-2.0-20250101000001-x86_64-linux.hart");
    (machine, app)
}

#[test]
fn building_twice_gives_the_same_bytes_and_a_change_another_release() {
    let machine = Machine::new();
    machine.service("web");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000000"]);
    let path = archive(&machine);
    let first = fs::read(&path).expect("an archive");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000000", "-o", "again"]);
    let again = machine.path().join("again").join(path.file_name().expect("a name"));
    assert!(first == fs::read(again).expect("an archive"));
    let text = machine.refused(&["pkg", "build", "web", "--release", "tomorrow"]);
    assert!(text.contains("14 digits"), "{text}");
}

#[test]
fn building_verifying_installing_and_uninstalling_leaves_the_root_as_it_was() {
    let machine = Machine::new();
    machine.service("other");
    machine.hab(&["pkg", "build", "other", "--release", "20250101000000", "-o", "one"]);
    let other = "one/acme-other-1.0-20250101000000-x86_64-linux.hart";
    machine.hab(&["pkg", "install", other]);
    let before = machine.tree();
    machine.service("web");
    machine.hab(&["pkg", "build", "web"]);
    let path = archive(&machine);
    let hart = path.to_str().expect("text");
    assert_eq!(machine.tree(), before);
    machine.hab(&["pkg", "verify", hart]);
    machine.hab(&["pkg", "install", hart]);
    let listed = machine.hab(&["pkg", "list", "acme/web"]);
    let gone = machine.hab(&["pkg", "uninstall", listed.trim()]);
    assert!(gone.contains("web hook[uninstall]:(HK): going"), "{gone}");
    assert_eq!(machine.hab(&["pkg", "list", "acme/web"]), "");
    assert_eq!(machine.tree(), before);
}

#[test]
fn a_plan_with_dependencies_names_the_releases_it_was_built_with() {
    let machine = Machine::new();
    machine.service("lib");
    machine.hab(&["pkg", "build", "lib", "--release", "20250101000000"]);
    let refused_plan = "pkg_name=app\npkg_origin=acme\npkg_version=2.0\npkg_deps=(acme/lib)\n\
                        pkg_bin_dirs=(bin)\npkg_svc_run=\"tool run\"\npkg_license=('MIT')\n";
    machine.write("app/plan.sh", refused_plan);
    let text = machine.refused(&["pkg", "build", "app"]);
    assert!(text.contains("acme/lib") && text.contains("install it"), "{text}");
    machine.hab(&["pkg", "install", archive(&machine).to_str().expect("text")]);
    machine.hab(&["pkg", "build", "app", "--release", "20250101000001", "-o", "app-results"]);
    let hart = "app-results/acme-app-2.0-20250101000001-x86_64-linux.hart";
    let info = machine.hab(&["pkg", "info", "--json", hart]);
    assert!(info.contains("\"deps\":[\"acme/lib/1.0/20250101000000\"]"), "{info}");
    assert!(info.contains("\"svc_user\":\"hab\""), "{info}");
    machine.hab(&["pkg", "install", hart]);
    let tree = machine.hab(&["pkg", "tree", "acme/app"]);
    assert_eq!(tree, "acme/app/2.0/20250101000001\n└── acme/lib/1.0/20250101000000\n");
    let env = machine.hab(&["pkg", "env", "acme/app"]);
    assert!(env.contains("/hab/pkgs/acme/lib/1.0/20250101000000/bin"), "{env}");
    let run = machine.root().join("hab/pkgs/acme/app/2.0/20250101000001/run");
    let run = fs::read_to_string(run).expect("a script");
    assert!(run.contains("cd '/hab/svc/app'") && run.contains("exec tool run"), "{run}");
    let text = machine.refused(&["pkg", "uninstall", "acme/lib"]);
    assert!(text.contains("It is a dependency of 1 packages"), "{text}");
}

#[test]
fn the_difference_between_two_packages_is_told_by_kind() {
    let machine = Machine::new();
    machine.service("web");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000000"]);
    machine.write("web/default.toml", "word = \"two\"\nport = 8080\n");
    machine.write("web/hooks/init", "#!/bin/sh\n");
    machine.write("web/bin/tool", "#!/bin/sh\necho other\n");
    machine.hab(&["pkg", "build", "web", "--release", "20250101000001"]);
    let name = |release: &str| format!("results/acme-web-1.0-{release}-x86_64-linux.hart");
    let (one, other) = (name("20250101000000"), name("20250101000001"));
    let difference = machine.hab(&["pkg", "diff", &one, &other]);
    assert_eq!(
        difference,
        "--- acme/web/1.0/20250101000000\n+++ acme/web/1.0/20250101000001\nHooks:\n  + hooks/init\n\
         Configuration:\n  ~ word: \"one\" -> \"two\"\nFiles:\n  ~ bin/tool\n"
    );
    assert!(machine.hab(&["pkg", "diff", &one, &one]).ends_with("No differences\n"));
}

#[test]
fn an_uninstall_hook_runs_no_longer_than_its_package_states() {
    let machine = Machine::new();
    machine.service("web");
    machine.write("web/hooks/uninstall", "#!/bin/sh\necho going\nsleep 100000\n");
    let limit = "origin = \"acme\"\nversion = \"1.0\"\n[hook_timeouts]\nuninstall = 1\n";
    machine.write("web/roost.toml", limit);
    machine.hab(&["pkg", "build", "web"]);
    machine.hab(&["pkg", "install", archive(&machine).to_str().expect("text")]);
    let text = machine.refused(&["pkg", "uninstall", "acme/web"]);
    assert!(text.contains("uninstall: it ran longer than 1 secs and was stopped"), "{text}");
}
