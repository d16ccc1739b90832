//! Fixed seeds of every scenario, small enough for each test run. A seed that failed once is
//! kept in `regressions`.

use sim::scenario::{JOIN, SCENARIOS, find};

fn holds(name: &str, members: usize, seeds: std::ops::Range<u64>, seconds: u64) {
    let scenario = find(name).expect("a scenario of this name");
    for seed in seeds {
        let report = scenario.run(members, seed, seconds, false);
        assert!(report.violations.is_empty(), "{name}, {members} members, seed {seed}:\n{report}");
    }
}

#[test]
fn every_scenario_holds() {
    for scenario in SCENARIOS.iter().chain([&JOIN]) {
        holds(scenario.name, 20, 1..2, 40);
    }
}

#[test]
fn chaos_holds() {
    holds("chaos", 50, 10..11, 40);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || find("chaos").expect("it exists").run(20, 3, 60, false).to_string();
    assert_eq!(run(), run());
}

#[test]
fn calm_traffic_does_not_grow_with_the_ring() {
    let rate = |members| {
        let report = find("calm").expect("it exists").run(members, 1, 60, false);
        let figure = report.figures.iter().find(|(name, _)| name.starts_with("bytes sent"));
        figure.expect("it is reported").1.parse::<f64>().expect("a number")
    };
    let (small, large) = (rate(20), rate(100));
    assert!(large < small * 1.2, "{small} and {large} bytes per member-second");
}

#[test]
fn regressions_stay_fixed() {
    // a member that was away while the others elected wedged their election
    holds("elections", 60, 3..4, 120);
    // members that all are new kept from each other what they thought known
    holds("cold", 100, 1..2, 60);
}
