//! The record over HTTP: readers of the stream, and pages of many events.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use roost_journal::measured::Filled;
use rustix::process::{Pid, Signal, kill_process};
use testkit::Supervisor;

use super::{Poller, install, report, root, spec, stop, total_rss_mb};

const READERS: usize = 1_000;
const EVENTS: u64 = 1_000_000;
const ROUNDS: usize = 20;

/// A reader of the stream, which has the head of its answer.
struct Reader(TcpStream);

impl Reader {
    fn new(sup: &Supervisor) -> Self {
        let mut stream = TcpStream::connect(sup.http).expect("a connection");
        let request = "GET /v1/events/stream HTTP/1.1\r\nhost: x\r\n\
                       accept: text/event-stream\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("a request");
        let mut reader = Self(stream);
        reader.until("\r\n\r\n");
        reader
    }

    /// Reads until this text has arrived.
    fn until(&mut self, text: &str) {
        let mut read = Vec::new();
        let mut buffer = [0; 4096];
        while !read.windows(text.len()).any(|window| window == text.as_bytes()) {
            let count = self.0.read(&mut buffer).expect("the stream goes on");
            assert!(count > 0, "the stream ended");
            read.extend_from_slice(&buffer[..count]);
        }
    }
}

pub(super) fn memory_of_readers() {
    let root = root();
    let sup = root.supervisor().start();
    let memory = || {
        std::thread::sleep(Duration::from_secs(3));
        let (launcher, supervisor) = total_rss_mb(&sup);
        launcher + supervisor
    };
    let before = memory();
    let readers: Vec<Reader> = (0..READERS).map(|_| Reader::new(&sup)).collect();
    report("memory of 1,000 readers of the stream", "MB", vec![memory() - before], "<= 30 MB");
    drop(readers);
    stop(sup);
}

/// From the end of a process to the event at each reader.
pub(super) fn change_to_readers() {
    for (count, budget) in [(1, "p99 <= 5 ms"), (READERS, "p99 <= 50 ms")] {
        let root = root();
        install(&root, "web", &[]);
        root.spec("web", &spec("web"));
        let sup = root.supervisor().start();
        let mut readers: Vec<Reader> = (0..count).map(|_| Reader::new(&sup)).collect();
        let mut samples = Vec::new();
        for _ in 0..ROUNDS {
            let pid = sup.wait_up("web");
            std::thread::sleep(Duration::from_millis(1200));
            let killed = Instant::now();
            kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it lives");
            for reader in &mut readers {
                reader.until("\"process.exited\"");
                samples.push(killed.elapsed().as_secs_f64() * 1e3);
            }
            readers.iter_mut().for_each(|reader| reader.until("\"service.up\""));
        }
        report(&format!("end of a process to {count} readers"), "ms", samples, budget);
        stop(sup);
    }
}

pub(super) fn page_of_a_million() {
    let root = root();
    let directory = root.join("hab/sup/default");
    fs::create_dir_all(&directory).expect("a directory");
    drop(Filled::new(&directory.join("journal.redb"), EVENTS).expect("a journal"));
    let sup = root.supervisor().args(["--journal-size", "4096"]).start();
    let mut pages = Vec::new();
    for number in 0..200 {
        let path = format!("/v1/events?service=service-{}.default&limit=100", number % 100);
        let mut poller = Poller::new(&sup, &path);
        let began = Instant::now();
        let answer = poller.ask();
        pages.push(began.elapsed().as_secs_f64() * 1e3);
        assert!(answer.contains("health.changed"), "{answer}");
    }
    report("page of one service of 1,000,000 events", "ms", pages, "<= 5 ms");
    stop(sup);
}
