//! Recorded commands, repeated.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use testkit::Ended;

/// Output of the real program where it printed its own help.
const HELP: &str = "<help text: written by the program itself>";

#[derive(Debug, Deserialize)]
pub(crate) struct Recording {
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) command: Option<String>,
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) stdin: Option<String>,
    pub(crate) exit_code: Option<i32>,
    #[serde(default)]
    pub(crate) stdout: String,
    #[serde(default)]
    pub(crate) stderr: String,
    pub(crate) note: Option<String>,
    /// Content of `hab/launcher/PID` before the command.
    #[serde(rename = "PID")]
    pub(crate) pid: Option<String>,
    /// Content of the install hook's status file before the command.
    #[serde(rename = "INSTALL_HOOK_STATUS")]
    pub(crate) hook_status: Option<String>,
    /// What is below the root at this point.
    pub(crate) tree: Option<Vec<Node>>,
    /// Output of `hab pkg list -a` afterwards, without the interpreter.
    pub(crate) list_after: Option<String>,
}

/// A file, a directory or a link of a recorded tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) mode: Option<String>,
    pub(crate) owner: String,
}

/// An intentional difference.
#[derive(Debug, Deserialize)]
struct Difference {
    reason: String,
    /// Recording and command, as `NN COMMAND`, or `NN (manual action before it) COMMAND`; with `
    /// #2` for its second occurrence.
    commands: Vec<String>,
    exit_code: Option<i32>,
    stdout: Option<String>,
    /// Part of standard error.
    stderr: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Differences {
    difference: Vec<Difference>,
}

/// Where commands run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Below `FS_ROOT`.
    Root,
    /// Packages lie at `/hab` and `FS_ROOT` is not set.
    Real,
    /// Below `FS_ROOT`, as a user other than root who owns it.
    User,
}

/// The user of [`Machine::User`].
const USER: u32 = 65534;

/// Makes a root file system of the programs of this machine and the packages of the test, in a
/// mount namespace that ends with the command.
const AT_SLASH: &str = r#"set -e
new=$1; root=$2; program=$3; shift 3
mount -t tmpfs tmpfs "$new"
for name in bin sbin lib lib64 usr etc proc dev; do
    [ ! -d /$name ] || { mkdir "$new/$name"; mount --rbind /$name "$new/$name"; }
done
mkdir "$new/hab" "$new/home" "$new/program"
mount --bind "$root/hab" "$new/hab"
mount --bind "$(dirname "$program")" "$new/program"
exec chroot "$new" "/program/$(basename "$program")" "$@"
"#;

/// Runs the steps of one recording and compares.
pub(crate) struct Replay {
    name: &'static str,
    pub(crate) machine: Machine,
    place: tempfile::TempDir,
    differences: Differences,
    used: BTreeSet<(usize, usize)>,
    failures: Vec<String>,
    /// The last manual action.
    note: String,
    /// Number of occurrences of a command.
    counts: BTreeMap<String, usize>,
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hart/tests/fixtures")
}

pub(crate) fn recording(name: &str) -> Recording {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packages");
    let text = fs::read_to_string(directory.join(format!("{name}.json"))).expect("a recording");
    serde_json::from_str(&text).expect("a recording")
}

impl Replay {
    pub(crate) fn new(name: &'static str) -> Self {
        let path = "tests/fixtures/packages/differences.toml";
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
        let differences = toml::from_str(&text.expect("differences")).expect("differences");
        let place = tempfile::tempdir().expect("a directory");
        Self {
            name,
            machine: Machine::Root,
            place,
            differences,
            used: BTreeSet::new(),
            failures: Vec::new(),
            note: String::new(),
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("written");
    }

    /// The public key that signed the archives, and the interpreter package.
    pub(crate) fn prepare(&self) {
        let key = "vecpkg-20261127165842.pub";
        let text = fs::read(fixtures().join("keys").join(key)).expect("a key");
        self.write(&format!("hab/cache/keys/{key}"), text);
        self.busybox();
    }

    pub(crate) fn busybox(&self) {
        let ident = "core/busybox-static/1.36.0/20240101000000";
        self.write(&format!("hab/pkgs/{ident}/TARGET"), "x86_64-linux\n");
        self.write(&format!("hab/pkgs/{ident}/IDENT"), format!("{ident}\n"));
        self.write(&format!("hab/pkgs/{ident}/PATH"), format!("/hab/pkgs/{ident}/bin\n"));
    }

    pub(crate) fn cache(&self, names: &[&str]) {
        for entry in fs::read_dir(fixtures().join("harts")).expect("archives").flatten() {
            let name = entry.file_name().into_string().expect("text");
            if names.iter().any(|part| name.contains(part)) {
                let bytes = fs::read(entry.path()).expect("an archive");
                self.write(&format!("hab/cache/artifacts/{name}"), bytes);
            }
        }
    }

    /// Runs one step and compares it.
    pub(crate) fn step(&mut self, step: &Step) {
        if let Some(note) = step.note.as_ref().or(step.pid.as_ref()) {
            self.note = format!("({}) ", note.trim());
        }
        let Some(command) = &step.command else { return };
        let env: Vec<_> = step.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let ended = self.run(command, &env, step.stdin.as_deref());
        let mut key = format!("{} {}{command}", self.name, self.note);
        let count = self.counts.entry(key.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            key.push_str(&format!(" #{count}"));
        }
        let known = |commands: &[String]| commands.iter().position(|known| *known == key);
        let mut listed = self.differences.difference.iter().enumerate();
        let listed = listed.find_map(|(at, one)| Some((at, one, known(&one.commands)?)));
        let same = ended.code == step.exit_code.unwrap_or(0)
            && same_text(command, &ended.stdout, &step.stdout)
            && same_text(command, &ended.stderr, &step.stderr)
            || is_usage(step, &ended);
        let fine = match listed {
            None => same,
            Some((at, one, index)) => {
                self.used.insert((at, index));
                assert!(!one.reason.is_empty());
                ended.code == one.exit_code.or(step.exit_code).unwrap_or(0)
                    && one.stdout.as_ref().map_or_else(
                        || same_text(command, &ended.stdout, &step.stdout),
                        |expected| same_text(command, &ended.stdout, expected),
                    )
                    && one.stderr.as_ref().map_or_else(
                        || same_text(command, &ended.stderr, &step.stderr),
                        |expected| ended.stderr.contains(expected.as_str()),
                    )
                    && !same
            }
        };
        if !fine {
            let listed = listed.map_or("", |_| " (listed as a difference)");
            self.failures.push(format!(
                "{key}{listed}\n--- recorded {:?}\n{}{}--- now {}\n{}{}",
                step.exit_code, step.stdout, step.stderr, ended.code, ended.stdout, ended.stderr
            ));
        }
    }

    /// Fails when a result differs from the recording, or a listed difference does not occur.
    pub(crate) fn end(self) {
        let prefix = format!("{} ", self.name);
        let mut failures = self.failures;
        for (at, one) in self.differences.difference.iter().enumerate() {
            for (index, command) in one.commands.iter().enumerate() {
                if command.starts_with(&prefix) && !self.used.contains(&(at, index)) {
                    failures.push(format!("a listed difference that does not show: {command}"));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    }

    pub(crate) fn run(&self, command: &str, env: &[(&str, &str)], stdin: Option<&str>) -> Ended {
        let root = self.root();
        fs::create_dir_all(root.join("home")).expect("a directory");
        let fixtures = fixtures();
        let place = |name: &str| fixtures.join(name).display().to_string();
        let shown = root.display().to_string();
        let places = [
            ("<root>", shown),
            ("<harts>", place("harts")),
            ("<bad>", place("bad")),
            ("<keys>", place("keys")),
        ];
        let mut stdin = stdin.unwrap_or_default().to_owned();
        for (name, path) in &places {
            stdin = stdin.replace(name, path);
        }
        let arguments = words(command).into_iter().skip(1).map(|mut word| {
            for (name, path) in &places {
                word = word.replace(name, path);
            }
            word
        });
        let program = env!("CARGO_BIN_EXE_hab");
        let mut command = match self.machine {
            Machine::Root | Machine::User => Command::new(program),
            Machine::Real => {
                let new = self.place.path().join("new");
                fs::create_dir_all(&new).expect("a directory");
                let mut command = Command::new("unshare");
                command.args(["-m", "sh", "-c", AT_SLASH, "sh"]).arg(new).arg(&root).arg(program);
                command
            }
        };
        command
            .args(arguments)
            .current_dir(&root)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", root.join("home"))
            .env("LANG", "C.UTF-8")
            .env("HAB_LICENSE", "accept-no-persist")
            .env("HAB_NONINTERACTIVE", "true")
            .env("HAB_NOCOLORING", "true")
            .env("TERM", "dumb")
            .env("HAB_BLDR_URL", "http://127.0.0.1:1")
            .envs(env.iter().map(|(name, value)| {
                let mut value = (*value).to_owned();
                for (place, path) in &places {
                    value = value.replace(place, path);
                }
                (*name, value)
            }));
        if self.machine != Machine::Real {
            command.env("FS_ROOT", &root);
        }
        if self.machine == Machine::User {
            command.uid(USER).gid(USER);
        }
        let ended = testkit::run(&mut command, &stdin);
        let named = |mut text: String| {
            for (name, path) in &places {
                text = text.replace(path.as_str(), name);
            }
            revisions(&text)
        };
        Ended { stdout: named(ended.stdout), stderr: named(ended.stderr), ..ended }
    }

    /// Gives everything to the user that commands run as from now on.
    pub(crate) fn become_user(&mut self) {
        self.machine = Machine::User;
        let owned = |path: &Path| std::os::unix::fs::lchown(path, Some(USER), Some(USER));
        owned(self.place.path()).expect("an owner");
        for path in walk(&self.root()) {
            owned(&path).expect("an owner");
        }
    }
}

/// Everything below a directory, and itself.
pub(crate) fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    let mut at = 0;
    while let Some(path) = found.get(at) {
        if path.is_dir() && !path.is_symlink() {
            let entries = fs::read_dir(path).expect("a directory");
            let below: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
            found.extend(below);
        }
        at += 1;
    }
    found
}

/// Revisions of keys made by this test, whose year is that of no fixture, or later.
pub(crate) fn revisions(text: &str) -> String {
    let mut out = text.to_owned();
    for name in ["envorigin-", "vecpkg-corp-", "me-"] {
        while let Some(at) = out.find(name).map(|at| at + name.len()) {
            let digits = out[at..].chars().take_while(char::is_ascii_digit).count();
            if digits != 14 {
                break;
            }
            out.replace_range(at..at + 14, "<revision>");
        }
    }
    out
}

/// Words of a command line, some of them in double quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    for c in command.chars() {
        match c {
            '"' => (quoted, any) = (!quoted, true),
            ' ' if !quoted => {
                // `hab pkg provides ` has an empty name.
                words.push(std::mem::take(&mut word));
                any = false;
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() || command.ends_with(' ') {
        words.push(word);
    }
    words
}

/// Equal, except for the order where the real program prints in directory order.
fn same_text(command: &str, now: &str, recorded: &str) -> bool {
    if recorded == HELP {
        return true;
    }
    let unordered = ["pkg provides", "pkg dependencies", "pkg binlink", "env"];
    if unordered.iter().any(|part| command.contains(part)) {
        let sorted = |text: &str| {
            // Variables with the paths of the recording's programs.
            let lines = text.lines().filter(|line| !line.contains("_BINARY=<bin>"));
            lines.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        return sorted(now) == sorted(recorded);
    }
    now == recorded
}

/// A wrong command line: our parser uses its own words.
fn is_usage(step: &Step, ended: &Ended) -> bool {
    step.exit_code == Some(2)
        && ended.code == 2
        && (ended.stderr.starts_with("error: ") || ended.stderr.contains("Usage:"))
}
