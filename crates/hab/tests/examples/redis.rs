//! Redis: a reconfigure hook that applies the change to the running program.

use std::fs;

use testkit::wait_for;

use crate::common::{Example, ask, find, free_port};

#[test]
fn redis_lives_through_everything_and_keeps_its_data() {
    let Some(redis_cli) =
        find("redis-cli", "redis").filter(|_| find("redis-server", "redis").is_some())
    else {
        return;
    };
    let port = free_port();
    let redis = Example::start("redis", &format!("port = {port}\n"));
    let cli = |arguments: &[&str]| {
        let port = port.to_string();
        ask(&redis_cli, &[&["-h", "127.0.0.1", "-p", &port], arguments].concat())
    };
    assert_eq!(cli(&["PING"]), "PONG");
    assert_eq!(cli(&["SET", "kept", "yes"]), "OK");
    let usage = redis.wait_port(port);
    assert_eq!(usage["processes"], 1, "{usage:#}");
    assert!(usage["threads"].as_u64() > Some(1), "{usage:#}");
    wait_for("the line of its start", || {
        redis.lines().contains("Ready to accept connections").then_some(())
    });

    let pid = redis.pid();
    redis.configure(&format!("port = {port}\nmaxmemory = \"32mb\"\n"));
    wait_for("32 MB", || cli(&["CONFIG", "GET", "maxmemory"]).contains("33554432").then_some(()));
    redis.sup.wait_log("new configuration is in force");
    assert_eq!(redis.pid(), pid, "reconfigured, not restarted");

    redis.kill_and_wait_for_the_next();
    assert_eq!(cli(&["GET", "kept"]), "yes");
    assert!(cli(&["CONFIG", "GET", "maxmemory"]).contains("33554432"));

    let socket = redis.root.join("hab/svc/redis/data/redis.sock");
    let away = socket.with_extension("away");
    fs::rename(&socket, &away).expect("the socket");
    redis.wait_health(503, "CRITICAL");
    fs::rename(&away, &socket).expect("the socket");
    redis.wait_health(200, "OK");

    // A Redis that hangs still accepts connections; its check notices, and it is restarted.
    redis.root.write("hab/user/redis/monitor.toml", "[health]\ntimeout_s = 1\nrestart_after = 2\n");
    redis.freeze();
    redis.wait_health(503, "CRITICAL");
    redis.sup.wait_log("2 health checks in a row were critical: ");
    redis.wait_health(200, "OK");
    assert_ne!(redis.pid(), pid);
    let last = &redis.service()["last_process_state"];
    assert_eq!(last["termination_reason"], "health_check_critical", "{last:#}");
    assert_eq!(cli(&["GET", "kept"]), "yes");

    redis.stop();
    assert!(cli(&["PING"]).contains("refused"));
}
