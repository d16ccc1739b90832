//! What is ours and was never recorded: the time of start, content negotiation, the figures,
//! connections that misbehave, the end.

mod common;

use std::{sync::Arc, time::Duration};

use common::{ask, config, get, patient, receive, scenario, snapshot_of, start, token};
use roost_api::{GatewayConfig, Limits, ServiceEntry, Snapshot, documents::HealthDocument};
use roost_ident::HealthStatus;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn web() -> Snapshot {
    snapshot_of(&scenario("09-auth"))
}

#[tokio::test]
async fn while_starting_documents_answer_503_and_everything_else_as_usual() {
    let server = start(GatewayConfig { token: token("sekret"), ..config() }, None);
    let auth = "authorization: Bearer sekret\r\n";
    for path in ["/services", "/census", "/butterfly", "/services/web/default/health"] {
        let answer = get(server.address, path, auth).await;
        assert_eq!(answer.status_line, "HTTP/1.1 503 Service Unavailable", "{path}");
        let names: Vec<_> = answer.headers.iter().map(|it| it.0.as_str()).collect();
        assert_eq!(names, ["content-length", "retry-after", "date"], "{path}");
        assert_eq!((answer.header("retry-after"), answer.body.as_str()), (Some("1"), ""));
        assert_eq!(get(server.address, path, "").await.status(), 401);
    }
    for (path, status) in [
        ("/", 200),
        ("/openapi.json", 200),
        ("/v1/openapi.json", 200),
        ("/metrics", 200),
        ("/nope", 404),
        ("/services/we.b/default", 400),
    ] {
        assert_eq!(get(server.address, path, auth).await.status(), status, "{path}");
    }
    let post = format!("POST /census HTTP/1.1\r\n{auth}\r\n");
    assert_eq!(ask(server.address, post).await.status(), 405);
    server.publish.send_replace(Some(Arc::new(web())));
    assert_eq!(get(server.address, "/services/web/default", auth).await.status(), 200);
}

#[tokio::test]
async fn health_decides_the_status_in_every_form() {
    let server = start(config(), Some(web()));
    let entry = Arc::clone(&web().services()[0]);
    for (number, (status, code)) in [
        (HealthStatus::Ok, 200),
        (HealthStatus::Warning, 200),
        (HealthStatus::Critical, 503),
        (HealthStatus::Unknown, 500),
    ]
    .into_iter()
    .enumerate()
    {
        let health = HealthDocument { status, stdout: "o\n".into(), stderr: "e".into() };
        let entry = Arc::new(ServiceEntry::with_health(&entry, health));
        let old = web();
        let (census, rumors) = (Arc::clone(old.census()), Arc::clone(old.butterfly()));
        let snapshot = Snapshot::new(number as u64 + 2, vec![entry], census, rumors);
        server.publish.send_replace(Some(Arc::new(snapshot)));
        let path = "/services/web/default/health";
        let json = get(server.address, path, "").await;
        assert_eq!(json.status(), code);
        assert_eq!(
            json.body,
            format!(r#"{{"status":"{}","stdout":"o\n","stderr":"e"}}"#, status.upper())
        );
        let text = get(server.address, path, "accept: text/plain\r\n").await;
        assert_eq!(
            (text.status(), text.body.clone()),
            (code, format!("{}\no\ne\n", status.upper()))
        );
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(text.header("retry-after"), None);
        let toml = get(server.address, path, "accept: application/toml\r\n").await;
        assert_eq!(
            toml.body.parse::<toml::Table>().expect("TOML")["status"].as_str(),
            Some(status.upper())
        );
    }
}

#[tokio::test]
async fn forms_are_negotiated_and_only_other_forms_vary() {
    let server = start(config(), Some(web()));
    let cases = [
        ("/services", "application/toml", "application/toml", true),
        ("/services", "text/plain", "application/json", false),
        ("/services/web/default", "text/x-toml", "application/toml", true),
        ("/services/web/default/config", "text/*", "text/plain; charset=utf-8", true),
        ("/census", "application/toml", "application/toml", true),
        ("/butterfly", "application/toml", "application/toml", true),
        ("/metrics", "application/json", "text/plain; version=0.0.4", false),
        ("/", "text/html,*/*;q=0.8", "text/html", false),
        ("/", "application/json", "application/json", true),
        ("/openapi.json", "text/html", "application/json", false),
        ("/v1/openapi.json", "text/html", "application/json", true),
    ];
    for (path, accept, content_type, vary) in cases {
        let answer = get(server.address, path, &format!("accept: {accept}\r\n")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some(content_type), "{path} {accept}");
        assert_eq!(answer.header("vary").is_some(), vary, "{path} {accept}");
        if content_type == "application/toml" {
            assert!(answer.body.parse::<toml::Table>().is_ok(), "{path}");
        }
    }
}

fn series(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.starts_with("hab_sup_http_gateway_requests_total")).collect()
}

#[tokio::test]
async fn requests_are_counted_by_resource_and_series_end_with_their_service() {
    let server = start(config(), Some(web()));
    let page = get(server.address, "/metrics", "").await.body;
    assert_eq!(series(&page), ["hab_sup_http_gateway_requests_total{path=\"/metrics\"} 1"]);
    // The request that is being answered is counted, its duration not yet.
    assert!(
        page.contains("hab_sup_http_gateway_request_duration_seconds_count{path=\"/metrics\"} 0\n")
    );
    assert!(page.contains(
        "hab_sup_http_gateway_request_duration_seconds_bucket{path=\"/metrics\",le=\"0.005\"} 0\n"
    ));
    for number in 0..50 {
        assert_eq!(get(server.address, &format!("/r{number}"), "").await.status(), 404);
        assert_eq!(get(server.address, &format!("/services/x{number}/y"), "").await.status(), 404);
    }
    get(server.address, "/services/web/default/health", "").await;
    get(server.address, "/services/we%62/default/health", "").await;
    let page = get(server.address, "/metrics", "").await.body;
    assert_eq!(
        series(&page),
        [
            "hab_sup_http_gateway_requests_total{path=\"/metrics\"} 2",
            "hab_sup_http_gateway_requests_total{path=\"/services/web/default/health\"} 2",
            "hab_sup_http_gateway_requests_total{path=\"<other>\"} 100",
        ]
    );
    server.publish.send_replace(Some(Arc::new(Snapshot::empty(2, "m"))));
    let page = get(server.address, "/metrics", "").await.body;
    assert!(!page.contains("/services/web"), "{page}");
}

#[tokio::test]
async fn requests_without_a_token_are_counted_under_one_word() {
    let server = start(GatewayConfig { token: token("t"), ..config() }, Some(web()));
    for path in ["/a", "/services", "/services/web/default", "/metrics"] {
        assert_eq!(get(server.address, path, "").await.status(), 401);
    }
    let page = get(server.address, "/metrics", "authorization: Bearer t\r\n").await.body;
    assert_eq!(
        series(&page),
        [
            "hab_sup_http_gateway_requests_total{path=\"/metrics\"} 1",
            "hab_sup_http_gateway_requests_total{path=\"<unauthorized>\"} 4",
        ]
    );
}

#[tokio::test]
async fn recorded_gateway_figures_have_the_same_lines() {
    let recorded = scenario("01-empty");
    let server = start(config(), Some(snapshot_of(&recorded)));
    for path in ["/", "/services", "/census", "/butterfly"] {
        get(server.address, path, "").await;
    }
    let ours = get(server.address, "/metrics", "").await.body;
    let only_gateway = |page: &str| -> Vec<String> {
        let lines = page.lines().filter(|line| line.contains("hab_sup_http_gateway"));
        // Times differ: keep the names.
        let measured = |line: &str| line.contains("_bucket{") || line.contains("_sum{");
        lines
            .map(|line| match line.rsplit_once(' ') {
                Some((name, _)) if measured(line) => name.to_owned(),
                _ => line.to_owned(),
            })
            .collect()
    };
    assert_eq!(only_gateway(&ours), only_gateway(&recorded[4].body));
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let limits = Limits { head_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = start(GatewayConfig { limits, ..config() }, Some(web()));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /services HTTP/1.1\r\nhost: ").await.expect("sent");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("an end");
    let page = get(server.address, "/metrics", "").await.body;
    assert!(page.contains("closed_connections_total{reason=\"idle\"} 1"), "{page}");
}

#[tokio::test]
async fn a_flood_of_idle_connections_does_not_lock_out_who_comes_last() {
    let limits = Limits { connections: 20, ..patient() };
    let server = start(GatewayConfig { limits, ..config() }, Some(web()));
    let mut flood = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        // Half a request, so that the server has something to wait for.
        if flood.len() % 2 == 0 {
            let _ = stream.write_all(b"GET /serv").await;
        }
        flood.push(stream);
    }
    let answer = get(server.address, "/services", "").await;
    assert_eq!(answer.status(), 200);
    // The first of the flood was asked to leave.
    let mut rest = Vec::new();
    let _ = flood[0].read_to_end(&mut rest).await;
    let page = get(server.address, "/metrics", "").await.body;
    assert!(page.contains("closed_connections_total{reason=\"oldest\"}"), "{page}");
}

#[tokio::test]
async fn heads_that_are_too_large_get_431() {
    let server = start(config(), Some(web()));
    let long = "x".repeat(40 * 1024);
    let answer = ask(server.address, format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n")).await;
    assert_eq!(answer.status(), 431);
    let answer = ask(server.address, format!("GET /{long} HTTP/1.1\r\n\r\n")).await;
    assert!(matches!(answer.status(), 414 | 431), "{}", answer.status_line);
    assert_eq!(get(server.address, "/services", "").await.status(), 200);
}

#[tokio::test]
async fn garbage_disturbs_nobody() {
    let server = start(config(), Some(web()));
    let mut state: u64 = 42;
    for length in 1..200_usize {
        let mut bytes = Vec::new();
        for _ in 0..length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.push((state >> 56) as u8);
        }
        let mut stream = TcpStream::connect(server.address).await.expect("a connection");
        stream.write_all(&bytes).await.expect("sent");
        stream.shutdown().await.expect("ended");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{rest:?}");
    }
    assert_eq!(get(server.address, "/services", "").await.status(), 200);
}

#[tokio::test]
async fn a_large_unread_body_does_not_cost_the_client_its_answer() {
    let server = start(config(), Some(web()));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let head = format!("POST /census HTTP/1.1\r\ncontent-length: {}\r\n\r\n", 100_000);
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&vec![b'x'; 100_000]).await.expect("sent");
    let answer = receive(&mut stream, false).await;
    assert_eq!((answer.status(), answer.header("connection")), (405, Some("close")));
}

#[tokio::test]
async fn many_requests_at_once_on_one_connection_are_answered_in_order() {
    let server = start(config(), Some(web()));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let paths = ["/services", "/nope", "/census", "/services/web/default"];
    let requests: String = paths.iter().map(|it| format!("GET {it} HTTP/1.1\r\n\r\n")).collect();
    stream.write_all(requests.as_bytes()).await.expect("sent");
    for status in [200, 404, 200, 200] {
        assert_eq!(receive(&mut stream, false).await.status(), status);
    }
}

#[tokio::test]
async fn a_client_that_has_closed_its_side_still_gets_its_answer() {
    let server = start(config(), Some(web()));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /services HTTP/1.1\r\n\r\n").await.expect("sent");
    stream.shutdown().await.expect("ended");
    assert_eq!(receive(&mut stream, false).await.status(), 200);
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_returns_although_one_hangs() {
    let limits = Limits { shutdown_timeout: Duration::from_millis(50), ..patient() };
    let mut server = start(GatewayConfig { limits, ..config() }, Some(web()));
    let mut idle = TcpStream::connect(server.address).await.expect("a connection");
    idle.write_all(b"GET /services HTTP/1.1\r\n\r\n").await.expect("sent");
    receive(&mut idle, false).await;
    let mut hanging = TcpStream::connect(server.address).await.expect("a connection");
    hanging.write_all(b"GET /serv").await.expect("sent");
    server.shutdown.cancel();
    (&mut server.ended).await.expect("it returned");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("an end");
    assert!(rest.is_empty());
    assert!(TcpStream::connect(server.address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let limits = Limits { write_timeout: Duration::from_millis(50), ..patient() };
    let old = web();
    let big = HealthDocument {
        stdout: "x".repeat(16 * 1024 * 1024),
        ..old.services()[0].health_document().clone()
    };
    let entry = Arc::new(old.services()[0].with_health(big));
    let (census, rumors) = (Arc::clone(old.census()), Arc::clone(old.butterfly()));
    let snapshot = Snapshot::new(2, vec![entry], census, rumors);
    let server = start(GatewayConfig { limits, ..config() }, Some(snapshot));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /services/web/default/health HTTP/1.1\r\n\r\n").await.expect("sent");
    // Nothing is read until the server has given up: then its figures say so.
    loop {
        let page = get(server.address, "/metrics", "").await.body;
        if page.contains("closed_connections_total{reason=\"stalled\"} 1") {
            break;
        }
        tokio::task::yield_now().await;
    }
}

/// Takes minutes; run with `--ignored`.
#[tokio::test]
#[ignore = "sends a million requests"]
async fn a_million_random_paths_cost_less_than_a_megabyte() {
    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|it| it.parse().ok()).expect("a number")
    }
    let server = start(GatewayConfig { token: token("t"), ..config() }, Some(web()));
    let stream = TcpStream::connect(server.address).await.expect("a connection");
    let mut stream = tokio::io::BufStream::new(stream);
    let mut send = async |from: u32, to: u32| {
        for number in from..to {
            let request = format!("GET /{number:x}/{number} HTTP/1.1\r\n\r\n");
            stream.write_all(request.as_bytes()).await.expect("sent");
            stream.flush().await.expect("sent");
            assert_eq!(receive(&mut stream, false).await.status(), 401);
        }
    };
    send(0, 20_000).await;
    let before = resident_kib();
    send(20_000, 1_020_000).await;
    let after = resident_kib();
    println!("resident: {before} KiB before, {after} KiB after");
    assert!(after < before + 1024, "{before} KiB before, {after} KiB after");
}

#[tokio::test]
async fn resources_of_v1_refuse_unknown_parameters_and_those_of_habitat_ignore_them() {
    let server = start(config(), Some(web()));
    for path in ["/v1/openapi.json?nope=1", "/v1/services/web.default?%1b=&x"] {
        let answer = get(server.address, path, "").await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.body.contains(r#""code":"bad_parameter""#), "{}", answer.body);
        assert!(answer.body.contains("This resource takes"), "{}", answer.body);
        assert!(!answer.body.contains('\u{1b}'));
    }
    for path in ["/services?nope=1", "/openapi.json?x", "/metrics?x=%zz", "/?x"] {
        assert_eq!(get(server.address, path, "").await.status(), 200, "{path}");
    }
}
