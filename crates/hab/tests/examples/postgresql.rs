//! PostgreSQL: an init hook that creates a database, settings that need a new process.

use std::fs;

use testkit::wait_for;

use crate::common::{Example, ask, find, free_port};

#[test]
fn postgresql_keeps_what_was_committed() {
    let Some(psql) =
        find("psql", "postgresql").filter(|_| find("postgres", "postgresql").is_some())
    else {
        return;
    };
    let port = free_port();
    let config = |rest: &str| format!("port = {port}\n{rest}");
    let postgresql = Example::start("postgresql", &config(""));
    let var = postgresql.root.join("hab/svc/postgresql/var");
    let sql = |statement: &str| {
        let (host, port) = (var.display().to_string(), port.to_string());
        let connection = ["-h", &host, "-p", &port, "-U", "postgres", "-d", "postgres"];
        ask(&psql, &[&connection[..], &["-AtXc", statement]].concat())
    };
    assert_eq!(sql("CREATE TABLE kept AS SELECT 42 AS answer"), "SELECT 1");
    // Each of its processes begins a session of its own.
    let usage = postgresql.wait_usage(|usage| usage["processes"].as_u64() > Some(3));
    assert!(usage["io"]["written_bytes"].is_u64(), "{usage:#}");
    wait_for("the line of its start", || {
        postgresql.lines().contains("ready to accept connections").then_some(())
    });

    let pid = postgresql.pid();
    postgresql.configure(&config("work_mem = \"8MB\"\n"));
    wait_for("more work_mem", || (sql("SHOW work_mem") == "8MB").then_some(()));
    postgresql.sup.wait_log("new configuration is in force");
    assert_eq!(postgresql.pid(), pid, "reloaded, not restarted");
    // This one is read only at start: the hook ends the process, and a new one starts.
    postgresql.configure(&config("work_mem = \"8MB\"\nmax_connections = 60\n"));
    wait_for("more connections", || (sql("SHOW max_connections") == "60").then_some(()));
    postgresql.wait_health(200, "OK");
    assert_ne!(postgresql.pid(), pid);

    // A client with a wrong password: the service is well, and its lines state what happened.
    let url = format!("postgresql://postgres:wrong@127.0.0.1:{port}/postgres");
    let refused = ask(&psql, &[&url, "-c", "SELECT 1"]);
    assert!(refused.contains("password authentication failed"), "{refused}");
    wait_for("the line about it", || {
        postgresql.lines().contains("password authentication failed for user").then_some(())
    });
    postgresql.wait_health(200, "OK");

    postgresql.kill_and_wait_for_the_next();

    postgresql.freeze();
    postgresql.wait_health(503, "CRITICAL");
    postgresql.thaw();
    postgresql.wait_health(200, "OK");
    assert_eq!(sql("SELECT answer FROM kept"), "42");

    let socket = var.join(format!(".s.PGSQL.{port}"));
    let away = socket.with_extension("away");
    fs::rename(&socket, &away).expect("the socket");
    postgresql.wait_health(503, "CRITICAL");
    // It was killed a moment ago: for a minute that is the first thing to know.
    postgresql.wait_explained("run_exits");
    postgresql.wait_recorded_health("critical");
    fs::rename(&away, &socket).expect("the socket");
    postgresql.wait_health(200, "OK");

    postgresql.stop();
}
