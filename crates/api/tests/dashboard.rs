//! The pages for browsers and the files that they load.

mod common;

use common::{Received, Server, ask, config, get, scenario, snapshot_of, start, token};
use roost_api::{GatewayConfig, Snapshot};

fn web() -> Snapshot {
    snapshot_of(&scenario("09-auth"))
}

/// Values of an attribute in a page.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begins = format!(" {name}=\"");
    page.split(&begins).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The files that a page loads, as paths.
fn files(page: &str) -> Vec<String> {
    let named = ["href", "src"].into_iter().flat_map(|name| attributes(page, name));
    let mut files: Vec<_> =
        named.filter(|path| path.starts_with("assets/")).map(|path| format!("/{path}")).collect();
    files.sort_unstable();
    files.dedup();
    files
}

async fn page(server: &Server, path: &str, headers: &str) -> Received {
    get(server.address, path, &format!("accept: text/html\r\n{headers}")).await
}

#[tokio::test]
async fn pages_carry_a_strict_policy_and_are_not_stored() {
    let open = start(config(), Some(web()));
    let closed = start(GatewayConfig { token: token("sekret"), ..config() }, Some(web()));
    for answer in [
        page(&open, "/", "").await,
        page(&open, "/api", "").await,
        page(&closed, "/", "").await,
        page(&closed, "/api", "").await,
    ] {
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"), "{policy}");
        assert!(policy.contains("; connect-src 'self'; base-uri 'none'; form-action 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        for foreign in ["http:", "https:", "=\"//", "<style", " style=", " onclick=", "@import"] {
            assert!(!answer.body.contains(foreign), "{foreign}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn files_are_served_without_a_token_and_may_be_kept_for_good() {
    let server = start(GatewayConfig { token: token("sekret"), ..config() }, Some(web()));
    let files = files(&page(&server, "/", "").await.body);
    assert!(files.len() > 10, "{files:?}");
    for path in &files {
        let answer = get(server.address, path, "").await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let expected = match path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), Some(expected), "{path}");
        let etag = answer.header("etag").expect("a tag");
        let known = get(server.address, path, &format!("if-none-match: {etag}\r\n")).await;
        assert_eq!((known.status(), known.body.as_str()), (304, ""), "{path}");
        assert_eq!(known.header("cache-control"), answer.header("cache-control"));
        let head = ask(server.address, format!("HEAD {path} HTTP/1.1\r\n\r\n")).await;
        assert_eq!((head.status(), head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-length"), answer.header("content-length"));
    }
    // What is no file of the dashboard, or is not read, asks for the token.
    let other = format!("{}x", files[0]);
    assert_eq!(get(server.address, &other, "").await.status(), 401);
    let post = format!("POST {} HTTP/1.1\r\n\r\n", files[0]);
    assert_eq!(ask(server.address, post).await.status(), 401);
    let known = "authorization: Bearer sekret\r\n";
    assert_eq!(get(server.address, &other, known).await.status(), 404);
}

#[tokio::test]
async fn scripts_are_small_on_the_wire() {
    let server = start(config(), Some(web()));
    let mut total = 0;
    for path in files(&page(&server, "/", "").await.body) {
        let request = format!("HEAD {path} HTTP/1.1\r\naccept-encoding: gzip\r\n\r\n");
        let answer = ask(server.address, request).await;
        let length: usize =
            answer.header("content-length").and_then(|it| it.parse().ok()).expect("a length");
        assert!(length < 1024 || answer.header("content-encoding") == Some("gzip"), "{path}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        total += length;
    }
    assert!((10_000..120_000).contains(&total), "{total} bytes");
}

#[tokio::test]
async fn a_browser_without_scripts_gets_the_services_as_a_table() {
    let server = start(config(), Some(web()));
    let answer = page(&server, "/", "").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body.contains("<th scope=\"row\"><bdi>web.default</bdi>"), "{}", answer.body);
    assert!(answer.body.contains("<noscript><meta http-equiv=\"refresh\" content=\"10\">"));
    let starting = start(config(), None);
    let answer = page(&starting, "/", "").await;
    assert!(answer.body.contains("The Supervisor is still starting."), "{}", answer.body);
}

#[tokio::test]
async fn a_browser_without_the_token_gets_a_page_that_shows_nothing() {
    let server = start(GatewayConfig { token: token("sekret"), ..config() }, Some(web()));
    for path in ["/", "/api"] {
        let answer = page(&server, path, "").await;
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert!(answer.body.contains("This Supervisor asks for a token"), "{}", answer.body);
        assert!(!answer.body.contains("sekret") && !answer.body.contains("web.default"));
        assert!(page(&server, path, "authorization: Bearer sekret\r\n").await.status() == 200);
    }
    let other = page(&server, "/services", "").await;
    assert_eq!((other.status(), other.body.as_str()), (401, ""));
}

#[tokio::test]
async fn a_redacted_page_names_no_path_that_is_hidden() {
    for (redact, is_listed) in [(false, true), (true, false)] {
        let server = start(GatewayConfig { redact, ..config() }, Some(web()));
        let answer = page(&server, "/", "").await;
        let listed = attributes(&answer.body, "content");
        let listed = listed.iter().find(|it| it.contains("/v1/events")).expect("the paths");
        for hidden in ["/census", "/v1/services/{sg}/logs", "/v1/services/{sg}/config"] {
            assert_eq!(listed.split(' ').any(|path| path == hidden), is_listed, "{hidden}");
        }
    }
}
