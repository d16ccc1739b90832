//! A running Supervisor.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU8, AtomicU16, Ordering},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{Answer, Root, http, wait_for};

/// Builder of a Supervisor: `hab sup run` with free listen addresses, a separate environment and
/// the given arguments.
#[derive(Debug)]
pub struct Builder<'a> {
    root: &'a Root,
    address: Ipv4Addr,
    port: u16,
    args: Vec<OsString>,
    through: Vec<OsString>,
    env: BTreeMap<String, String>,
    http_args: bool,
    gossip_args: bool,
    own_args: bool,
}

/// Next port of Supervisors in this test process; each uses three consecutive ones.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);
/// Number of the next Supervisor's address.
static NEXT_ADDRESS: AtomicU8 = AtomicU8::new(0);

/// Loopback addresses reserved for this test process, numbered from 0 to 11.
#[must_use]
pub fn own_address(number: u8) -> Ipv4Addr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, (4 + number % 12) << 4 | (a & 0x0f), b, c)
}

/// The first of three ports that are free on all these addresses.
#[must_use]
pub fn free_ports(addresses: &[Ipv4Addr]) -> u16 {
    wait_for("free ports", || {
        let first = NEXT_PORT.fetch_add(3, Ordering::Relaxed);
        let free = |(address, port)| TcpListener::bind((address, port)).is_ok();
        let mut places = addresses.iter().flat_map(|a| (first..first + 3).map(move |p| (*a, p)));
        places.all(free).then_some(first)
    })
}

impl<'a> Builder<'a> {
    pub(crate) fn new(root: &'a Root) -> Self {
        // As if each had a separate machine.
        let address = own_address(NEXT_ADDRESS.fetch_add(1, Ordering::Relaxed));
        let env = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];
        Self {
            root,
            address,
            port: free_ports(&[address]),
            args: Vec::new(),
            through: Vec::new(),
            env: env.map(|(name, value)| (name.into(), value.into())).into(),
            http_args: true,
            gossip_args: true,
            own_args: false,
        }
    }

    /// Listens at these addresses instead of chosen ones: HTTP, then control, then gossip.
    #[must_use]
    pub fn at(mut self, address: Ipv4Addr, first_port: u16) -> Self {
        (self.address, self.port) = (address, first_port);
        self
    }

    /// Adds no arguments of its own, not even listen addresses.
    #[must_use]
    pub fn without_own_args(mut self) -> Self {
        self.own_args = true;
        self
    }

    /// Adds arguments of `hab sup run`.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Starts it through a command that executes its arguments (`setpriv`, `sh -c 'umask 0; exec
    /// "$@"'`).
    #[must_use]
    pub fn through<A: Into<OsString>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        self.through.extend(command.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable; the only others are `PATH`, `LANG`, `FS_ROOT`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Listens at the addresses of a Supervisor that has ended.
    #[must_use]
    pub fn in_place_of(mut self, former: &Supervisor) -> Self {
        if let IpAddr::V4(address) = former.http.ip() {
            self.address = address;
        }
        self.port = former.http.port();
        // A killed process is no longer listed while its last thread still holds its sockets.
        let places = (self.port..self.port + 3).map(|port| (self.address, port));
        wait_for("the ports of the former Supervisor", || {
            places.clone().all(|place| TcpListener::bind(place).is_ok()).then_some(())
        });
        self
    }

    /// Joins the ring of these members.
    #[must_use]
    pub fn peers(self, members: &[&Supervisor]) -> Self {
        let addresses = members.iter().flat_map(|sup| ["--peer".into(), sup.gossip.to_string()]);
        self.args(addresses)
    }

    /// Leaves the gossip listen address to the arguments.
    #[must_use]
    pub fn without_gossip_address(mut self) -> Self {
        self.gossip_args = false;
        self
    }

    /// Leaves the HTTP listen address to the arguments.
    #[must_use]
    pub fn without_http_address(mut self) -> Self {
        self.http_args = false;
        self
    }

    /// Starts it without waiting.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn spawn(self) -> Supervisor {
        let at = |offset| SocketAddr::new(IpAddr::V4(self.address), self.port + offset);
        let (http, ctl, gossip) = (at(0), at(1), at(2));
        let log = self.root.join(&format!("console-{}.txt", self.port));
        let file = File::create(&log).expect("a log file");
        let words = self.through.iter().map(OsString::as_os_str);
        let mut words = words.chain([self.root.program().as_os_str()]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).args(["sup", "run"]);
        if !self.own_args {
            command.args(["--no-color", "--sys-ip-address", &self.address.to_string()]);
            command.args(["--listen-ctl", &ctl.to_string()]);
        }
        if self.gossip_args && !self.own_args {
            command.args(["--listen-gossip", &gossip.to_string()]);
        }
        if self.http_args && !self.own_args {
            command.args(["--listen-http", &http.to_string()]);
        }
        command.args(&self.args).env_clear().envs(&self.env);
        command.env("FS_ROOT", self.root.path()).stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let child = command.spawn().expect("the program starts");
        Supervisor {
            child,
            program: self.root.program().into(),
            root: self.root.path().into(),
            log,
            http,
            ctl,
            gossip,
        }
    }

    /// Starts it and waits until its API answers 200.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn start(self) -> Supervisor {
        let token = self.env.get("HAB_SUP_GATEWAY_AUTH_TOKEN").cloned();
        let mut supervisor = self.spawn();
        let header = token.map(|token| ("authorization", format!("Bearer {token}")));
        let headers: Vec<_> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        wait_for("the first 200 of the API", || {
            assert!(supervisor.exit_code_now().is_none(), "it ended:\n{}", supervisor.log());
            let answer = supervisor.send("GET", "/services", &headers)?;
            (answer.status() == 200).then_some(())
        });
        supervisor
    }
}

/// A running Supervisor. Dropping it kills it; its root cleans up the services.
#[derive(Debug)]
pub struct Supervisor {
    child: Child,
    program: PathBuf,
    root: PathBuf,
    log: PathBuf,
    /// Address of the HTTP gateway.
    pub http: SocketAddr,
    /// Address of the control gateway.
    pub ctl: SocketAddr,
    /// Address of the gossip listener.
    pub gossip: SocketAddr,
}

impl Supervisor {
    /// Sends a request; `None` without a response.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.http);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        http::request(self.http, format!("{text}\r\n").as_bytes())
    }

    /// The response to a GET.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[])
            .unwrap_or_else(|| panic!("no answer for {path}:\n{}", self.log()))
    }

    /// Waits until the JSON at a path matches, and returns it.
    ///
    /// # Panics
    /// When it never does.
    pub fn wait_json(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let deadline = std::time::Instant::now() + crate::PATIENCE;
        while std::time::Instant::now() < deadline {
            if let Some(answer) = self.send("GET", path, &[]) {
                last = answer.json();
                if wanted(&last) {
                    return last;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{path} never matched; last {last:#}\nlog:\n{}", self.log());
    }

    /// Waits until the service runs and returns its pid.
    pub fn wait_up(&self, name: &str) -> i32 {
        let path = format!("/services/{name}/default");
        let service = self.wait_json(&path, |service| service["process"]["state"] == "up");
        service["process"]["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap_or_default()
    }

    /// Output of the Supervisor, its launcher and services so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until the log contains a text at least `times` times.
    ///
    /// # Panics
    /// When it never does.
    pub fn wait_log_times(&self, text: &str, times: usize) {
        let deadline = std::time::Instant::now() + crate::PATIENCE;
        while self.log().matches(text).count() < times {
            assert!(std::time::Instant::now() < deadline, "no '{text}' in:\n{}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Waits until the log contains a text.
    ///
    /// # Panics
    /// When it never does.
    pub fn wait_log(&self, text: &str) {
        self.wait_log_times(text, 1);
    }

    /// Its member id in the ring.
    #[must_use]
    pub fn member_id(&self) -> String {
        let path = self.root.join("hab/sup/default/MEMBER_ID");
        fs::read_to_string(path).unwrap_or_default()
    }

    /// The directory used as `/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Pid of the launcher, which is the process that was started.
    ///
    /// # Panics
    /// Never while the process runs.
    #[must_use]
    pub fn launcher_pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a pid")).expect("not zero")
    }

    /// Pid of the Supervisor itself, the launcher's child with that name.
    #[must_use]
    pub fn supervisor_pid(&self) -> Option<Pid> {
        let launcher = self.launcher_pid().as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children"));
        let is_supervisor = |pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "hab-sup\n")
        };
        let children = children.unwrap_or_default();
        let pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.into_iter().find(is_supervisor).and_then(Pid::from_raw)
    }

    /// Sends a signal to the launcher.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.launcher_pid(), signal).expect("the launcher lives");
    }

    /// The exit code if it has ended; after a signal, the negative signal number.
    pub fn exit_code_now(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.try_wait().ok().flatten()?;
        Some(status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()))
    }

    /// Waits for its end.
    pub fn wait_exit(&mut self) -> i32 {
        wait_for("the end of the Supervisor", || self.exit_code_now())
    }

    /// Stops it and waits for its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) -> i32 {
        self.signal(Signal::TERM);
        self.wait_exit()
    }

    /// Runs `hab` with arguments in the same root.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn hab<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// The command `hab` with arguments in the same root, not started.
    pub fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args.into_iter().map(Into::into)).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("FS_ROOT", &self.root);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
