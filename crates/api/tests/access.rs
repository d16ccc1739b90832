//! Who may read what: each resource with each scope, and passes that end.

mod common;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use common::{config, get, receive, scenario, snapshot_of, start, token};
use roost_access::{Rules, Scope, Scopes, TokenRule, digest_of};
use roost_api::{GatewayConfig, Snapshot};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::watch,
};

const STREAM: &str = "/v1/events/stream";

fn web() -> Option<Snapshot> {
    Some(snapshot_of(&scenario("09-auth")))
}

fn rule(name: &str, scopes: Scopes, expires_ms: Option<u64>) -> TokenRule {
    TokenRule { name: name.into(), digest: digest_of(name).expect("short"), scopes, expires_ms }
}

/// One token for each scope, which is its word.
fn one_for_each() -> Rules {
    let tokens = Scope::ALL.map(|scope| rule(scope.as_str(), [scope].into_iter().collect(), None));
    Rules { tokens: tokens.to_vec(), certificates: Vec::new() }
}

fn with(rules: Rules) -> (watch::Sender<Arc<Rules>>, GatewayConfig) {
    let (change, rules) = watch::channel(Arc::new(rules));
    (change, GatewayConfig { rules: Some(rules), ..config() })
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// Each path of the description with the scope that it names.
fn resources() -> Vec<(String, Scope)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let description: Value =
        serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    let paths = description["paths"].as_object().expect("paths").iter();
    let resource = |(pattern, operations): (&String, &Value)| {
        let path = pattern
            .replace("{name}", "web")
            .replace("{group}", "default")
            .replace("{organization}", "acme")
            .replace("{sg}", "web.default");
        let security = &operations["get"]["security"];
        let scope = security[1]["bearer"][0].as_str().unwrap_or_else(|| panic!("{path}: none"));
        assert_eq!(security[2]["certificate"][0], scope, "{path}");
        (path, scope.parse().expect("a scope"))
    };
    paths.map(resource).collect()
}

/// The status of a request; the rest of a stream is not read.
async fn status(address: SocketAddr, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    receive(&mut stream, true).await.status()
}

#[tokio::test]
async fn each_scope_reads_what_names_it_and_nothing_else() {
    let (_change, config) = with(one_for_each());
    let config = GatewayConfig { token: token("single"), ..config };
    let server = start(config, web());
    let resources = resources();
    assert!(resources.len() > 20);
    for (path, needed) in &resources {
        assert_eq!(status(server.address, path, "").await, 401, "{path} without a token");
        // Habitat's token reads Habitat's documents, and no secrets elsewhere.
        let single = status(server.address, path, &bearer("single")).await;
        assert!(![401, 403].contains(&single), "{path}: {single}");
        for given in Scope::ALL {
            let status = status(server.address, path, &bearer(given.as_str())).await;
            let is_allowed = given == *needed || (given, *needed) == (Scope::Read, Scope::Probe);
            match is_allowed {
                true => assert!(![401, 403].contains(&status), "{path} with {given}: {status}"),
                false => assert_eq!(status, 403, "{path} with {given}"),
            }
        }
    }
    let of = |path: &str| resources.iter().find(|it| it.0 == path).expect(path).1;
    assert_eq!(of("/livez"), Scope::Probe);
    assert_eq!(of("/metrics"), Scope::Read);
    assert_eq!(of("/v1/services/web.default/logs"), Scope::Logs);
    assert_eq!(of("/v1/services/web.default/config"), Scope::Read);
    for path in ["/services", "/services/web/default/config", "/census", "/butterfly"] {
        assert_eq!(of(path), Scope::Secrets, "{path}");
    }
    // Not even their existence is shown without a token.
    assert_eq!(status(server.address, "/v1/nothing", "").await, 401);
    assert_eq!(status(server.address, "/v1/nothing", &bearer("probe")).await, 404);
}

#[tokio::test]
async fn denials_name_what_is_missing_and_are_counted() {
    let (_change, config) = with(Rules {
        tokens: vec![
            rule("reader", [Scope::Read].into_iter().collect(), None),
            rule("old", Scopes::all(), Some(1)),
        ],
        certificates: Vec::new(),
    });
    let server = start(config, web());
    let problem = async |path: &str, headers: &str| {
        let answer = get(server.address, path, headers).await;
        let body: Value = serde_json::from_str(&answer.body).expect("a problem");
        let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
        (answer.status(), body["code"].clone(), body["detail"].to_string(), challenge)
    };
    let logs = "/v1/services/web.default/logs";
    let (status, code, detail, challenge) = problem(logs, &bearer("reader")).await;
    assert_eq!((status, code), (403, "forbidden".into()));
    assert_eq!(detail, "\"This needs the scope 'logs'; the token 'reader' has read.\"");
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"logs\"");
    // Also on Habitat's paths, whose own refusals have no body.
    let (status, _, detail, _) = problem("/services", &bearer("reader")).await;
    assert!(status == 403 && detail.contains("'secrets'"), "{status} {detail}");
    for (headers, part) in [
        (String::new(), "a token that it knows"),
        (bearer("wrong"), "not known"),
        (bearer(&"x".repeat(600)), "not known"),
        (bearer("old"), "The token 'old' has expired."),
        ("authorization: Basic cmVhZGVy\r\n".into(), "a token that it knows"),
    ] {
        let (status, code, detail, challenge) = problem("/v1/services", &headers).await;
        assert_eq!((status, code), (401, "unauthorized".into()));
        assert!(detail.contains(part), "{detail}");
        assert_eq!(challenge, "Bearer");
    }
    let plain = get(server.address, "/services", "").await;
    assert_eq!((plain.status(), plain.body.as_str()), (401, ""));
    assert_eq!(plain.header("www-authenticate"), None);
    let metrics = get(server.address, "/metrics", &bearer("reader")).await.body;
    for (reason, count) in [
        ("no_token", 3),
        ("wrong_token", 2),
        ("expired_token", 1),
        ("missing_scope", 2),
        ("too_many_tries", 0),
    ] {
        let line =
            format!("hab_sup_http_gateway_denied_requests_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}");
    }
}

#[tokio::test]
async fn a_redacted_api_shows_documents_without_configuration_to_readers() {
    let (_change, config) = with(one_for_each());
    let server = start(GatewayConfig { redact: true, ..config }, web());
    let reader = bearer("read");
    assert_eq!(status(server.address, "/services", &reader).await, 200);
    for path in ["/census", "/butterfly", "/v1/services/web.default/logs"] {
        assert_eq!(status(server.address, path, &reader).await, 404, "{path}");
    }
}

/// Begins a stream and gives its connection after the first piece.
async fn begin(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {STREAM} HTTP/1.1\r\nlast-event-id: 7\r\n{}\r\n", bearer(token));
    stream.write_all(request.as_bytes()).await.expect("sent");
    assert_eq!(receive(&mut stream, true).await.status(), 200);
    stream
}

/// True when a stream ends with its last chunk.
async fn ends(stream: &mut TcpStream) -> bool {
    let mut received = Vec::new();
    let mut bytes = [0; 1024];
    while !received.ends_with(b"0\r\n\r\n") {
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut bytes));
        match read.await.expect("it ends in time").expect("bytes") {
            0 => return false,
            read => received.extend_from_slice(&bytes[..read]),
        }
    }
    true
}

#[tokio::test]
async fn a_stream_and_a_wait_end_when_their_token_is_revoked() {
    let kept = || rule("kept", Scopes::all(), None);
    let (change, config) = with(Rules {
        tokens: vec![
            kept(),
            rule("revoked", Scopes::all(), None),
            rule("less", Scopes::all(), None),
        ],
        certificates: Vec::new(),
    });
    let server = start(config, web());
    let path = "/v1/services";
    let tag = get(server.address, path, &bearer("kept")).await;
    let tag = tag.header("etag").expect("a tag").to_owned();
    let mut waiting = TcpStream::connect(server.address).await.expect("a connection");
    let request = format!(
        "GET {path}?wait=10m HTTP/1.1\r\nif-none-match: {tag}\r\n{}\r\n",
        bearer("revoked")
    );
    waiting.write_all(request.as_bytes()).await.expect("sent");
    let mut revoked = begin(server.address, "revoked").await;
    let mut less = begin(server.address, "less").await;
    let mut stays = begin(server.address, "kept").await;
    let fewer = [Scope::Logs].into_iter().collect();
    let tokens = vec![kept(), rule("less", fewer, None)];
    change.send_replace(Arc::new(Rules { tokens, certificates: Vec::new() }));
    assert!(ends(&mut revoked).await && ends(&mut less).await);
    assert_eq!(receive(&mut waiting, false).await.status(), 401);
    assert_eq!(status(server.address, path, &bearer("revoked")).await, 401);
    let still = tokio::time::timeout(Duration::from_millis(50), ends(&mut stays)).await;
    assert!(still.is_err(), "the stream of another token goes on");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = u64::try_from(now.expect("after 1970").as_millis()).expect("small");
    let (_change, config) = with(Rules {
        tokens: vec![rule("short", Scopes::all(), Some(now_ms + 1_500))],
        certificates: Vec::new(),
    });
    let server = start(config, web());
    let mut stream = begin(server.address, "short").await;
    assert!(ends(&mut stream).await);
    assert_eq!(status(server.address, STREAM, &bearer("short")).await, 401);
}

#[tokio::test]
async fn a_client_that_guesses_is_held_back_and_others_are_not() {
    let (_change, config) = with(one_for_each());
    let server = start(config, web());
    let mut statuses = Vec::new();
    for guess in 0..60 {
        let path = if guess % 2 == 0 { "/v1/services" } else { "/services" };
        statuses.push(status(server.address, path, &bearer(&format!("guess-{guess}"))).await);
    }
    assert_eq!(statuses[..20], [401; 20]);
    assert!(statuses.contains(&429), "{statuses:?}");
    // Without a token nothing is guessed.
    assert_eq!(status(server.address, "/v1/services", "").await, 401);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.77:0".parse().expect("an address")).expect("bound");
    let mut other = socket.connect(server.address).await.expect("a connection");
    let request = format!("GET /v1/services HTTP/1.1\r\n{}\r\n", bearer("read"));
    other.write_all(request.as_bytes()).await.expect("sent");
    assert_eq!(receive(&mut other, false).await.status(), 200);
}
