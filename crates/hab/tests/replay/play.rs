//! Replays a scenario: packages, Supervisors, steps, and the comparison after each.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;
use testkit::{Root, Supervisor};

use crate::{
    compare::{self, Mismatch},
    console,
    differences::Differences,
    exchange::{self, Answer, normal},
    metrics,
    names::Names,
    recorded::{self, Request, Step},
};

/// Time for a state to settle; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(40);
/// After the first failure the rest is only shown.
const PATIENCE_AFTER_FAILURE: Duration = Duration::from_secs(3);
/// Member ids requested by a scenario, in the order of their numbers.
const MEMBER_IDS: [&str; 4] = [
    "1f0c2d9a7b1e4c38a6d4e91b07f3c852",
    "541b8e27d95f4a0fb3a6720d18e5946b",
    "ae7a55d3c2b94f6f8a1d3b60c7e4f912",
    "c04383aa24384e649ccbcdbc80a885f9",
];
/// Files that commands of the scenarios use.
const INPUTS: [(&str, &str); 2] = [("ap.toml", "c = [9]\n[t]\ny = 22\n"), ("up.txt", "line1\n")];

/// A race whose outcome was recorded: (scenario, its winner, the members that learn of its
/// candidacy before they enter). If a busy machine lets two candidates finish before the third has
/// begun, they elect one of their own, here as in Habitat; with this start the recorded one always
/// wins.
const HEAD_START: (&str, usize, [usize; 2]) = ("13-leader-simultaneous", 3, [1, 2]);

/// One Supervisor of the scenario.
struct Place {
    // Before its root: the root cleans up what is left.
    supervisor: Supervisor,
    root: Root,
    recorded: recorded::Supervisor,
}

struct Play {
    name: String,
    places: Vec<Place>,
    names: Names,
    differences: Differences,
    failures: Vec<String>,
    asked: Vec<Request>,
}

/// Replays the scenario with this name.
///
/// # Panics
/// With all differences that are not listed.
pub(crate) fn scenario(name: &str) {
    let scenario = recorded::scenario(name);
    let mut play = Play {
        name: name.into(),
        places: Vec::new(),
        names: Names::new(),
        differences: Differences::of(name),
        failures: Vec::new(),
        asked: Vec::new(),
    };
    play.start(scenario.supervisors);
    play.steps(&scenario.steps);
    play.consoles();
    play.failures.extend(play.differences.unused());
    if !play.failures.is_empty() {
        let logs = play.places.iter().map(|place| place.supervisor.log());
        let logs: Vec<String> = logs.collect();
        panic!("{}\n\nlogs:\n{}", play.failures.join("\n"), logs.join("\n--\n"));
    }
}

/// Addresses for this many simultaneous Supervisors, with the first of their ports.
fn addresses(count: usize) -> (Vec<Ipv4Addr>, u16) {
    // Slot 0 is for scenarios with one address; those with more have their own.
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let addresses: Vec<Ipv4Addr> = match count {
        1 => vec![testkit::own_address(0)],
        _ => {
            (0..count).map(|_| testkit::own_address(NEXT.fetch_add(1, Ordering::Relaxed))).collect()
        }
    };
    let port = testkit::free_ports(&addresses);
    (addresses, port)
}

fn install(root: &Root, package: &recorded::Package) {
    for (file, content) in &package.files {
        let path = format!("hab/pkgs/{}/{file}", package.ident);
        root.write(&path, content);
        let is_program = file.starts_with("hooks/") || file.starts_with("bin/");
        let mode = if is_program { 0o755 } else { 0o644 };
        fs::set_permissions(root.join(&path), fs::Permissions::from_mode(mode)).expect("a mode");
    }
}

impl Play {
    fn start(&mut self, supervisors: Vec<recorded::Supervisor>) {
        let alone = supervisors.len() == 1;
        let (addresses, port) = addresses(supervisors.len());
        let listeners = ["--listen-http", "--listen-ctl", "--listen-gossip"];
        for (recorded, address) in supervisors.iter().zip(&addresses) {
            for (listener, port) in listeners.iter().zip(port..) {
                let from = recorded.option(listener).parse().expect("an address");
                self.names.map(from, SocketAddr::from((*address, port)));
            }
            if recorded.member_id_file.is_some() {
                let id = MEMBER_IDS[recorded.number - 1].to_owned();
                self.names.know(format!("${{MEMBER_ID_{}}}", recorded.number), id);
            }
        }
        for (recorded, address) in supervisors.into_iter().zip(addresses) {
            let root = Root::new(env!("CARGO_BIN_EXE_hab"));
            let number = recorded.number;
            let root_name = match alone {
                true => "${FS_ROOT}".into(),
                false => format!("${{FS_ROOT_{number}}}"),
            };
            self.names.know(root_name, root.path().display().to_string());
            recorded.packages.iter().for_each(|package| install(&root, package));
            if let Some(content) = &recorded.member_id_file {
                root.write("hab/sup/default/MEMBER_ID", &self.names.fill(content));
            }
            for (name, content) in INPUTS {
                root.write(name, content);
            }
            let args: Vec<String> =
                recorded.command[3..].iter().map(|word| self.names.fill(word)).collect();
            let mut builder = root.supervisor().at(address, port).without_own_args().args(args);
            for (name, value) in recorded.env.iter().filter(|(name, _)| *name != "FS_ROOT") {
                builder = builder.env(name, value);
            }
            let supervisor = builder.start();
            let id = root.read("hab/sup/default/MEMBER_ID").trim().to_owned();
            self.names.know(format!("${{MEMBER_ID_{number}}}"), id);
            self.places.push(Place { supervisor, root, recorded });
        }
    }

    fn steps(&mut self, steps: &[Step]) {
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            at += 1;
            match step {
                Step::Hab { note: Some(note), .. } => {
                    let same =
                        |step: &&Step| matches!(step, Step::Hab { note: Some(n), .. } if n == note);
                    let count = steps[at - 1..].iter().take_while(same).count();
                    self.race(&steps[at - 1..at - 1 + count]);
                    at += count - 1;
                }
                Step::Hab { .. } => self.commands(std::slice::from_ref(step)),
                Step::Request { supervisor, file } => self.request(*supervisor, file),
                Step::WriteFile { supervisor, path, content } => {
                    let path = self.names.fill(path);
                    let root = &self.places[supervisor - 1].root;
                    let relative = Path::new(&path).strip_prefix(root.path()).expect("in the root");
                    root.write(relative.to_str().expect("text"), content);
                }
                Step::Kill { supervisor } => self.places[supervisor - 1].root.kill_all(),
                Step::Observe { what, found } => {
                    for (key, value) in found {
                        self.observe(what, key, value);
                    }
                }
                Step::Wait {} | Step::Note {} => {}
            }
        }
    }

    /// Adds unlisted differences to the failures.
    fn note(&mut self, what: &str, mismatches: &[Mismatch]) {
        self.differences.found(what, mismatches);
        let unlisted = self.differences.unlisted(what, mismatches);
        if !unlisted.is_empty() {
            let lines: Vec<String> = unlisted.iter().map(ToString::to_string).collect();
            self.failures.push(format!("{what}\n{}", lines.join("\n")));
        }
    }

    /// Repeats until there are no unlisted differences; returns the final ones.
    fn settle(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self, &mut Names) -> Vec<Mismatch>,
    ) -> Vec<Mismatch> {
        let patience = match self.failures.is_empty() {
            true => PATIENCE,
            false => PATIENCE_AFTER_FAILURE,
        };
        let deadline = Instant::now() + patience;
        loop {
            let mut names = self.names.clone();
            let mismatches = look(self, &mut names);
            let is_settled = self.differences.unlisted(what, &mismatches).is_empty();
            if is_settled {
                self.names = names;
            }
            if is_settled || Instant::now() > deadline {
                return mismatches;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn request(&mut self, supervisor: usize, file: &str) {
        let request = recorded::request(&self.name, file);
        let place = supervisor - 1;
        let mismatches = self.settle(&request.name, |play, names| {
            let http = play.places[place].supervisor.http;
            let Some(answer) = exchange::exchange(http, &request.bytes, request.head_only) else {
                return vec![Mismatch::new("head", request.head.join(" | "), "no answer")];
            };
            play.compare(&request, &answer, names)
        });
        self.note(&request.name, &mismatches);
        self.asked.push(request);
    }

    fn compare(&self, request: &Request, answer: &Answer, names: &mut Names) -> Vec<Mismatch> {
        let recorded = normal(request.head.clone());
        if let Some(head) = self.differences.head(&request.name) {
            let mut mismatches = Vec::new();
            if answer.head == recorded {
                mismatches.push(Mismatch::new("head", "a difference", "none"));
            } else if answer.head != head {
                mismatches.push(Mismatch::new("head", head.join(" | "), answer.head.join(" | ")));
            }
            return mismatches;
        }
        let transient = self.differences.transient(&request.name);
        if answer.head != recorded && transient != Some(false) {
            let (recorded, found) = (recorded.join(" | "), answer.head.join(" | "));
            return vec![Mismatch::new("head", recorded, found)];
        }
        if transient.is_some() {
            return Vec::new();
        }
        match &request.json {
            Some(expected) => match serde_json::from_str::<Value>(&answer.body) {
                Err(error) => vec![Mismatch::new("body", "JSON", error)],
                Ok(found) => {
                    // Compact, like the recorded ones.
                    let text = found.to_string();
                    let mut mismatches = compare::json(expected, &found, names);
                    if text != answer.body {
                        mismatches.push(Mismatch::new("body", text, &answer.body));
                    }
                    mismatches
                }
            },
            None if request.body.starts_with("# HELP") => {
                let before: Vec<&Request> = self.asked.iter().chain([request]).collect();
                metrics::compare(&request.body, &answer.body, &before)
            }
            None if request.body == answer.body => Vec::new(),
            None => vec![Mismatch::new("body", &request.body, &answer.body)],
        }
    }

    /// Runs commands simultaneously, except the one that needs a head start.
    fn race(&mut self, steps: &[Step]) {
        let (scenario, winner, rivals) = HEAD_START;
        let wins = |step: &Step| {
            self.name == scenario
                && matches!(step, Step::Hab { supervisor, .. } if *supervisor == winner)
        };
        let Some(first) = steps.iter().position(wins) else { return self.commands(steps) };
        self.commands(&steps[first..=first]);
        for rival in rivals {
            let candidate = "/election/list/redis.default/election/member_id";
            self.places[rival - 1].supervisor.wait_json("/butterfly", |butterfly| {
                butterfly.pointer(candidate) == Some(&MEMBER_IDS[winner - 1].into())
            });
        }
        self.commands(&[&steps[..first], &steps[first + 1..]].concat());
    }

    /// Runs commands of `hab` simultaneously.
    fn commands(&mut self, steps: &[Step]) {
        let spawned: Vec<(&Step, Child)> =
            steps.iter().map(|step| (step, self.spawn(step))).collect();
        for (step, child) in spawned {
            let Step::Hab { args, exit_code, stdout, stderr, .. } = step else { continue };
            let output = child.wait_with_output().expect("an end");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let said = [
                (
                    "exit_code",
                    exit_code.to_string(),
                    output.status.code().unwrap_or(-1).to_string(),
                ),
                ("stdout", self.names.fill(stdout), text(&output.stdout)),
                ("stderr", self.names.fill(stderr), text(&output.stderr)),
            ];
            let differs = said.into_iter().filter(|(_, expected, found)| expected != found);
            let mismatches: Vec<Mismatch> =
                differs.map(|(at, expected, found)| Mismatch::new(at, expected, found)).collect();
            let shown: Vec<&str> = args.iter().take(4).map(String::as_str).collect();
            self.note(&format!("{}/hab {}", self.name, shown.join(" ")), &mismatches);
        }
    }

    fn spawn(&self, step: &Step) -> Child {
        let Step::Hab { supervisor, args, .. } = step else { unreachable!("a command") };
        let place = &self.places[supervisor - 1];
        Command::new(env!("CARGO_BIN_EXE_hab"))
            .args(args.iter().map(|word| self.names.fill(word)))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .envs(&place.recorded.env)
            .env("FS_ROOT", place.root.path())
            .current_dir(place.root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts")
    }

    /// Compares the state on disk.
    fn observe(&mut self, what: &str, key: &str, seen: &Value) {
        let label = format!("{}/{what}", self.name);
        let mismatches = self.settle(&label, |play, names| {
            let root = &play.places[0].root;
            match (key, seen) {
                ("tree", Value::Object(tree)) => compare_tree(root, tree, names),
                ("content", _) => compare_content(root, what, seen, names),
                ("contents", Value::Object(contents)) => {
                    let of = |(number, content): (&String, &Value)| {
                        let number: usize = number.parse().expect("a number");
                        compare_content(&play.places[number - 1].root, what, content, names)
                    };
                    contents.iter().flat_map(of).collect()
                }
                ("spec", _) => {
                    compare_content(root, "hab/sup/default/specs/full.spec", seen, names)
                }
                ("files", _) => {
                    let directory = root.join("hab/svc/web/files");
                    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
                    let found: Vec<String> =
                        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
                    compare::json(
                        &serde_json::json!({ "files": seen }),
                        &serde_json::json!({ "files": found }),
                        names,
                    )
                }
                _ => vec![Mismatch::new(key, "a known kind of observation", seen)],
            }
        });
        self.note(&label, &mismatches);
    }

    /// Ends the Supervisors and compares their output.
    fn consoles(&mut self) {
        for number in 1..=self.places.len() {
            let supervisor = &mut self.places[number - 1].supervisor;
            if supervisor.exit_code_now().is_none() {
                supervisor.stop();
            }
            let log = supervisor.log();
            let recorded = recorded::console(&self.name, number);
            let mismatches = console::compare(&recorded, &log, &self.names);
            self.note(&format!("{}/console-{number}", self.name), &mismatches);
        }
    }
}

fn compare_content(root: &Root, path: &str, seen: &Value, names: &mut Names) -> Vec<Mismatch> {
    let found = fs::read_to_string(root.join(path)).ok();
    let is_same = match (seen.as_str(), &found) {
        (Some(expected), Some(found)) => names.same_content(expected, found),
        (None, None) => true,
        _ => false,
    };
    let found = Value::from(found);
    (!is_same).then(|| Mismatch::new(path, seen, found)).into_iter().collect()
}

/// Modes and contents of everything below the first path of the tree.
fn compare_tree(
    root: &Root,
    tree: &serde_json::Map<String, Value>,
    names: &mut Names,
) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    let top = tree.keys().min_by_key(|path| path.len()).expect("a path");
    let mut found = vec![top.clone()];
    let mut at = 0;
    while let Some(path) = found.get(at).cloned() {
        at += 1;
        let below = fs::read_dir(root.join(&path)).into_iter().flatten().flatten();
        found.extend(below.map(|entry| format!("{path}/{}", entry.file_name().display())));
        if !tree.contains_key(&path) {
            mismatches.push(Mismatch::new(&path, "nothing", "it"));
        }
    }
    for (path, seen) in tree {
        let Ok(metadata) = fs::symlink_metadata(root.join(path)) else {
            mismatches.push(Mismatch::new(path, seen, "nothing"));
            continue;
        };
        let mode = format!("{:04o}", metadata.permissions().mode() & 0o7777);
        let recorded = seen.as_str().or(seen["mode"].as_str()).unwrap_or_default();
        if recorded != mode {
            mismatches.push(Mismatch::new(&format!("mode of {path}"), recorded, mode));
        }
        if seen.is_object() {
            mismatches.extend(compare_content(root, path, &seen["content"], names));
        }
    }
    mismatches
}
