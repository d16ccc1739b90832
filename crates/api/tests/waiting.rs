//! What a client knows already: tags, 304, waiting for a change, compression; and the list of
//! services.

mod common;

use std::{io::Read as _, sync::Arc, time::Duration};

use common::{Server, ask, config, get, patient, scenario, snapshot_of, start};
use roost_api::{
    GatewayConfig, Limits, ServiceEntry, Snapshot,
    documents::{HealthDocument, ServiceDocuments, ServiceV1},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const WEB: &str = "/v1/services/web.default";

/// A snapshot with services of these groups, each with a reason.
fn services(number: u64, services: &[(&str, &str)]) -> Snapshot {
    let old = snapshot_of(&scenario("09-auth"));
    let entry =
        |(group, why): &(&str, &str)| {
            let mut document = old.services()[0].document().clone();
            document.service_group = group.parse().expect("a group");
            let service =
                ServiceV1 { id: (*group).into(), why: Some((*why).into()), ..ServiceV1::default() };
            let entry = ServiceEntry::new(document, HealthDocument::default());
            Arc::new(entry.with_v1(ServiceDocuments {
                service: service.into(),
                ..ServiceDocuments::default()
            }))
        };
    let (census, rumors) = (Arc::clone(old.census()), Arc::clone(old.butterfly()));
    Snapshot::new(number, services.iter().map(entry).collect(), census, rumors)
}

fn publish(server: &Server, snapshot: Snapshot) {
    server.publish.send_replace(Some(Arc::new(snapshot)));
}

async fn tag(server: &Server, path: &str) -> String {
    get(server.address, path, "").await.header("etag").expect("a tag").to_owned()
}

/// Begins a request and gives its connection, once the gateway has it.
async fn begin(server: &Server, path: &str, tag: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nif-none-match: {tag}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

async fn status(stream: &mut TcpStream) -> u16 {
    common::receive(stream, false).await.status()
}

#[tokio::test]
async fn a_tag_names_the_content_and_gives_304() {
    let server = start(config(), Some(services(1, &[("web.default", "a"), ("db.default", "a")])));
    let web = tag(&server, WEB).await;
    assert!(web.starts_with('"') && web.ends_with('"') && web.len() == 34, "{web}");
    let known = format!("if-none-match: \"x\", {web}\r\n");
    let answer = get(server.address, WEB, &known).await;
    assert_eq!((answer.status(), answer.body.as_str()), (304, ""));
    assert_eq!(answer.header("etag"), Some(web.as_str()));
    assert_eq!(answer.header("content-length"), None);
    // Another service changes: this one keeps its tag; and it has it again when it is again so.
    publish(&server, services(2, &[("web.default", "a"), ("db.default", "b")]));
    assert_eq!(get(server.address, WEB, &known).await.status(), 304);
    publish(&server, services(3, &[("web.default", "b"), ("db.default", "b")]));
    assert_eq!(get(server.address, WEB, &known).await.status(), 200);
    publish(&server, services(4, &[("web.default", "a"), ("db.default", "b")]));
    let head = format!("HEAD {WEB} HTTP/1.1\r\n{known}\r\n");
    assert_eq!(ask(server.address, head).await.status(), 304);
    // Documents of Habitat have none.
    for path in ["/services", "/services/web/default", "/census", "/openapi.json", "/metrics"] {
        let answer =
            get(server.address, path, "if-none-match: *\r\naccept-encoding: gzip\r\n").await;
        assert_eq!(answer.status(), 200, "{path}");
        for header in ["etag", "cache-control", "content-encoding"] {
            assert_eq!(answer.header(header), None, "{path}");
        }
    }
    assert_eq!(get(server.address, "/v1/openapi.json", "if-none-match: *\r\n").await.status(), 304);
}

#[tokio::test]
async fn waiting_ends_when_this_document_changes() {
    let server = start(config(), Some(services(1, &[("web.default", "a"), ("db.default", "a")])));
    let web = tag(&server, WEB).await;
    let path = format!("{WEB}?wait=10m");
    // Without a version that is known there is nothing to wait for.
    assert_eq!(get(server.address, &path, "").await.status(), 200);
    let mut waiting = begin(&server, &path, &web).await;
    let mut short = begin(&server, &format!("{WEB}?wait=20ms"), &web).await;
    assert_eq!(status(&mut short).await, 304);
    publish(&server, services(2, &[("web.default", "a"), ("db.default", "b")]));
    let mut list = begin(
        &server,
        "/v1/services?name=d*&wait=10m",
        &tag(&server, "/v1/services?name=d*").await,
    )
    .await;
    assert_eq!(get(server.address, WEB, "").await.status(), 200);
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(50), waiting.peek(&mut byte)).await;
    assert!(early.is_err(), "another document changed");
    publish(&server, services(3, &[("web.default", "now"), ("db.default", "b")]));
    let answer = common::receive(&mut waiting, false).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body.contains("now"), "{}", answer.body);
    publish(&server, services(4, &[("web.default", "now")]));
    let answer = common::receive(&mut list, false).await;
    assert_eq!((answer.status(), answer.body.as_str()), (200, r#"{"items":[],"next":null}"#));
    let mut gone = begin(&server, &path, &tag(&server, WEB).await).await;
    publish(&server, services(5, &[]));
    assert_eq!(status(&mut gone).await, 404);
    for wait in ["365d", "8760h", "601s", "-1s", "1", "99999999999999999999s"] {
        let answer = get(server.address, &format!("/v1/services?wait={wait}"), "").await;
        assert_eq!(answer.status(), 400, "{wait}");
        assert!(answer.body.contains("at most 600s"), "{}", answer.body);
    }
}

#[tokio::test]
async fn waiters_are_bounded_and_neither_drive_out_others_nor_outlive_their_clients() {
    let limits = Limits { connections: 4, waiting: 6, ..patient() };
    let config = GatewayConfig { limits, ..config() };
    let server = start(config, Some(services(1, &[("web.default", "a")])));
    let (web, path) = (tag(&server, WEB).await, format!("{WEB}?wait=10m"));
    let mut waiting = Vec::new();
    for _ in 0..6 {
        waiting.push(begin(&server, &path, &web).await);
    }
    // More connections than are allowed otherwise: none of those that wait is driven out.
    for _ in 0..8 {
        let mut one_more = begin(&server, &path, &web).await;
        let answer = common::receive(&mut one_more, false).await;
        assert_eq!((answer.status(), answer.header("retry-after")), (429, Some("1")));
        assert!(answer.body.contains("too_many_requests"));
    }
    for stream in waiting.drain(..3) {
        drop(stream);
    }
    // The gateway notices that clients left, after a while.
    let mut again = loop {
        let mut again = begin(&server, &path, &web).await;
        let mut byte = [0];
        match tokio::time::timeout(Duration::from_millis(200), again.peek(&mut byte)).await {
            Err(_) => break again,
            Ok(_) => assert_eq!(status(&mut again).await, 429),
        }
    };
    publish(&server, services(2, &[("web.default", "b")]));
    for stream in waiting.iter_mut().chain([&mut again]) {
        assert_eq!(status(stream).await, 200);
    }
}

#[tokio::test]
async fn shutdown_answers_those_who_wait() {
    let mut server = start(config(), Some(services(1, &[("web.default", "a")])));
    let mut waiting = begin(&server, &format!("{WEB}?wait=10m"), &tag(&server, WEB).await).await;
    assert_eq!(get(server.address, WEB, "").await.status(), 200);
    server.shutdown.cancel();
    let mut received = Vec::new();
    waiting.read_to_end(&mut received).await.expect("an end");
    // It may not have been read before the end.
    assert!(received.is_empty() || received.starts_with(b"HTTP/1.1 304"), "{received:?}");
    (&mut server.ended).await.expect("it returned");
}

#[tokio::test]
async fn long_documents_are_compressed_for_those_who_take_it() {
    let server = start(config(), Some(services(1, &[("web.default", &"why ".repeat(1000))])));
    let plain = get(server.address, WEB, "").await;
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let request =
        format!("GET {WEB} HTTP/1.1\r\naccept-encoding: br, gzip\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.expect("an answer");
    let end = received.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    assert!(head.contains("-gzip\"\r\n"), "{head}");
    assert!(received.len() < plain.body.len() / 4);
    let mut body = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&received[end..]);
    decoder.read_to_string(&mut body).expect("gzip");
    assert_eq!(body, plain.body);
}

#[tokio::test]
async fn services_are_listed_in_pages_and_filtered() {
    let groups: Vec<String> = (0..25).map(|number| format!("s{number:02}.blue")).collect();
    let all: Vec<_> =
        groups.iter().map(|group| (group.as_str(), "x")).chain([("web.default", "y")]).collect();
    let server = start(config(), Some(services(1, &all)));
    let list = async |query: &str| -> Value {
        let answer = get(server.address, &format!("/v1/services{query}"), "").await;
        assert_eq!(answer.status(), 200, "{query}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    };
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids(&list("").await).len(), 26);
    assert_eq!(ids(&list("?group=default").await), ["web.default"]);
    assert_eq!(ids(&list("?name=s*3").await), ["s03.blue", "s13.blue", "s23.blue"]);
    assert_eq!(ids(&list("?state=up").await).len(), 0);
    assert_eq!(ids(&list("?state=up,starting&health=unknown").await).len(), 26);
    let (mut found, mut query) = (Vec::new(), "?limit=10".to_owned());
    let cursor = loop {
        let page = list(&query).await;
        found.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=10&cursor={next}"),
            None => break query.split_once("cursor=").expect("a cursor").1.to_owned(),
        }
    };
    assert_eq!(found, ids(&list("").await));
    let damaged = format!("{}0", &cursor[..cursor.len() - 1]);
    for cursor in ["x", "web.default", damaged.as_str(), &"a".repeat(1000)] {
        let answer = get(server.address, &format!("/v1/services?cursor={cursor}"), "").await;
        assert_eq!(answer.status(), 400, "{cursor}");
        assert!(answer.body.contains("bad_cursor"), "{}", answer.body);
    }
    for query in ["limit=0", "limit=1001", "state=dead", "name=", "nope=1", "state=up&state=up"] {
        let answer = get(server.address, &format!("/v1/services?{query}"), "").await;
        assert_eq!(answer.status(), 400, "{query}");
    }
}
