//! Throughput of the HTTP API, with 50 services: Habitat's paths, and figures that are read on
//! request.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{Poller, install, report, root, spec, stop, wait_all_up};

const SERVICES: usize = 50;
/// Connections that each send one request after the other.
const CLIENTS: usize = 4;
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

/// What is requested, and how it is named. The last two look at all processes of the machine, at
/// most once per second.
const PATHS: [(&str, &str); 7] = [
    ("/services", "50 services"),
    ("/services/s7/default", "one service"),
    ("/services/s7/default/health", "its health"),
    ("/census", "the census"),
    ("/v1/services/s7.default", "one service, v1"),
    ("/v1/services/s7.default/stats", "its figures, v1"),
    ("/metrics", "metrics"),
];

pub(crate) fn throughput() {
    let root = root();
    for number in 0..SERVICES {
        let name = format!("s{number}");
        install(&root, &name, &[("hooks/health-check", "#!/bin/sh\necho fine\n")]);
        root.spec(&name, &spec(&name));
    }
    let sup = root.supervisor().start();
    wait_all_up(&sup, SERVICES);
    for (path, what) in PATHS {
        let samples = (0..ROUNDS).map(|_| {
            let (count, over) = (AtomicU64::new(0), AtomicBool::new(false));
            let began = Instant::now();
            thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| {
                        let mut poller = Poller::new(&sup, path);
                        while !over.load(Ordering::Relaxed) {
                            poller.ask();
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                thread::sleep(ROUND);
                over.store(true, Ordering::Relaxed);
            });
            count.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
        });
        let samples = samples.collect();
        report(&format!("http, {CLIENTS} clients: {what}"), "/s", samples, "as before");
    }
    stop(sup);
}
