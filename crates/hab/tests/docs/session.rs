//! Plays the commands of a page. `hab sup run` starts a Supervisor that runs until the next one;
//! all other commands are run to their end and their output is compared.
//!
//! The page speaks of the default ports. Supervisors listen on ports of their own instead: by
//! environment, `~/.curlrc` and `cli.toml`, so that the commands stay as they are.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use testkit::{Root, wait_for};

use crate::{console::Step, repository};

/// Runs all steps in order.
pub(crate) fn play(steps: &[Step]) {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED commands of the pages: curl is not installed");
        return;
    }
    let mut place = Place::new();
    for step in steps {
        if step.command.contains("hab sup run") {
            place.restart(step);
        } else {
            place.compare(step);
        }
    }
}

/// Environment of the commands: a directory with `examples/`, a root, addresses.
struct Place {
    directory: tempfile::TempDir,
    root: Root,
    supervisor: Option<Child>,
    ports: [u16; 3],
    address: Ipv4Addr,
    number: usize,
}

/// HTTP, control, gossip: the addresses on the pages.
const DEFAULTS: [&str; 3] = ["0.0.0.0:9631", "127.0.0.1:9632", "0.0.0.0:9638"];
const VARIABLES: [&str; 3] = ["HAB_LISTEN_HTTP", "HAB_LISTEN_CTL", "HAB_LISTEN_GOSSIP"];

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        symlink(repository("examples"), directory.path().join("examples")).expect("a link");
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, 200, high, low);
        let root = Root::new(env!("CARGO_BIN_EXE_hab"));
        Self { directory, root, supervisor: None, ports: [0; 3], address, number: 0 }
    }

    /// The addresses in use.
    fn addresses(&self) -> [String; 3] {
        self.ports.map(|port| format!("{}:{port}", self.address))
    }

    fn shell(&self, command: &str) -> Command {
        let program = self.root.program().parent().expect("a directory").display();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.directory.path()).stdin(Stdio::null());
        shell.env_clear().env("HOME", self.directory.path()).env("FS_ROOT", self.root.path());
        shell
            .env("PATH", format!("{program}:/usr/sbin:/usr/bin:/sbin:/bin"))
            .env("LANG", "C.UTF-8");
        shell.envs(VARIABLES.into_iter().zip(self.addresses()));
        shell
    }

    /// Starts the Supervisor of the step in a fresh root and waits for the documented output.
    fn restart(&mut self, step: &Step) {
        if let Some(mut old) = self.supervisor.take() {
            let _ = old.kill();
            let _ = old.wait();
        }
        self.root = Root::new(env!("CARGO_BIN_EXE_hab"));
        let address = self.address;
        // Held together until all are known, so that they differ.
        let free: Vec<TcpListener> =
            (0..3).map(|_| TcpListener::bind((address, 0)).expect("a free port")).collect();
        for (port, listener) in self.ports.iter_mut().zip(free) {
            *port = listener.local_addr().expect("its address").port();
        }
        let [http, ctl, _] = self.addresses();
        // Root's file is in the root directory, that of other users in their home.
        let client = format!("listen_ctl = \"{ctl}\"\n");
        self.root.write("hab/etc/cli.toml", &client);
        fs::create_dir_all(self.directory.path().join(".hab/etc")).expect("a directory");
        fs::write(self.directory.path().join(".hab/etc/cli.toml"), client).expect("a file");
        let curlrc = format!("no-progress-meter\nconnect-to = \"localhost:9631:{http}\"\n");
        fs::write(self.directory.path().join(".curlrc"), curlrc).expect("a file");

        self.number += 1;
        let log = self.log();
        let file = File::create(&log).expect("a log");
        let mut shell = self.shell(&format!("exec env {}", step.command));
        shell.stdout(file.try_clone().expect("a handle")).stderr(file);
        self.supervisor = Some(shell.spawn().expect("a shell"));
        wait_for(&format!("the output of line {}: {}", step.line, step.command), || {
            let lines = self.settled(&fs::read_to_string(&log).unwrap_or_default());
            let mut lines = lines.iter();
            let in_order = settle(&step.output).iter().all(|wanted| lines.any(|it| it == wanted));
            in_order.then_some(())
        });
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join(format!("log-{}", self.number))
    }

    /// Runs the command of the step. A query is repeated until it prints the documented output: a
    /// Supervisor may need a moment.
    fn compare(&self, step: &Step) {
        let [http, ..] = self.addresses();
        // curl gets the address from its configuration, other clients do not.
        let command = match step.command.starts_with("hab ") {
            true => step.command.replace("localhost:9631", &http),
            false => step.command.clone(),
        };
        let only_looks = command.starts_with("curl ") && !command.contains("POST")
            || command.starts_with("cat $")
            || command.starts_with("hab svc check ");
        let expected = settle(&step.output);
        let mut last = Vec::new();
        let deadline = std::time::Instant::now() + testkit::PATIENCE;
        while std::time::Instant::now() < deadline {
            let output = self.shell(&format!("{{ {command}\n}} 2>&1")).output().expect("a shell");
            last = self.settled(&String::from_utf8_lossy(&output.stdout));
            if last == expected {
                return;
            }
            if !only_looks {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let Step { command, line, .. } = step;
        panic!("line {line}: {command}\n{last:#?}\ninstead of\n{expected:#?}\n{log}");
    }

    /// The lines of a real output as on the page.
    fn settled(&self, text: &str) -> Vec<String> {
        let mut text = text.to_owned();
        for (own, default) in self.addresses().iter().zip(DEFAULTS) {
            text = text.replace(own, default);
        }
        let root = self.root.path().display().to_string();
        let lines: Vec<String> = text.replace(&root, "").lines().map(str::to_owned).collect();
        settle(&lines)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            let _ = supervisor.kill();
            let _ = supervisor.wait();
        }
    }
}

/// Removes curl's information about the connection and the request, and empty lines; replaces
/// values that differ between runs.
fn settle(lines: &[String]) -> Vec<String> {
    let chatter = ["*", ">", "{ [", "} ["];
    lines
        .iter()
        .map(|line| line.trim_end())
        .filter(|line| !line.is_empty() && !chatter.iter().any(|it| line.starts_with(it)))
        .map(settle_line)
        .collect()
}

/// A duration: a busy machine takes longer.
fn is_seconds(word: &str) -> bool {
    word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn settle_line(line: &str) -> String {
    let bare = line.trim_start_matches("< ");
    if bare.starts_with("date: ") {
        return line.replace(bare, "date: DATE");
    }
    let mut words: Vec<&str> = line.split(' ').collect();
    for index in 0..words.len() {
        let is_number = words[index].bytes().all(|byte| byte.is_ascii_digit());
        if words[index].len() == 32 && words[index].bytes().all(|byte| byte.is_ascii_hexdigit()) {
            words[index] = "MEMBER";
        } else if is_number && words.get(index + 1).is_some_and(|next| next.starts_with("times"))
            || index > 0 && words[index - 1] == "after" && is_seconds(words[index])
        {
            words[index] = "SOME";
        }
    }
    words.join(" ")
}
