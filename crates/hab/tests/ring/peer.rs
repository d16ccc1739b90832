//! A ring member written in Python (`tests/peers/ring_peer.py`).

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use testkit::{Supervisor, peer_script, python_with, wait_for};

/// The running member. Dropping it kills it.
pub(crate) struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: Arc<Mutex<Vec<Value>>>,
    pub(crate) id: String,
}

impl Peer {
    /// Starts it; `None` when this machine cannot.
    pub(crate) fn start(sup: &Supervisor, args: &[&str]) -> Option<Self> {
        let python = python_with(&["zmq", "nacl.secret"])?;
        let ip = testkit::own_address(11);
        let address = SocketAddr::from((ip, testkit::free_ports(&[ip])));
        let mut child = Command::new(python)
            .arg(peer_script("ring_peer.py"))
            .args(["--listen", &address.to_string(), "--peer", &sup.gossip.to_string(), "--stdin"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_default();
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(value);
            }
        });
        let mut peer = Self { child, stdin, lines, id: String::new() };
        let hello = peer.wait_line("its first line", |line| line["listening"].is_string());
        peer.id = hello["me"].as_str().expect("an id").into();
        Some(peer)
    }

    /// Its output so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it reports something.
    pub(crate) fn wait_line(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, || self.lines().into_iter().find(&wanted))
    }

    /// Sends it a command.
    pub(crate) fn send(&mut self, command: &Value) {
        writeln!(self.stdin, "{command}").expect("it lives");
    }

    /// Its current view.
    pub(crate) fn state(&mut self) -> Value {
        let before = self.lines().len();
        self.send(&json!({"cmd": "state"}));
        wait_for("its state", || {
            let lines = self.lines();
            lines.get(before..)?.iter().find(|l| l["state"].is_object()).map(|l| l["state"].clone())
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of that address without a listener.
pub(crate) fn silent_port(ip: Ipv4Addr) -> u16 {
    let listener = TcpListener::bind((ip, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
