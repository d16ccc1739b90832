//! One launcher with its own root, ended with everything it started at the end of the test.

use std::{
    ffi::OsString,
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use roost_launch::{
    LAUNCHER_ARG,
    client::{self, Decoder},
    line::Style,
    wire::{
        Exited, Hello, HookEnded, Kind, LauncherEvent, Output, Request, Scope, SendSignal,
        Shutdown, Spawn, SpawnFailed, Spawned, Variable, Welcome, WireStatus,
    },
};

/// A test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// Pause between two polls.
const GLANCE: Duration = Duration::from_millis(5);

pub(crate) struct Rig {
    root: tempfile::TempDir,
    listener: UnixListener,
    pub(crate) launcher: Option<Child>,
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
}

impl Rig {
    /// A root without a launcher.
    pub(crate) fn new() -> Rig {
        let root = tempfile::tempdir().expect("temporary directory");
        let listener = UnixListener::bind(root.path().join("sup.sock")).expect("bound");
        listener.set_nonblocking(true).expect("non-blocking");
        Rig { root, listener, launcher: None, stdout: Text::default(), stderr: Text::default() }
    }

    /// A launcher whose Supervisor has sent Hello.
    pub(crate) fn started() -> (Rig, Sup) {
        let mut rig = Rig::new();
        rig.start();
        let mut sup = rig.accept();
        sup.hello();
        (rig, sup)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("known"));
        command
            .args([LAUNCHER_ARG, "--no-color"])
            .env("FS_ROOT", self.root())
            .env_remove("HAB_SUP_BINARY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the launcher and collects its output.
    pub(crate) fn start(&mut self) {
        let command = self.command();
        self.start_with(command);
        let launcher = self.launcher.as_mut().expect("started");
        self.stdout.collect(launcher.stdout.take().expect("piped"));
        self.stderr.collect(launcher.stderr.take().expect("piped"));
    }

    /// Starts it without reading its outputs.
    pub(crate) fn start_with(&mut self, mut command: Command) {
        self.launcher = Some(command.spawn().expect("started"));
    }

    pub(crate) fn pid(&self) -> u32 {
        self.launcher.as_ref().expect("started").id()
    }

    /// The next Supervisor that starts.
    pub(crate) fn accept(&self) -> Sup {
        let stream = wait_for("a Supervisor", || match self.listener.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        });
        stream.set_nonblocking(false).expect("blocking");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let pid = rustix::net::sockopt::socket_peercred(&stream).expect("known").pid;
        Sup {
            pid: pid.as_raw_pid().cast_unsigned(),
            stream,
            decoder: Decoder::new(),
            root: self.root().to_owned(),
        }
    }

    pub(crate) fn signal(&self, signal: i32) {
        kill(self.pid(), signal);
    }

    /// The exit status of the launcher.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let launcher = self.launcher.as_mut().expect("started");
        let status = wait_for("the launcher's end", || launcher.try_wait().expect("child"));
        self.launcher = None;
        status
    }

    /// Kills all processes of the rig.
    fn clean(&mut self) {
        if let Some(mut launcher) = self.launcher.take() {
            let _ = launcher.kill();
            let _ = launcher.wait();
        }
        wait_for("the end of everything", || {
            let left = self.processes();
            for pid in &left {
                kill(*pid, libc::SIGKILL);
            }
            left.is_empty().then_some(())
        });
    }

    /// All live processes of this rig: each has its root in the environment.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mark = self.root().as_os_str().as_encoded_bytes();
        let own = std::process::id();
        let numbers = fs::read_dir("/proc")
            .expect("readable")
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.parse::<u32>().ok());
        let ours = |pid: &u32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            *pid != own && environ.windows(mark.len()).any(|window| window == mark)
        };
        numbers.filter(ours).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.clean();
        if std::thread::panicking() {
            eprintln!("--- stdout\n{}--- stderr\n{}", self.stdout.get(), self.stderr.get());
        }
    }
}

pub(crate) fn kill(pid: u32, signal: i32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process id");
    let signal = rustix::process::Signal::from_named_raw(signal).expect("a signal");
    let _ = rustix::process::kill_process(pid, signal);
}

/// Polls until there is a result.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(GLANCE);
    }
}

/// Whether a process runs (a zombie does not).
pub(crate) fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|s| s.starts_with(" Z")))
}

/// A number in kB from `/proc/PID/status`.
pub(crate) fn status_kb(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("running");
    let line = status.lines().find(|line| line.starts_with(field)).expect("present");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Output of the launcher so far.
#[derive(Default, Clone)]
pub(crate) struct Text {
    shared: Arc<(Mutex<Vec<u8>>, Condvar)>,
}

impl Text {
    pub(crate) fn collect(&self, mut from: impl Read + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(count) = from.read(&mut buffer) {
                if count == 0 {
                    return;
                }
                shared.0.lock().expect("not poisoned").extend(&buffer[..count]);
                shared.1.notify_all();
            }
        });
    }

    pub(crate) fn get(&self) -> String {
        let bytes = self.shared.0.lock().expect("not poisoned");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it contains `part`.
    pub(crate) fn wait(&self, part: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut bytes = self.shared.0.lock().expect("not poisoned");
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.contains(part) {
                return text;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // The clean-up after the panic reads it too.
                drop(bytes);
                panic!("no {part:?} in {text:?}");
            }
            bytes = self.shared.1.wait_timeout(bytes, left).expect("not poisoned").0;
        }
    }
}

/// The test's end of one Supervisor's connection.
pub(crate) struct Sup {
    pub(crate) pid: u32,
    stream: UnixStream,
    decoder: Decoder,
    root: PathBuf,
}

impl Sup {
    pub(crate) fn hello(&mut self) -> Welcome {
        self.send(&Request::Hello(Hello::new(Style::default())));
        let mut welcome = Welcome::default();
        loop {
            match self.next() {
                LauncherEvent::Welcome(part) => {
                    if welcome.add_part(part) {
                        return welcome;
                    }
                }
                other => panic!("{other:?} instead of a welcome"),
            }
        }
    }

    pub(crate) fn send(&mut self, request: &Request) {
        let bytes = client::encode(request).expect("small");
        self.stream.write_all(&bytes).expect("sent");
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    pub(crate) fn next(&mut self) -> LauncherEvent {
        loop {
            if let Some(event) = self.decoder.next().expect("understood") {
                return event;
            }
            let mut buffer = [0; 65536];
            let count = self.stream.read(&mut buffer).expect("an event in time");
            assert!(count > 0, "the Supervisor ended");
            self.decoder.push(&buffer[..count]);
        }
    }

    /// Waits for an event selected by `pick`; skips the others.
    pub(crate) fn until<T>(&mut self, mut pick: impl FnMut(LauncherEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next()) {
                return found;
            }
        }
    }

    /// Requests the execution of a shell script.
    pub(crate) fn spawn(&mut self, id: u64, kind: Kind, name: &str, script: &str) {
        let request = self.shell(id, kind, name, script);
        self.send(&Request::Spawn(request));
    }

    pub(crate) fn shell(&self, id: u64, kind: Kind, name: &str, script: &str) -> Spawn {
        let mut request = self.program(id, kind, name, "/bin/sh".as_ref());
        request.args = vec!["-c".into(), script.into()];
        request
    }

    pub(crate) fn program(&self, id: u64, kind: Kind, name: &str, program: &Path) -> Spawn {
        let env: [(OsString, OsString); 2] = [
            ("PATH".into(), "/usr/bin:/bin".into()),
            // this variable identifies the rig's processes
            ("ROOST_TEST_ROOT".into(), self.root.clone().into()),
        ];
        Spawn {
            id,
            kind: kind.into(),
            name: name.to_owned(),
            program: program.as_os_str().as_bytes().to_vec(),
            args: Vec::new(),
            env: env.map(Variable::from).to_vec(),
            user: None,
            shutdown: Shutdown::default(),
            kept: None,
        }
    }

    /// Starts a service that does nothing until it is stopped; returns its process id.
    pub(crate) fn sleeper(&mut self, id: u64, name: &str) -> u32 {
        self.spawn(id, Kind::Service, name, "exec sleep 1000");
        self.spawned(id)
    }

    pub(crate) fn spawned(&mut self, id: u64) -> u32 {
        self.until(|event| match event {
            LauncherEvent::Spawned(Spawned { id: got, pid, .. }) if got == id => Some(pid),
            LauncherEvent::SpawnFailed(_) => panic!("{event:?}"),
            _ => None,
        })
    }

    pub(crate) fn failed(&mut self, id: u64) -> (i32, String) {
        self.until(|event| match event {
            LauncherEvent::SpawnFailed(SpawnFailed { id: got, errno, message }) if got == id => {
                Some((errno, message))
            }
            LauncherEvent::Spawned(_) => panic!("{event:?}"),
            _ => None,
        })
    }

    pub(crate) fn exited(&mut self, id: u64) -> Option<WireStatus> {
        self.until(|event| match event {
            LauncherEvent::Exited(Exited { end, .. }) if end.id == id => Some(end.status),
            _ => None,
        })
    }

    pub(crate) fn hook_ended(&mut self, id: u64) -> Option<WireStatus> {
        self.until(|event| match event {
            LauncherEvent::HookEnded(HookEnded { id: got, status }) if got == id => Some(status),
            _ => None,
        })
    }

    pub(crate) fn exited_with_words(&mut self, id: u64) -> String {
        self.until(|event| match event {
            LauncherEvent::Exited(Exited { end, .. }) if end.id == id => Some(end.last_words),
            _ => None,
        })
    }

    pub(crate) fn group_gone(&mut self, id: u64) {
        self.until(|event| (event == LauncherEvent::GroupGone(id)).then_some(()));
    }

    pub(crate) fn signal(&mut self, id: u64, signal: i32, scope: Scope) {
        self.send(&Request::Signal(SendSignal { id, signal, scope: scope.into() }));
    }

    /// All output of a hook, until its end.
    pub(crate) fn output(&mut self, id: u64) -> String {
        let mut text = Vec::new();
        self.until(|event| match event {
            LauncherEvent::Output(Output { id: got, bytes, .. }) if got == id => {
                text.extend(bytes);
                None
            }
            LauncherEvent::HookEnded(HookEnded { id: got, .. }) if got == id => Some(()),
            _ => None,
        });
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Ends the Supervisor with this code.
    pub(crate) fn end(self, code: u8) {
        fs::write(self.root.join("exit-code"), code.to_string()).expect("written");
        drop(self.stream);
    }

    pub(crate) fn kill(self) {
        kill(self.pid, libc::SIGKILL);
    }
}
