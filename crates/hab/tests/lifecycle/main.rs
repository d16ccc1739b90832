//! Black-box tests of a Supervisor's life: real processes, real signals, real files.

mod acknowledged;
mod bad_input;
mod candidates;
mod damaged;
mod death;
mod directories;
mod disk;
mod environment;
mod hanging;
mod health;
mod https;
mod lines;
mod lines_over_http;
mod monitored;
mod returning;
mod rights;
mod services;
mod starting;
mod torrents;

use serde_json::Value;
use testkit::{Root, Supervisor};

/// A root for the program under test.
fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

const WEB: &str = "acme/web/1.0.0/20250101000000";

/// A service that runs until it is stopped.
const RUN: &str = "#!/bin/sh\necho run $$\nexec sleep 100000\n";

/// A root with the package `acme/web` that runs [`RUN`] and has these additional files.
fn root_with_web(files: &[(&str, &str)]) -> Root {
    let root = root();
    let mut all = vec![("hooks/run", RUN)];
    all.extend_from_slice(files);
    root.package(WEB, &all);
    root
}

fn web(sup: &Supervisor) -> Value {
    sup.get("/services/web/default").json()
}

/// Waits until `acme/web` matches.
fn wait_web(sup: &Supervisor, wanted: impl Fn(&Value) -> bool) -> Value {
    sup.wait_json("/services/web/default", wanted)
}

fn is_up(service: &Value) -> bool {
    service["process"]["state"] == "up"
}

fn pid_of(service: &Value) -> i32 {
    service["process"]["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap_or_default()
}

/// True while a process with this id exists and is not a zombie.
fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

fn kill(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
    rustix::process::kill_process(pid, signal).expect("the process lives");
}
