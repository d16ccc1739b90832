//! `cargo run --release -p sim -- --members 1000 --seed 7 --scenario pauses`

use std::{io::Write, process::ExitCode, time::Instant};

use clap::{CommandFactory, FromArgMatches, Parser};
use sim::{SCENARIOS, Scenario, Wishes};

/// Simulates a ring of Supervisors: their real code, with clocks, network and disks replaced. A run
/// is determined by its scenario and its seed alone
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Options {
    /// A scenario of the list below, or a file that contains one and whose name ends in .toml
    #[arg(long, default_value = "chaos", value_name = "NAME|FILE")]
    scenario: String,
    /// Members of the ring [default: that of the scenario]
    #[arg(long)]
    members: Option<usize>,
    /// Seed of all randomness [default: that of the scenario, else 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Runs this many seeds, from --seed on
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Length of the main part; times in the scenario are scaled to it [default: that of the
    /// scenario]
    #[arg(long)]
    seconds: Option<f64>,
    /// Prints a line for each event
    #[arg(long)]
    trace: bool,
    /// Prints only failed runs, and their number
    #[arg(long)]
    quiet: bool,
}

/// The text of `--help` below the options.
fn below_help() -> String {
    let mut text = String::from("Scenarios:\n");
    for (name, file) in SCENARIOS {
        let about = Scenario::parse(file).map_or_else(|error| error, |scenario| scenario.about);
        text.push_str(&format!("  {name:<12} {about}\n"));
    }
    text.push_str(
        "\nIn a trace: seconds, then '3 -> 5' for a datagram from member 3 to member 5 with what \
         it says about members, '3 => 5' for rumors over a connection, '3:' for what member 3 \
         noticed, FAULT for what the scenario lets happen. 'Suspect in 2' is a health in \
         incarnation 2.\n\nThe exit code is 1 when an invariant was violated.",
    );
    text
}

/// Peak memory of this process in MB, from Linux.
fn memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}

fn main() -> ExitCode {
    let matches = Options::command().after_help(below_help()).get_matches();
    let options = Options::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let scenario = match Scenario::find(&options.scenario) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    // the reader may have closed the pipe
    let say = |line: &str| drop(writeln!(std::io::stdout(), "{line}"));
    let first = options.seed.unwrap_or(scenario.seed);
    let mut failed = 0;
    for seed in first..first + options.runs {
        let start = Instant::now();
        let (members, seconds) = (options.members, options.seconds);
        let wishes = Wishes { members, seed: Some(seed), seconds, tracing: options.trace };
        let mut report = scenario.run(wishes);
        let took = format!("{:.1} s", start.elapsed().as_secs_f64());
        let memory = memory_mb().map_or_else(String::new, |mb| format!(", {mb} MB of memory"));
        report.add("that took", took + &memory);
        let holds = report.violations.is_empty();
        failed += u64::from(!holds);
        if !options.quiet || !holds {
            let verdict = if holds { "holds" } else { "FAILS" };
            let (name, about) = (&options.scenario, &scenario.about);
            say(&format!("{name} with seed {seed} {verdict}: {about}\n{report}"));
        }
    }
    if options.runs > 1 {
        say(&format!("{failed} of {} runs failed", options.runs));
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
