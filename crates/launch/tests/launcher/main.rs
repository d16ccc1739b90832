//! The launcher as a real process, with a fake Supervisor that only forwards bytes: the test itself
//! implements the protocol.
//!
//! This executable plays all roles, selected by the first argument as in the real program.
//! `cargo test -p roost-launch --test launcher NAME` runs the tests whose names contain NAME.

mod ends;
mod fake;
mod outputs;
mod restarts;
mod rig;
mod spawns;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

type Test = (&'static str, fn());

/// Number of parallel tests: they mostly wait.
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
    let tests = [spawns::TESTS, outputs::TESTS, restarts::TESTS, ends::TESTS].concat();
    let trials = tests.into_iter().map(|(name, test): Test| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
