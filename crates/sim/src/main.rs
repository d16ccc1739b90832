//! `cargo run --release -p sim -- --members 1000 --seed 7 --scenario pauses`

use std::{io::Write, process::ExitCode, time::Instant};

use clap::Parser;
use sim::scenario::{JOIN, SCENARIOS, find};

/// Simulates a ring; a run is its seed.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Options {
    /// Members of the ring
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Where all chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs this many seeds, from --seed on
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Which scenario
    #[arg(long, default_value = "chaos")]
    scenario: String,
    /// Simulated length of the main part
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Prints a line for everything that happens
    #[arg(long)]
    trace: bool,
    /// Lists the scenarios
    #[arg(long)]
    list: bool,
}

/// Memory of this process in MB, as Linux tells it.
fn resident_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for scenario in SCENARIOS.iter().chain([&JOIN]) {
            println!("{:<12} {}", scenario.name, scenario.about);
        }
        return ExitCode::SUCCESS;
    }
    let Some(scenario) = find(&options.scenario) else {
        eprintln!("there is no scenario '{}'; --list shows all", options.scenario);
        return ExitCode::from(2);
    };
    let mut failed = 0;
    for seed in options.seed..options.seed + options.runs {
        let start = Instant::now();
        let mut report = scenario.run(options.members, seed, options.seconds, options.trace);
        report.add("took", format!("{:.1} s", start.elapsed().as_secs_f64()));
        if let Some(mb) = resident_mb() {
            report.add("memory, most", format!("{mb} MB"));
        }
        // whoever reads may have seen enough and closed the pipe
        let _ = writeln!(std::io::stdout(), "{} with seed {seed}\n{report}", scenario.name);
        failed += usize::from(!report.violations.is_empty());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
