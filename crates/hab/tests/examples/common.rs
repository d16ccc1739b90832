//! One example under a Supervisor, and the checks common to all examples.

use std::{
    env,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

/// Directory of PostgreSQL's programs on Debian.
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// The path of a program as the examples' hooks find it; otherwise reports that the test is
/// skipped.
pub(crate) fn find(program: &str, test: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = Path::new(POSTGRESQL).read_dir().into_iter().flatten().flatten();
    let found = env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .chain(versions.map(|version| version.path().join("bin")))
        .map(|directory| directory.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        // Not eprintln: the test harness would capture it.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {program} is not installed");
    }
    found
}

/// An unused port of 127.0.0.1.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// An example that runs.
pub(crate) struct Example {
    pub(crate) root: Root,
    pub(crate) sup: Supervisor,
    name: &'static str,
}

impl Example {
    /// Starts `examples/NAME` with a user configuration and waits until it is healthy.
    pub(crate) fn start(name: &'static str, user_toml: &str) -> Self {
        Self::start_in(Root::new(env!("CARGO_BIN_EXE_hab")), name, user_toml)
    }

    /// The same in a root that is prepared.
    pub(crate) fn start_in(root: Root, name: &'static str, user_toml: &str) -> Self {
        root.write(&user_toml_path(name), user_toml);
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/");
        let sup = root
            .supervisor()
            .args([format!("{directory}{name}")])
            .args(["--health-check-interval", "1"])
            .args(["--service-min-backoff-period", "1", "--service-max-backoff-period", "2"])
            .start();
        let example = Self { root, sup, name };
        example.wait_health(200, "OK");
        example
    }

    /// Changes the user configuration.
    pub(crate) fn configure(&self, user_toml: &str) {
        self.root.write(&user_toml_path(self.name), user_toml);
    }

    /// The service as `/services/NAME/default` shows it.
    pub(crate) fn service(&self) -> Value {
        self.sup.get(&format!("/services/{}/default", self.name)).json()
    }

    /// What its processes use, once it is as wanted.
    pub(crate) fn wait_usage(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/services/{}.default/stats", self.name);
        let stats = self.sup.wait_json(&path, |stats| wanted(&stats["usage"]));
        assert_eq!(stats["why"], Value::Null, "{stats:#}");
        stats["usage"].clone()
    }

    /// Waits until the service listens on this port of TCP.
    pub(crate) fn wait_port(&self, port: u16) -> Value {
        self.wait_usage(|usage| {
            let listening = usage["listening"].as_array();
            let is_it = |it: &Value| it["protocol"] == "tcp" && it["port"] == port;
            listening.is_some_and(|all| all.iter().any(is_it))
        })
    }

    /// Lines that the service printed, as `hab svc logs` shows them.
    pub(crate) fn lines(&self) -> String {
        let output = self.sup.hab(["svc", "logs", self.name, "--format", "plain"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Pid of the service.
    pub(crate) fn pid(&self) -> i32 {
        self.sup.wait_up(self.name)
    }

    /// Waits until the health document has this status code and status word.
    pub(crate) fn wait_health(&self, code: u16, word: &str) {
        let path = format!("/services/{}/default/health", self.name);
        wait_for(&format!("{} of {path}", &word), || {
            let answer = self.sup.get(&path);
            (answer.status() == code && answer.json()["status"] == word).then_some(())
        });
    }

    /// Kills the service with SIGKILL and waits until a new process is healthy: one restart more,
    /// with the reason and the pid of the killed process.
    pub(crate) fn kill_and_wait_for_the_next(&self) {
        let before = self.service();
        let pid = self.pid();
        kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it lives");
        let restarts = before["restart_count"].as_u64().expect("a number");
        let path = format!("/services/{}/default", self.name);
        let after = self.sup.wait_json(&path, |service| {
            service["process"]["state"] == "up" && service["process"]["pid"] != pid
        });
        assert_eq!(after["restart_count"], restarts + 1, "{after:#}");
        let last = &after["last_process_state"];
        assert_eq!(last["pid"], pid, "{after:#}");
        assert_eq!(last["termination_reason"], "run_hook_failed", "{after:#}");
        self.sup.wait_log("Stopping service, will restart after 1.00 secs");
        self.wait_health(200, "OK");
        self.wait_recorded_kill(pid);
        // Another one within half a minute goes on as the same incident.
        self.wait_incident("", true);
    }

    /// Waits until the record holds the end of this process, which the start of the next follows
    /// from.
    fn wait_recorded_kill(&self, pid: i32) {
        let path = format!("/v1/services/{}.default/events?order=oldest&limit=1000", self.name);
        let is = |event: &Value, kind: &str| event["type"] == kind;
        let events = self.sup.wait_json(&path, |page| {
            let events = page["items"].as_array().expect("a list");
            let end = events
                .iter()
                .position(|event| is(event, "process.exited") && event["data"]["pid"] == pid);
            end.is_some_and(|end| events[end..].iter().any(|event| is(event, "service.up")))
        });
        let events = events["items"].as_array().expect("a list");
        let end =
            events.iter().find(|event| is(event, "process.exited") && event["data"]["pid"] == pid);
        let end = end.expect("it was there");
        assert_eq!(end["data"]["signal"], 9, "{end:#}");
        // From the last start back to the end: each event names the one before it.
        let mut at = events.iter().rfind(|event| is(event, "process.started")).expect("a start");
        while at["seq"] != end["seq"] {
            let cause = events.iter().find(|event| event["seq"] == at["cause"]);
            at = cause.unwrap_or_else(|| panic!("{at:#} has no cause in {events:#?}"));
        }
    }

    /// Waits until the service is explained by these words, with the health as its cause.
    pub(crate) fn wait_explained(&self, code: &str) {
        let path = format!("/v1/services/{}.default/explain", self.name);
        self.sup.wait_json(&path, |explanation| {
            let chain = explanation["chain"].as_array();
            chain.is_some_and(|chain| chain.iter().any(|step| step["code"] == code))
        });
        let why = self.sup.hab(["svc", "why", self.name]);
        // It is up, and not healthy.
        assert_eq!(why.status.code(), Some(3), "{why:?}");
        assert!(String::from_utf8_lossy(&why.stdout).contains(code), "{why:?}");
    }

    /// Waits until the record holds a change of health to this word.
    pub(crate) fn wait_recorded_health(&self, word: &str) {
        let path = format!("/v1/services/{}.default/events?type=health.changed&limit=1", self.name);
        self.sup.wait_json(&path, |page| page["items"][0]["after"] == word);
    }

    /// Waits until availability has an incident with this reason, over or not; returns it.
    pub(crate) fn wait_incident(&self, reason: &str, is_over: bool) -> Value {
        let path = format!("/v1/services/{}.default/availability", self.name);
        let find = |document: &Value| {
            let is = |it: &&Value| {
                it["reason"].as_str().is_some_and(|text| text.contains(reason))
                    && it["to"].is_string() == is_over
            };
            document["incidents"].as_array()?.iter().find(is).cloned()
        };
        find(&self.sup.wait_json(&path, |document| find(document).is_some())).expect("found")
    }

    /// Waits until the service is critical, and checks what each way to ask says about it: that the
    /// check printed this.
    pub(crate) fn wait_critical_everywhere(&self, printed: &str) {
        self.wait_health(503, "CRITICAL");
        let path = |what: &str| format!("/v1/services/{}.default/{what}", self.name);
        self.wait_explained("health_critical");
        let holds = |document: &Value| document.to_string().contains(printed);
        let explanation = self.sup.wait_json(&path("explain"), holds);
        let chain = explanation["chain"].as_array().expect("a chain");
        let step = chain.iter().find(|step| step["code"] == "health_critical").expect("it");
        assert!(holds(&step["evidence"]), "{explanation:#}");
        let health = self.sup.get(&path("health")).json();
        assert!(holds(&health["checks"]), "{health:#}");
        let events = self.sup.wait_json(&path("events?type=health.changed&limit=1"), |page| {
            page["items"][0]["after"] == "critical" && holds(page)
        });
        assert_eq!(events["items"][0]["severity"], "error", "{events:#}");
        let incident = self.wait_incident("critical", false);
        assert!(holds(&incident), "{incident:#}");
    }

    /// Pauses all processes of the service: it neither ends nor answers.
    pub(crate) fn freeze(&self) {
        let group = Pid::from_raw(self.pid()).expect("a pid");
        kill_process_group(group, Signal::STOP).expect("it lives");
    }

    /// Resumes them.
    pub(crate) fn thaw(&self) {
        let group = Pid::from_raw(self.pid()).expect("a pid");
        kill_process_group(group, Signal::CONT).expect("it lives");
    }

    /// Stops the service by command, then the Supervisor: both end cleanly, and nothing is left.
    pub(crate) fn stop(mut self) {
        let ident = format!("local/{}", self.name);
        let stopped =
            self.sup.hab(["svc", "stop", &ident, "--remote-sup", &self.sup.ctl.to_string()]);
        assert!(stopped.status.success(), "{stopped:?}");
        let path = format!("/services/{}/default", self.name);
        self.sup.wait_json(&path, |service| {
            service["desired_state"] == "Down" && service["process"]["state"] == "down"
        });
        self.wait_health(500, "UNKNOWN");
        self.sup.wait_log("Service gracefully terminated");
        assert_eq!(self.sup.stop(), 0, "{}", self.sup.log());
        assert_eq!(self.root.processes(), [], "{}", self.sup.log());
    }
}

fn user_toml_path(name: &str) -> String {
    format!("hab/user/{name}/config/user.toml")
}

/// Runs a program; returns its trimmed output.
pub(crate) fn ask(program: &Path, arguments: &[&str]) -> String {
    let Output { stdout, stderr, .. } = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr))
        .trim()
        .to_owned()
}
