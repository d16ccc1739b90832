//! The event stream with a real NATS server.

use std::{
    env,
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Builder, Root, Supervisor, skip, wait_for};

use super::{ok, root, root_with_web};

/// Longest wait for one event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A NATS server that ends with this value.
struct Nats {
    program: PathBuf,
    port: u16,
    args: Vec<String>,
    child: Child,
}

impl Nats {
    /// Starts the server; `None` (and the test is skipped) where the program is missing.
    fn start(args: &[&str]) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|directory| directory.join("nats-server"))
            .find(|path| path.is_file());
        let Some(program) = program else {
            skip("nats-server is not installed");
            return None;
        };
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let port = free_port();
        let child = Self::spawn(&program, port, &args);
        Some(Self { program, port, args, child })
    }

    fn spawn(program: &Path, port: u16, args: &[String]) -> Child {
        let child = Command::new(program)
            .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server starts");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_for("nats-server", || TcpStream::connect(address).ok());
        child
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again on the same port.
    fn again(&mut self) {
        self.child = Self::spawn(&self.program, self.port, &self.args);
    }

    /// Subscribes to everything.
    fn subscribe(&self, token: &str) -> Receiver<Message> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let text = format!(
            "CONNECT {{\"verbose\":false,\"auth_token\":\"{token}\"}}\r\nSUB > 1\r\nPING\r\n"
        );
        stream.write_all(text.as_bytes()).expect("it reads");
        let mut lines = BufReader::new(stream.try_clone().expect("a handle"));
        let mut next = move || {
            let mut line = String::new();
            lines.read_line(&mut line).ok().filter(|length| *length > 0)?;
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let mut bytes = Vec::new();
            if words[0] == "MSG" {
                let length: usize = words.last()?.parse().ok()?;
                bytes.resize(length + 2, 0);
                lines.read_exact(&mut bytes).ok()?;
            }
            Some((words, bytes))
        };
        while next().expect("an answer").0[0] != "PONG" {}
        let (sender, messages) = channel();
        thread::spawn(move || {
            while let Some((words, bytes)) = next() {
                match words[0].as_str() {
                    "PING" => drop(stream.write_all(b"PONG\r\n")),
                    "MSG" => drop(sender.send(Message { subject: words[1].clone(), bytes })),
                    _ => {}
                }
            }
        });
        messages
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Message {
    subject: String,
    bytes: Vec<u8>,
}

impl Message {
    fn contains(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// The next event of this kind about a service; others in between are passed over.
fn next(messages: &Receiver<Message>, kind: &str, service: &str) -> Message {
    let subject = format!("habitat.event.{kind}");
    loop {
        let message = messages.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {kind}"));
        if message.subject == subject && message.contains(service) {
            return message;
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn streaming<'a>(root: &'a Root, url: &str, token: &str) -> Builder<'a> {
    root.supervisor()
        .args(["--event-stream-url", url, "--event-stream-token", token])
        .args(["--event-stream-application", "shop", "--event-stream-environment", "prod"])
        .args(["--event-stream-site", "here", "--event-meta", "zone=b-c"])
}

/// What `/v1/supervisor` shows of the stream.
fn condition(sup: &Supervisor) -> (String, String) {
    let shown = sup.get("/v1/supervisor").json();
    let conditions = shown["conditions"].as_array().expect("a list");
    let it = conditions.iter().find(|it| it["type"] == "event_stream_down").expect("it is known");
    let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("message"))
}

#[test]
fn a_nats_server_gets_what_happens_to_services() {
    let Some(nats) = Nats::start(&["--auth", "TOK"]) else { return };
    let messages = nats.subscribe("TOK");
    let root = root_with_web();
    let plain = [("hooks/run", "#!/bin/sh\nexec sleep 100000\n")];
    root.package("acme/plain/1.0.0/20250101000000", &plain);
    let url = format!("127.0.0.1:{}", nats.port);
    let sup = streaming(&root, &url, "TOK")
        .args(["--event-stream-connect-timeout", "30"])
        .args(["--service-min-backoff-period", "1", "--service-max-backoff-period", "1"])
        .start();
    sup.wait_log("Event FQDN ");
    ok(&sup, &["svc", "load", "acme/web", "--health-check-interval", "1"]);
    let started = next(&messages, "service_started", "web.default");
    let id = sup.member_id();
    for part in [&*id, &sup.gossip.to_string(), "shop", "prod", "here", "zone", "b-c", super::WEB] {
        assert!(started.contains(part), "{part} in {started:?}");
    }
    let checked = next(&messages, "healthcheck", "web.default");
    assert!(checked.contains("checked\n"), "{checked:?}");

    let pid = Pid::from_raw(sup.wait_up("web")).expect("a pid");
    kill_process(pid, Signal::KILL).expect("it runs");
    next(&messages, "service_stopped", "web.default");
    next(&messages, "service_started", "web.default");

    // Its health has no check: it is reported nevertheless, again and again.
    ok(&sup, &["svc", "load", "acme/plain", "--health-check-interval", "1"]);
    next(&messages, "service_started", "plain.default");
    next(&messages, "healthcheck", "plain.default");
    next(&messages, "healthcheck", "plain.default");

    // Another Supervisor takes them back.
    ok(&sup, &["sup", "restart"]);
    next(&messages, "service_started", "plain.default");
    next(&messages, "healthcheck", "plain.default");
    ok(&sup, &["svc", "unload", "--wait", "acme/plain"]);
    next(&messages, "service_stopped", "plain.default");
    sup.signal(Signal::TERM);
    next(&messages, "service_stopped", "web.default");
}

#[test]
fn a_server_that_was_away_gets_the_latest_events() {
    let Some(mut nats) = Nats::start(&["--auth", "TOK"]) else { return };
    nats.kill();
    let root = root_with_web();
    let url = format!("nats://TOK@127.0.0.1:{}", nats.port);
    let sup = streaming(&root, &url, "another token").start();
    wait_for("the condition", || (condition(&sup).0 == "warn").then_some(()));
    sup.wait_log("hab-sup(ES): The event stream does not reach 127.0.0.1:");
    let (_, message) = condition(&sup);
    assert!(message.contains(&format!("127.0.0.1:{}", nats.port)), "{message}");
    assert!(!message.contains("TOK"), "{message}");
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);

    // It comes; then it is gone for a while.
    nats.again();
    let messages = nats.subscribe("TOK");
    next(&messages, "service_started", "web.default");
    next(&messages, "healthcheck", "web.default");
    wait_for("the end of the condition", || (condition(&sup).0 == "ok").then_some(()));
    nats.kill();
    wait_for("the condition", || (condition(&sup).0 == "warn").then_some(()));
    ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
    nats.again();
    let messages = nats.subscribe("TOK");
    next(&messages, "service_stopped", "web.default");
    let metrics = sup.get("/metrics").text();
    assert!(metrics.contains("hab_sup_event_stream_connected 1\n"), "{metrics}");
    assert!(metrics.contains("hab_sup_event_stream_dropped_total 0\n"), "{metrics}");
}

#[test]
fn running_services_do_not_wait_for_the_server() {
    let Some(mut nats) = Nats::start(&["--auth", "TOK"]) else { return };
    let root = root_with_web();
    let url = format!("127.0.0.1:{}", nats.port);
    let mut sup =
        streaming(&root, &url, "TOK").args(["--event-stream-connect-timeout", "30"]).start();
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    let pid = sup.wait_up("web");
    nats.kill();
    let former = sup.supervisor_pid().expect("a Supervisor");
    kill_process(former, Signal::KILL).expect("it runs");
    wait_for("the next Supervisor", || sup.supervisor_pid().filter(|next| *next != former));
    assert_eq!(sup.wait_up("web"), pid);
    wait_for("the condition", || (condition(&sup).0 == "warn").then_some(()));
    assert_eq!(sup.stop(), 0, "{}", sup.log());
}

#[test]
fn a_start_that_must_reach_the_server_ends_without_it() {
    let Some(nats) = Nats::start(&["--auth", "TOK"]) else { return };
    for (port, token) in [(nats.port, "WRONG"), (free_port(), "TOK")] {
        let root = root();
        let url = format!("127.0.0.1:{port}");
        let mut sup =
            streaming(&root, &url, token).args(["--event-stream-connect-timeout", "1"]).spawn();
        assert_eq!(sup.wait_exit(), 86, "{}", sup.log());
        sup.wait_log("\nCould not establish connection to NATS server\n");
    }
}

#[test]
fn the_stream_is_encrypted_where_the_server_wants_it() {
    let root = root_with_web();
    let directory = root.join("tls").display().to_string();
    let made = Command::new(root.program())
        .args(["sup", "secret", "generate-tls", "--subject-alternative-name", "localhost"])
        .arg(&directory)
        .env_clear()
        .env("FS_ROOT", root.path())
        .output()
        .expect("the program starts");
    assert!(made.status.success(), "{made:?}");
    let file = |ending: &str| {
        let files = std::fs::read_dir(&directory).expect("a directory").flatten();
        let mut paths = files.map(|entry| entry.path().display().to_string());
        paths.find(|path| path.ends_with(ending)).expect(ending)
    };
    let (key, certificate) = (file(".key.pem"), file(".crt.pem"));
    let tls = ["--tls", "--tlscert", &certificate, "--tlskey", &key];
    let Some(nats) = Nats::start(&[&["--auth", "TOK"], &tls[..]].concat()) else { return };
    let url = format!("localhost:{}", nats.port);
    let sup = streaming(&root, &url, "TOK")
        .args(["--event-stream-server-certificate", &certificate])
        .args(["--event-stream-connect-timeout", "30"])
        .start();
    ok(&sup, &["svc", "load", "acme/web"]);
    wait_for("an event", || {
        let metrics = sup.get("/metrics").text();
        let sent = metrics.lines().find(|line| line.starts_with("hab_sup_event_stream_sent_total"));
        sent.filter(|line| !line.ends_with(" 0")).map(drop)
    });
    drop(sup);

    // With a certificate, a server without TLS gets no token.
    let Some(open) = Nats::start(&["--auth", "TOK"]) else { return };
    let mut strict = streaming(&root, &format!("localhost:{}", open.port), "TOK")
        .args(["--event-stream-server-certificate", &certificate])
        .args(["--event-stream-connect-timeout", "1"])
        .spawn();
    assert_eq!(strict.wait_exit(), 86, "{}", strict.log());
    drop(strict);

    // Without the certificate the server is not trusted.
    let mut untrusting =
        streaming(&root, &url, "TOK").args(["--event-stream-connect-timeout", "1"]).spawn();
    assert_eq!(untrusting.wait_exit(), 86, "{}", untrusting.log());
}
