//! What goes wrong in production, with a real Redis, and what the record then holds.

use testkit::{Disk, Root, wait_for};

use crate::common::{Example, ask, find, free_port};

/// No restart, which would end each scenario, and no critical result while Redis starts.
const MONITOR: &str = "[health]\ntimeout_s = 2\nfailures_before_critical = 3\nrestart_after = 0\n";

fn has_redis() -> bool {
    find("redis-cli", "scenarios").is_some() && find("redis-server", "scenarios").is_some()
}

fn root() -> Root {
    let root = Root::new(env!("CARGO_BIN_EXE_hab"));
    root.write("hab/user/redis/monitor.toml", MONITOR);
    root
}

fn start(root: Root) -> (Example, impl Fn(&[&str]) -> String) {
    let port = free_port();
    let redis = Example::start_in(root, "redis", &format!("port = {port}\n"));
    let program = find("redis-cli", "scenarios").expect("it was there");
    let cli = move |arguments: &[&str]| {
        let port = port.to_string();
        ask(&program, &[&["-h", "127.0.0.1", "-p", &port, "--no-auth-warning"], arguments].concat())
    };
    (redis, cli)
}

#[test]
fn a_password_that_the_check_does_not_know_is_an_incident_with_its_reason() {
    if !has_redis() {
        return;
    }
    let (redis, cli) = start(root());
    let pid = redis.pid();
    assert_eq!(cli(&["CONFIG", "SET", "requirepass", "secret"]), "OK");
    redis.wait_critical_everywhere("NOAUTH Authentication required");
    assert_eq!(cli(&["-a", "secret", "CONFIG", "SET", "requirepass", ""]), "OK");
    redis.wait_health(200, "OK");
    let incident = redis.wait_incident("critical", true);
    assert!(incident["from"].as_str() < incident["to"].as_str(), "{incident:#}");
    assert_eq!(redis.pid(), pid, "it ran all the time");
    redis.stop();
}

#[test]
fn a_full_disk_is_an_incident_that_the_lines_explain() {
    if !has_redis() {
        return;
    }
    let root = root();
    let Some(disk) = Disk::in_memory(&root, "hab/svc/redis/data") else { return };
    let (redis, cli) = start(root);
    let pid = redis.pid();
    assert_eq!(cli(&["SET", "kept", "yes"]), "OK");
    disk.fill();
    let value = "x".repeat(8_192);
    wait_for("a write that fails", || {
        cli(&["SET", "lost", &value]).contains("MISCONF").then_some(())
    });
    redis.wait_critical_everywhere("MISCONF");
    wait_for("the line about it", || {
        redis.lines().contains("writing to the AOF file").then_some(())
    });
    disk.empty();
    redis.wait_health(200, "OK");
    redis.wait_incident("critical", true);
    assert_eq!(cli(&["GET", "kept"]), "yes");
    assert_eq!(redis.pid(), pid, "it ran all the time");
    redis.stop();
}
