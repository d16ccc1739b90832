//! The Grafana dashboard and the Prometheus alerts in `packaging/`: their queries match the metrics
//! of real Supervisors.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;
use testkit::{Root, wait_for};

use crate::{
    common::{Example, find, free_port},
    prometheus::Prometheus,
};

fn packaging(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging")).join(path)
}

/// The expressions of all panels, with values for the dashboard's variables.
fn dashboard_queries() -> Vec<String> {
    let text = fs::read_to_string(packaging("grafana/roost.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let fill = |target: &Value| {
        let query = target["expr"].as_str().expect("an expression");
        let query = query.replace("$__rate_interval", "10s");
        ["$job", "$instance", "$service_group"]
            .iter()
            .fold(query, |query, variable| query.replace(variable, ".*"))
    };
    targets.map(fill).collect()
}

/// Names of metrics in an expression.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    expression
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("hab_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_query_of_the_dashboard_and_the_alerts_has_data() {
    let Some(program) = find("prometheus", "dashboard and alerts") else { return };
    let hello = Example::start("hello", "interval_s = 1\n");
    let root = Root::new(env!("CARGO_BIN_EXE_hab"));
    // Open to the network, without a ring key: the second has a condition.
    let open = format!("0.0.0.0:{}", free_port());
    let second = root
        .supervisor()
        .without_gossip_address()
        .args(["--listen-gossip", &open])
        .peers(&[&hello.sup])
        .start();
    let directory = tempfile::tempdir().expect("a directory");
    let rules = packaging("prometheus/roost.rules.yml");
    let targets = [hello.sup.http, second.http];
    let prometheus = Prometheus::start(
        &program,
        directory.path(),
        &targets,
        Some(&rules.canonicalize().expect("rules")),
    );
    let queries = dashboard_queries();
    assert!(queries.len() >= 20, "{queries:?}");
    for query in &queries {
        assert!(!query.contains('$'), "a variable without a value: {query}");
        wait_for(query, || prometheus.query(query));
    }

    let groups = wait_for("evaluated rules", || {
        let groups = prometheus.ask("rules")?["data"]["groups"].clone();
        let mut rules = groups.as_array()?.iter().flat_map(|group| group["rules"].as_array());
        let evaluated = rules.all(|rules| rules.iter().all(|rule| rule["health"] != "unknown"));
        evaluated.then_some(groups)
    });
    let groups = groups.as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().expect("rules"));
    let mut metrics = BTreeSet::new();
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
        assert_ne!(rule["state"], "firing", "{rule:#}");
        metrics.append(&mut metrics_in(rule["query"].as_str().expect("a query")));
    }
    assert!(metrics.len() >= 8, "{metrics:?}");
    for metric in metrics {
        wait_for(&metric, || prometheus.query(&metric));
    }
}

#[test]
fn the_alerts_pass_their_unit_tests() {
    let Some(promtool) = find("promtool", "alerts") else { return };
    for (command, file) in [("check", "roost.rules.yml"), ("test", "roost.rules_test.yml")] {
        let output = Command::new(&promtool)
            .args([command, "rules", file])
            .current_dir(packaging("prometheus"))
            .output()
            .expect("promtool runs");
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn each_alert_has_a_unit_test_that_fires() {
    let read = |file| fs::read_to_string(packaging("prometheus").join(file)).expect("a file");
    let (rules, tests) = (read("roost.rules.yml"), read("roost.rules_test.yml"));
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 10, "{alerts:?}");
    let fires = |alert: &str| {
        let start = format!("- alertname: {alert}\n");
        tests
            .split(&start)
            .skip(1)
            .any(|rest| rest.lines().nth(1).is_some_and(|line| line.trim() == "exp_alerts:"))
    };
    let without: Vec<_> = alerts.iter().filter(|alert| !fires(alert)).collect();
    assert!(without.is_empty(), "{without:?}");
}
