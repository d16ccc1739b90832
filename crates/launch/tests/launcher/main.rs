//! The launcher as a real process, with a fake Supervisor that only passes bytes on: the test
//! itself speaks the protocol.
//!
//! This executable plays all parts, told apart by the first argument as in the real program.
//! `cargo test -p roost-launch --test launcher NAME` runs the tests whose names contain NAME.

mod ends;
mod fake;
mod outputs;
mod restarts;
mod rig;
mod spawns;

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Mutex;

type Test = (&'static str, fn());

/// So many at once: they mostly wait.
const THREADS: usize = 6;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let first = args.next().unwrap_or_default();
    if first == roost_launch::LAUNCHER_ARG {
        return roost_launch::run(args);
    }
    if first == roost_launch::SUPERVISOR_ARG {
        return fake::run();
    }
    if first == "become-launcher" {
        let error = roost_launch::exec_launcher(args);
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    run_tests(std::iter::once(first).chain(args))
}

fn run_tests(args: impl Iterator<Item = OsString>) -> ExitCode {
    let filters: Vec<String> = args
        .filter_map(|arg| arg.into_string().ok())
        .filter(|arg| !arg.is_empty() && !arg.starts_with('-'))
        .collect();
    let all = [spawns::TESTS, outputs::TESTS, restarts::TESTS, ends::TESTS].concat();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f));
    let tests: Vec<Test> = all.into_iter().filter(|t| wanted(t.0)).collect();
    let count = tests.len();
    let queue = Mutex::new(tests);
    let failed: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some((name, test)) = queue.lock().expect("not poisoned").pop() else {
                        return;
                    };
                    let passed = std::panic::catch_unwind(AssertUnwindSafe(test)).is_ok();
                    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
                    if !passed {
                        failed.lock().expect("not poisoned").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("not poisoned");
    // in the form of the usual harness
    let (word, count_failed) = (if failed.is_empty() { "ok" } else { "FAILED" }, failed.len());
    println!("\nfailures: {failed:?}");
    println!("test result: {word}. {} passed; {count_failed} failed", count - count_failed);
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
