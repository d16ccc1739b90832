//! Every scenario with a fixed seed or two, small enough for each test run. A failure of the past
//! becomes a scenario of its own, which keeps its meaning when seeds change theirs.

use sim::{Report, SCENARIOS, Scenario, Wishes};

/// Runs a scenario; 0 members or seconds mean its defaults.
fn run(name: &str, members: usize, seed: u64, seconds: f64) -> Report {
    let scenario = Scenario::find(name).expect("a scenario of this name");
    scenario.run(Wishes {
        members: (members > 0).then_some(members),
        seed: Some(seed),
        seconds: (seconds > 0.0).then_some(seconds),
        tracing: false,
    })
}

fn holds(name: &str, members: usize, seed: u64, seconds: f64) {
    let report = run(name, members, seed, seconds);
    assert!(report.violations.is_empty(), "{name}, {members} members, seed {seed}:\n{report}");
}

#[test]
fn every_scenario_holds() {
    for (name, _) in SCENARIOS {
        holds(name, 0, 1, 0.0);
    }
}

#[test]
fn every_scenario_of_the_directory_comes_with_the_program() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for entry in std::fs::read_dir(directory).expect("scenarios") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(SCENARIOS.iter().any(|(known, _)| *known == name), "{name} is in no list");
    }
}

#[test]
fn an_invalid_scenario_is_an_error_with_a_reason() {
    let error = |text: &str| Scenario::parse(text).expect_err("an invalid scenario");
    assert!(error("about = \"x\"\nmembres = 3").contains("membres"));
    assert!(error("about = \"x\"\n[[fault]]\nat = 1\nwhat = \"explode\"").contains("explode"));
    assert!(Scenario::find("nowhere").expect_err("no name").contains("--help"));
    assert!(Scenario::find("nowhere.toml").expect_err("no file").contains("nowhere.toml"));
}

#[test]
fn chaos_holds() {
    holds("chaos", 50, 10, 60.0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |name| run(name, 20, 3, 0.0).to_string();
    for name in ["chaos", "slander"] {
        assert_eq!(run(name), run(name));
    }
}

#[test]
fn calm_traffic_does_not_grow_with_the_ring() {
    let rate = |members| {
        let report = run("calm", members, 1, 60.0);
        let figure = report.figures.iter().find(|(name, _)| name.starts_with("bytes sent"));
        figure.expect("it is reported").1.parse::<f64>().expect("a number")
    };
    let (small, large) = (rate(20), rate(100));
    assert!(large < small * 1.2, "{small} and {large} bytes per member and second");
}

#[test]
fn a_hundred_newcomers_meet() {
    // new members used to withhold from each other what they assumed to be known
    holds("cold", 100, 1, 0.0);
}
