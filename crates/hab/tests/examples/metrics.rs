//! `/metrics` of a busy Supervisor, checked with Prometheus' own tool and scraped by Prometheus.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use testkit::wait_for;

use crate::{
    common::{Example, ask, find},
    prometheus::Prometheus,
};

#[test]
fn prometheus_scrapes_services_and_forgets_them() {
    let Some(prometheus) = find("prometheus", "scraping") else { return };
    let hello = Example::start("hello", "interval_s = 1\n");
    let directory = tempfile::tempdir().expect("a directory");
    let prometheus = Prometheus::start(&prometheus, directory.path(), &[hello.sup.http], None);
    let value = |expression: &str| prometheus.query(expression);
    let wait = |expression: &str, wanted: &str| {
        wait_for(expression, || (value(expression)? == wanted).then_some(()));
    };
    wait("up", "1");
    let labels = "{service_group=\"hello.default\"}";
    wait(&format!("hab_sup_service_up{labels}"), "1");
    for name in ["cpu_seconds_total", "resident_memory_bytes", "open_file_descriptors"] {
        let name = format!("hab_sup_service_{name}{labels}");
        wait_for(&name, || value(&name));
    }
    // Prometheus asks for OpenMetrics, whose counters and buckets have names of their own.
    let buckets = "count(hab_sup_http_gateway_request_duration_seconds_bucket{le=\"1.0\"})";
    wait_for(buckets, || value(buckets));
    hello.kill_and_wait_for_the_next();
    wait(&format!("hab_sup_service_restarts_total{labels}"), "1");
    let ctl = hello.sup.ctl.to_string();
    let unloaded = hello.sup.hab(["svc", "unload", "local/hello", "--remote-sup", &ctl]);
    assert!(unloaded.status.success(), "{unloaded:?}");
    wait(&format!("absent(hab_sup_service_up{labels})"), "1");
    wait("up", "1");
}

#[test]
fn promtool_finds_no_fault_in_metrics() {
    let Some(promtool) = find("promtool", "metrics") else { return };
    let hello = Example::start("hello", "interval_s = 1\n");
    hello.kill_and_wait_for_the_next();
    let _ = hello.sup.hab(["svc", "status", "--remote-sup", &hello.sup.ctl.to_string()]);
    let page = hello.sup.get("/metrics").text();
    assert!(page.contains("hab_sup_http_gateway_requests_total{path="), "{page}");
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let faults: Vec<&str> = said.lines().filter(|line| !is_known(line)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Names known to Habitat's dashboards that violate Prometheus' naming rules.
fn is_known(line: &str) -> bool {
    let metric = line.split(' ').next().unwrap_or_default();
    let habit = line.contains("non-counter metrics should not have \"_total\" suffix")
        || line.contains("use base unit \"seconds\" instead of \"nanoseconds\"");
    let names = [
        "hab_butterfly_peer_health_total",
        "hab_sup_open_file_descriptors_total",
        "hab_sup_cpu_time_nanoseconds",
    ];
    line.trim().is_empty() || habit && names.contains(&metric)
}

#[test]
fn curl_sees_the_documents() {
    let Some(curl) = find("curl", "curl") else { return };
    let hello = Example::start("hello", "interval_s = 1\n");
    let url = |path: &str| format!("http://{}{path}", hello.sup.http);
    let code = ["-s", "-o", "/dev/null", "-w", "%{http_code} %{content_type}"];
    let health = url("/services/hello/default/health");
    assert_eq!(ask(&curl, &[&code[..], &[&health]].concat()), "200 application/json");
    let services = ask(&curl, &["-s", "--compressed", &url("/services")]);
    assert!(services.starts_with(r#"[{"all_pkg_binds":[],"#), "{services}");
    let toml = ["-s", "-H", "Accept: application/toml", &url("/services/hello/default/config")];
    assert_eq!(ask(&curl, &toml), "greeting = \"Hello from Roost\"\ninterval_s = 1");
    let head = ask(&curl, &["-s", "-I", &health]);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\ncontent-length: "), "{head}");
    assert_eq!(ask(&curl, &[&code[..], &[&url("/nope")]].concat()), "404");
}
