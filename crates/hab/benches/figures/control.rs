//! Measurements of the control gateway and its commands.

use std::{
    fs,
    io::{Read, Write, pipe},
    process::Stdio,
    time::{Duration, Instant},
};

use testkit::{Supervisor, wait_for};

use super::{install, milliseconds, now_ns, report, root, spec, starts, stop, total_rss_mb};

/// Capacity of a pipe without a reader (pipe(7)).
const PIPE_BYTES: usize = 65_536;
/// Time after which a command blocked in a write has done everything else.
const AT_ITS_END: Duration = Duration::from_millis(300);

/// Runs `hab` against the control gateway, to its successful end.
fn hab(sup: &Supervisor, args: &[&str]) {
    let ctl = sup.ctl.to_string();
    let output = sup.hab(args.iter().copied().chain(["-r", &ctl]));
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Time of `hab svc status` as seen by a shell, and its peak memory.
pub(super) fn status() {
    let root = root();
    for name in ["one", "two", "three"] {
        install(&root, name, &[]);
        root.spec(name, &spec(name));
    }
    let sup = root.supervisor().start();
    super::wait_all_up(&sup, 3);
    let mut samples = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        hab(&sup, &["svc", "status"]);
        samples.push(began.elapsed().as_secs_f64() * 1e3);
    }
    report("`hab svc status`, whole process", "ms", samples, "<= 10 ms");
    report("`hab svc status`, peak memory", "MB", vec![peak_mb(&sup)], "<= 8 MB");
    stop(sup);
}

/// The peak resident memory of `hab svc status` before it writes its table. The pipe is full, so
/// the command blocks there until it is measured.
fn peak_mb(sup: &Supervisor) -> f64 {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    writer.write_all(&[b' '; PIPE_BYTES]).expect("as much as it takes");
    let mut command = sup.command(["svc", "status", "-r", &sup.ctl.to_string()]);
    let mut child = command.stdout(Stdio::from(writer)).spawn().expect("it starts");
    drop(command);
    std::thread::sleep(AT_ITS_END);
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it lives");
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("text");
    assert!(said.contains("one.default") && child.wait().expect("an end").success(), "{said}");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kb.unwrap_or(f64::NAN) / 1024.0
}

/// From the start of `hab svc load` to the first line of the service's `run` hook.
pub(super) fn load_to_process() {
    let root = root();
    let sup = root.supervisor().start();
    let mut samples = Vec::new();
    for number in 0..50 {
        let name = format!("s{number}");
        install(&root, &name, &[]);
        let began_ns = now_ns();
        hab(&sup, &["svc", "load", &format!("acme/{name}")]);
        wait_for("the process", || starts(&root, &name).first().copied());
        samples.push(milliseconds(began_ns, starts(&root, &name)[0]));
    }
    report("`hab svc load` to its process", "ms", samples, "<= 50 ms");
    stop(sup);
}

/// Memory that launcher and Supervisor keep after a thousand services were loaded and unloaded.
pub(super) fn thousand_loads() {
    const WARM: usize = 100;
    let root = root();
    install(&root, "web", &[]);
    let sup = root.supervisor().start();
    let descriptors = || -> f64 {
        let count = |pid: i32| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let supervisor = sup.supervisor_pid().expect("a Supervisor");
        let all = [sup.launcher_pid(), supervisor].map(|pid| count(pid.as_raw_nonzero().get()));
        all.iter().sum::<usize>() as f64
    };
    let memory = || {
        let (launcher, supervisor) = total_rss_mb(&sup);
        launcher + supervisor
    };
    let mut before = (0.0, 0.0);
    let began = Instant::now();
    for round in 1..=1_000 {
        hab(&sup, &["svc", "load", "acme/web"]);
        sup.wait_up("web");
        hab(&sup, &["svc", "unload", "--wait", "acme/web"]);
        if round == WARM {
            before = (memory(), descriptors());
        }
    }
    let each_ms = began.elapsed().as_secs_f64();
    report("load, wait, unload, wait: 1,000 times, each", "ms", vec![each_ms], "");
    let name = "1,000 loads and unloads: memory grown by";
    report(name, "MB", vec![memory() - before.0], "no leak: <= 1 MB");
    let name = "1,000 loads and unloads: descriptors grown by";
    report(name, "", vec![descriptors() - before.1], "no leak: 0");
    stop(sup);
}
