//! Measurements of the whole program, from outside on real processes:
//!
//! ```text
//! cargo bench -p hab --bench figures              # everything, about ten minutes
//! cargo bench -p hab --bench figures -- start     # only those whose name begins so
//! cargo bench -p hab --bench figures -- control   # the control gateway and its commands
//! cargo bench -p hab --bench figures -- package   # package commands
//! cargo bench -p hab --bench figures -- lines     # what lines of services cost the launcher
//! cargo bench -p hab --bench figures -- record    # events over HTTP, to many readers
//! cargo bench -p hab --bench figures -- http      # requests per second on paths of the HTTP API
//! ```
//!
//! Each result is printed with its budget. On a busy machine look at medians.

mod control;
mod http;
mod large_ring;
mod lines;
mod packages;
mod record;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{Root, Supervisor, wait_for};

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let figures: [(&str, fn()); 20] = [
        ("start", start_to_first_200),
        ("memory", memory),
        ("cpu", idle_cpu),
        ("http", http::throughput),
        ("lines-rate", lines::rate),
        ("lines-burst", lines::burst),
        ("record-memory", record::memory_of_readers),
        ("record-latency", record::change_to_readers),
        ("record-page", record::page_of_a_million),
        ("health", health_to_visible),
        ("restart", kill_to_restart),
        ("spec", spec_to_process),
        ("fifty", fifty_specs),
        ("ring", ring_of_fifty),
        ("large-ring", large_ring::change_in_a_ring_of_ten_thousand),
        ("control-status", control::status),
        ("control-load", control::load_to_process),
        ("control-thousand", control::thousand_loads),
        ("package-large", packages::large_package),
        ("package-thousand", packages::thousand_packages),
    ];
    println!("{:<46} {:>10} {:>10} {:>10}  budget", "figure", "min", "median", "max");
    for (name, measure) in figures {
        if wanted.as_ref().is_none_or(|wanted| name.starts_with(wanted.as_str())) {
            measure();
        }
    }
}

/// Prints samples of one figure.
fn report(figure: &str, unit: &str, mut samples: Vec<f64>, budget: &str) {
    samples.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let index = (samples.len() as f64 * share) as usize;
        samples.get(index.min(samples.len() - 1)).copied().unwrap_or(f64::NAN)
    };
    println!(
        "{figure:<46} {:>8.2}{unit:<2} {:>8.2}{unit:<2} {:>8.2}{unit:<2}  {budget} \
         (n = {}, p99 {:.2}{unit})",
        at(0.0),
        at(0.5),
        at(1.0),
        samples.len(),
        at(0.99),
    );
}

fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

/// A `run` hook that records its start, in nanoseconds since 1970.
const RUN: &str = "#!/bin/sh\ndate +%s%N >> {{pkg.svc_data_path}}/starts\nexec sleep 100000\n";

fn install(root: &Root, name: &str, files: &[(&str, &str)]) {
    let mut all = vec![("hooks/run", RUN)];
    all.extend_from_slice(files);
    root.package(&format!("acme/{name}/1.0/20250101000000"), &all);
}

fn spec(name: &str) -> String {
    format!("ident = \"acme/{name}\"\n")
}

fn starts(root: &Root, name: &str) -> Vec<u128> {
    let text = root.read(&format!("hab/svc/{name}/data/starts"));
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()
}

fn milliseconds(from_ns: u128, to_ns: u128) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / 1e6
}

fn stop(mut sup: Supervisor) {
    sup.stop();
}

fn start_to_first_200() {
    let mut samples = Vec::new();
    for _ in 0..30 {
        let root = root();
        let sup = root.supervisor();
        let began = Instant::now();
        let sup = sup.spawn();
        let request = format!("GET /services HTTP/1.1\r\nhost: {}\r\n\r\n", sup.http);
        while testkit::request(sup.http, request.as_bytes()).is_none_or(|a| a.status() != 200) {
            std::thread::yield_now();
        }
        samples.push(began.elapsed().as_secs_f64() * 1e3);
        stop(sup);
    }
    report("start of `hab sup run` to the first 200", "ms", samples, "<= 20 ms");
}

/// Resident memory of a process in MB.
fn rss_mb(pid: Pid) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb: f64 = line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN);
    kb / 1024.0
}

fn total_rss_mb(sup: &Supervisor) -> (f64, f64) {
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    (rss_mb(sup.launcher_pid()), rss_mb(supervisor))
}

fn memory() {
    for (count, budget) in [(0, "<= 9 MB"), (50, "<= 16 MB")] {
        let root = root();
        for number in 0..count {
            let name = format!("s{number}");
            let check = ("hooks/health-check", "#!/bin/sh\necho fine\n");
            let config = ("config/app.conf", "port = {{cfg.port}}\n");
            install(&root, &name, &[check, config, ("default.toml", "port = 8080\n")]);
            root.spec(&name, &spec(&name));
        }
        let sup = root.supervisor().start();
        wait_all_up(&sup, count);
        for path in ["/services", "/census", "/butterfly", "/metrics"] {
            let _ = sup.get(path);
        }
        std::thread::sleep(Duration::from_secs(30));
        let (launcher, supervisor) = total_rss_mb(&sup);
        let figure = format!("memory, {count} services: {launcher:.1} + {supervisor:.1}");
        report(&figure, "MB", vec![launcher + supervisor], budget);
        stop(sup);
    }
}

fn wait_all_up(sup: &Supervisor, count: usize) {
    sup.wait_json("/services", |services| {
        services.as_array().is_some_and(|all| {
            all.len() == count && all.iter().all(|one| one["process"]["state"] == "up")
        })
    });
}

/// CPU time of launcher and Supervisor in seconds.
fn cpu_s(sup: &Supervisor) -> f64 {
    cpu_of(sup.launcher_pid()) + sup.supervisor_pid().map_or(0.0, cpu_of)
}

/// CPU time of one process in seconds, from `/proc/PID/stat`.
fn cpu_of(pid: Pid) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

fn idle_cpu() {
    let root = root();
    for number in 0..10 {
        let name = format!("s{number}");
        install(&root, &name, &[("hooks/health-check", "#!/bin/sh\necho fine\n")]);
        root.spec(&name, &spec(&name));
    }
    let sup = root.supervisor().start();
    wait_all_up(&sup, 10);
    std::thread::sleep(Duration::from_secs(10));
    let (began, before) = (Instant::now(), cpu_s(&sup));
    std::thread::sleep(Duration::from_secs(60));
    let share = (cpu_s(&sup) - before) / began.elapsed().as_secs_f64();
    report("idle CPU, 10 services with health checks", "%", vec![share * 100.0], "<= 0.1 %");
    stop(sup);
}

/// A connection that repeats one request.
struct Poller {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Poller {
    fn new(sup: &Supervisor, path: &str) -> Self {
        let stream = TcpStream::connect(sup.http).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes();
        Self { stream, request }
    }

    fn ask(&mut self) -> String {
        self.stream.write_all(&self.request).expect("a request");
        let mut answer = Vec::new();
        let mut buffer = [0; 64 * 1024];
        let mut end = None;
        while end.is_none_or(|end| answer.len() < end) {
            let n = self.stream.read(&mut buffer).expect("an answer");
            assert!(n > 0, "the answer broke off");
            answer.extend_from_slice(&buffer[..n]);
            if end.is_none() {
                end = end_of(&answer);
            }
        }
        String::from_utf8(answer).expect("text")
    }
}

/// Where an answer ends, once its head is there.
fn end_of(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..head]).expect("text");
    let length = text.split("content-length: ").nth(1).expect("a length");
    let length: usize = length.split("\r\n").next().unwrap_or("").parse().expect("a number");
    Some(head + 4 + length)
}

/// The check prints its end time; how much later is it in the response?
fn health_to_visible() {
    let root = root();
    // 1 s between checks that are not OK.
    let check = "#!/bin/sh\ndate +%s%N\nexit 1\n";
    install(&root, "web", &[("hooks/health-check", check)]);
    root.spec("web", &format!("{}\n[health_check_interval]\nsecs = 1\nnanos = 0\n", spec("web")));
    let sup = root.supervisor().start();
    sup.wait_up("web");
    let mut poller = Poller::new(&sup, "/services/web/default/health");
    let mut samples = Vec::new();
    let mut last = String::new();
    let deadline = Instant::now() + Duration::from_secs(45);
    while Instant::now() < deadline {
        let answer = poller.ask();
        let seen_ns = now_ns();
        let Some((_, rest)) = answer.split_once("\"stdout\":\"") else { continue };
        let stamp = rest.split("\\n").next().unwrap_or_default().to_owned();
        if stamp != last {
            if let (false, Ok(stamp_ns)) = (last.is_empty(), stamp.parse::<u128>()) {
                samples.push(milliseconds(stamp_ns, seen_ns));
            }
            last = stamp;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    report("health result to visible in the API", "ms", samples, "p99 <= 10 ms");
    stop(sup);
}

fn kill_to_restart() {
    let root = root();
    install(&root, "web", &[]);
    root.spec("web", &spec("web"));
    let sup = root.supervisor().start();
    let mut samples = Vec::new();
    for round in 1..=20 {
        let pid = sup.wait_up("web");
        wait_for("the start", || (starts(&root, "web").len() == round).then_some(()));
        std::thread::sleep(Duration::from_millis(1200));
        let killed_ns = now_ns();
        kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it lives");
        wait_for("the restart", || (starts(&root, "web").len() == round + 1).then_some(()));
        samples.push(milliseconds(killed_ns, starts(&root, "web")[round]));
        wait_for("the new process in the API", || (sup.wait_up("web") != pid).then_some(()));
    }
    report("kill -9 of a service to its new process", "ms", samples, "begun <= 20 ms");
    stop(sup);
}

fn spec_to_process() {
    let root = root();
    let sup = root.supervisor().start();
    let mut samples = Vec::new();
    for number in 0..20 {
        let name = format!("s{number}");
        install(&root, &name, &[]);
        let began_ns = now_ns();
        root.spec(&name, &spec(&name));
        wait_for("the process", || starts(&root, &name).first().copied());
        samples.push(milliseconds(began_ns, starts(&root, &name)[0]));
    }
    report("new spec file to its process", "ms", samples, "<= 50 ms");
    stop(sup);
}

fn fifty_specs() {
    let mut samples = Vec::new();
    for _ in 0..5 {
        let root = root();
        for number in 0..50 {
            let name = format!("s{number}");
            install(&root, &name, &[]);
            root.spec(&name, &spec(&name));
        }
        let sup = root.supervisor();
        let began_ns = now_ns();
        let sup = sup.spawn();
        let all = || (0..50).map(|number| starts(&root, &format!("s{number}")).first().copied());
        wait_for("all processes", || all().all(|start| start.is_some()).then_some(()));
        let last_ns = all().flatten().max().unwrap_or_default();
        samples.push(milliseconds(began_ns, last_ns));
        stop(sup);
    }
    report("50 specs at start to all processes", "ms", samples, "<= 1500 ms");
}

/// Fifty Supervisors, each on its own address, whose initial peer is the first one.
fn ring_of_fifty() {
    const MEMBERS: usize = 50;
    let roots: Vec<Root> = (0..MEMBERS).map(|_| root()).collect();
    let began = Instant::now();
    let mut members: Vec<Supervisor> = Vec::new();
    for (number, root) in roots.iter().enumerate() {
        let last = u8::try_from(number + 1).expect("fewer than 255 members");
        let mut member = root.supervisor().at([127, 9, 50, last].into(), 9631);
        if let Some(first) = members.first() {
            member = member.peers(&[first]);
        }
        members.push(member.start());
    }
    report(
        "50 Supervisors started one after the other",
        "s",
        vec![began.elapsed().as_secs_f64()],
        "",
    );
    let began = Instant::now();
    for member in &members {
        member.wait_json("/butterfly", |butterfly| {
            let health = butterfly["member"]["health"].as_object();
            health.is_some_and(|all| all.len() == MEMBERS && all.values().all(|h| h == "Alive"))
        });
    }
    let joined_s = began.elapsed().as_secs_f64();
    report("from the last start to all knowing all", "s", vec![joined_s], "");
    std::thread::sleep(Duration::from_secs(30));
    let memory = members.iter().map(|m| total_rss_mb(m).0 + total_rss_mb(m).1).collect();
    report("memory of one of 50 members", "MB", memory, "<= 12 MB");
    let before: Vec<f64> = members.iter().map(cpu_s).collect();
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(60));
    let elapsed_s = began.elapsed().as_secs_f64();
    let shares = members.iter().zip(before).map(|(m, b)| (cpu_s(m) - b) / elapsed_s * 100.0);
    report("CPU of one of 50 members", "%", shares.collect(), "<= 1 %");
    members.into_iter().for_each(stop);
}
