//! Every resource of the description answers as described: each status is listed, each body fits
//! its schema.

mod common;

use common::{ask, config, get, scenario, snapshot_of, start, token};
use roost_api::{GatewayConfig, Snapshot};
use serde_json::{Value, json};

fn description() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON")
}

/// A value below a reference, if it is one.
fn resolved<'a>(description: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => description.pointer(&reference[1..]).expect("a target"),
        None => value,
    }
}

/// Sends a request to each path and compares the answers with the description; gives how many
/// answers had each status.
async fn check(
    config: GatewayConfig,
    snapshot: Option<Snapshot>,
    method: &str,
    headers: &str,
) -> std::collections::BTreeMap<u16, usize> {
    let description = description();
    let server = start(config, snapshot);
    let mut statuses = std::collections::BTreeMap::new();
    for (pattern, operations) in description["paths"].as_object().expect("paths") {
        let path = pattern
            .replace("{name}", "web")
            .replace("{group}", "default")
            .replace("{organization}", "acme")
            .replace("{sg}", "web.default");
        let answer = match method {
            "GET" => get(server.address, &path, headers).await,
            _ => ask(server.address, format!("{method} {path} HTTP/1.1\r\n{headers}\r\n")).await,
        };
        let status = answer.status();
        *statuses.entry(status).or_default() += 1;
        let response = &operations["get"]["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {path}: {status} is not described");
        let response = resolved(&description, response);
        let Some(content_type) = answer.header("content-type") else {
            assert_eq!(answer.body, "", "{method} {path}");
            continue;
        };
        let content_type = content_type.trim_end_matches("; charset=utf-8");
        let schema = &response["content"][content_type]["schema"];
        assert!(schema.is_object(), "{method} {path}: {content_type} is not described");
        if content_type.ends_with("json") {
            let validator = jsonschema::draft202012::new(&json!({
                "allOf": [schema], "components": description["components"],
            }))
            .expect("a schema");
            let body: Value = serde_json::from_str(&answer.body).expect("JSON");
            let errors: Vec<_> =
                validator.iter_errors(&body).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{method} {path}: {errors:?}");
        }
    }
    statuses
}

fn web() -> Option<Snapshot> {
    Some(snapshot_of(&scenario("09-auth")))
}

#[tokio::test]
async fn each_resource_answers_as_described() {
    let statuses = check(config(), web(), "GET", "").await;
    // Those of an organization are not loaded.
    assert_eq!(statuses[&404], 3, "{statuses:?}");
    assert!(statuses[&200] > 8, "{statuses:?}");
    let toml = "accept: application/toml, text/plain;q=0.5\r\n";
    assert_eq!(check(config(), web(), "GET", toml).await, statuses);
}

#[tokio::test]
async fn each_refusal_is_as_described() {
    let all = description()["paths"].as_object().expect("paths").len();
    let count = |statuses: &std::collections::BTreeMap<u16, usize>, status| {
        statuses.get(&status).copied().unwrap_or_default()
    };
    let statuses = check(config(), web(), "POST", "").await;
    assert_eq!(count(&statuses, 405), all, "{statuses:?}");
    let secret = GatewayConfig { token: token("t"), ..config() };
    let statuses = check(secret, web(), "GET", "").await;
    assert_eq!(count(&statuses, 401), all, "{statuses:?}");
    let statuses = check(config(), None, "GET", "").await;
    assert_eq!(count(&statuses, 503) + count(&statuses, 200), all, "{statuses:?}");
    let redacted = GatewayConfig { redact: true, ..config() };
    let statuses = check(redacted, web(), "GET", "").await;
    assert_eq!(count(&statuses, 404), 13, "{statuses:?}");
}
