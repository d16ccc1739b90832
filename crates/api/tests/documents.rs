//! Recorded documents: our structs read them and write them back byte for byte, and the
//! published description fits both the recordings and what the gateway sends.

mod common;

use std::sync::Arc;

use common::{butterfly, fill, scenario};
use roost_api::{
    Document, Format, ServiceEntry, Snapshot,
    documents::{Butterfly, Census, HealthDocument, ServiceDocument, surroundings, v1},
};
use roost_ident::ReasonCode;
use serde_json::{Value, json};

const SCENARIOS: [&str; 13] = [
    "01-empty",
    "02-standalone-full",
    "03-stopped",
    "04-health",
    "05-org",
    "06-binds",
    "07-leader-ring",
    "08-crash-backoff",
    "09-auth",
    "10-redact",
    "11-odd-requests",
    "12-config-layers",
    "13-leader-simultaneous",
];

/// Every recorded JSON document: name, the part of the description it belongs to, text.
fn recorded_documents() -> Vec<(String, &'static str, String)> {
    let mut documents = Vec::new();
    for one in SCENARIOS.iter().flat_map(|name| scenario(name)) {
        let request = String::from_utf8_lossy(&one.request).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let kind = match path.split('/').collect::<Vec<_>>()[..] {
            ["", "services"] => "Services",
            ["", "census"] => "Census",
            ["", "butterfly"] => "Butterfly",
            ["", "services", .., "health"] => "Health",
            ["", "services", _, _] | ["", "services", _, _, "acme"] => "Service",
            _ => continue,
        };
        if one.body.starts_with(['{', '[']) {
            documents.push((one.name, kind, fill(&one.body)));
        }
    }
    assert!(documents.len() > 180, "{}", documents.len());
    documents
}

fn rewritten(kind: &str, text: &str) -> String {
    let value: Value = serde_json::from_str(text).expect("JSON");
    match kind {
        "Services" => to_json(&read::<Vec<ServiceDocument>>(text)),
        "Service" => to_json(&read::<ServiceDocument>(text)),
        "Census" => to_json(&read::<Census>(text)),
        "Health" => to_json(&read::<HealthDocument>(text)),
        _ => to_json(&butterfly(&value)),
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// Keys that are ids, groups and file names come in any order from Habitat: sort those maps,
/// and only those, before texts are compared.
fn with_sorted_ids(text: &str) -> String {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(sort),
            Value::Object(fields) => {
                fields.values_mut().for_each(sort);
                let is_id = |key: &String| key.starts_with("${MEMBER_ID") || key.contains('.');
                if fields.keys().all(is_id) {
                    fields.sort_keys();
                }
            }
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(text).expect("JSON");
    sort(&mut value);
    value.to_string()
}

#[test]
fn recorded_documents_are_written_back_key_for_key() {
    for (name, kind, text) in recorded_documents() {
        // Departed members and votes keep the order of the recording only as sets.
        let (ours, theirs) = (with_sorted_ids(&rewritten(kind, &text)), with_sorted_ids(&text));
        assert_eq!(ours, theirs, "{name}");
    }
}

/// The description in the repository, which a test beside the code compares with what the gateway
/// sends.
fn description() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON")
}

fn validator(kind: &str) -> jsonschema::Validator {
    let description = description();
    jsonschema::draft202012::new(&json!({
        "$ref": format!("#/components/schemas/{kind}"),
        "components": description["components"],
    }))
    .expect("a schema")
}

#[test]
fn recorded_documents_fit_the_description() {
    for (name, kind, text) in recorded_documents() {
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let errors: Vec<_> =
            validator(kind).iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn the_description_does_not_fit_other_documents() {
    let (_, _, text) = recorded_documents().remove(0);
    let mut service: Value = recorded_documents()
        .into_iter()
        .find(|it| it.1 == "Service")
        .map(|it| serde_json::from_str(&it.2).expect("JSON"))
        .expect("a service");
    assert!(validator("Service").is_valid(&service));
    assert!(!validator("Census").is_valid(&service), "{text}");
    service["extra"] = json!(1);
    assert!(!validator("Service").is_valid(&service));
    service.as_object_mut().expect("an object").retain(|key, _| key != "extra" && key != "pkg");
    assert!(!validator("Service").is_valid(&service));
}

#[test]
fn every_schema_of_the_description_is_one_and_every_reference_leads_somewhere() {
    let description = description();
    for kind in description["components"]["schemas"].as_object().expect("schemas").keys() {
        validator(kind);
    }
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a pointer");
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn what_is_rendered_fits_the_description_and_reads_as_toml() {
    let full = scenario("02-standalone-full");
    let snapshot = common::snapshot_of(&full);
    let empty = Snapshot::empty(1, "0123");
    for snapshot in [&snapshot, &empty] {
        let parts: [(&str, &[u8], &[u8]); 3] = [
            ("Services", snapshot.list(Format::Json).bytes(), snapshot.list(Format::Toml).bytes()),
            (
                "Census",
                snapshot.census().render(Format::Json).bytes(),
                snapshot.census().render(Format::Toml).bytes(),
            ),
            (
                "Butterfly",
                snapshot.butterfly().render(Format::Json).bytes(),
                snapshot.butterfly().render(Format::Toml).bytes(),
            ),
        ];
        for (kind, json, toml) in parts {
            let value: Value = serde_json::from_slice(json).expect("JSON");
            assert!(validator(kind).is_valid(&value), "{kind}");
            let table: toml::Table =
                std::str::from_utf8(toml).expect("UTF-8").parse().expect("TOML");
            assert!(!table.is_empty());
        }
    }
    let service = &snapshot.services()[0];
    let config: toml::Table = std::str::from_utf8(service.config(Format::Toml).bytes())
        .expect("UTF-8")
        .parse()
        .expect("TOML");
    assert_eq!(Some(config), service.document().cfg.as_ref().map(|cfg| (*cfg.table()).clone()));
    let list: toml::Table = std::str::from_utf8(snapshot.list(Format::Toml).bytes())
        .expect("UTF-8")
        .parse()
        .expect("TOML");
    assert_eq!(list["services"][0]["service_group"].as_str(), Some(service.group()));
    assert!(list["services"][0].get("config_from").is_none(), "null keys are left out");
}

#[test]
fn each_form_is_rendered_once_and_shared_with_the_next_snapshot() {
    let first = common::snapshot_of(&scenario("09-auth"));
    let entry = &first.services()[0];
    let rendered = entry.object(Format::Json).bytes().as_ptr();
    assert_eq!(entry.object(Format::Json).bytes().as_ptr(), rendered);
    let list = first.list(Format::Json).bytes().as_ptr();
    assert_eq!(first.list(Format::Json).bytes().as_ptr(), list);

    let same_status = HealthDocument { stdout: "other".into(), ..entry.health_document().clone() };
    let next = entry.with_health(same_status);
    assert_eq!(next.object(Format::Json).bytes().as_ptr(), rendered);
    assert!(
        std::str::from_utf8(next.health(Format::Json).bytes()).expect("UTF-8").contains("other")
    );

    let critical = entry.with_health(HealthDocument {
        status: roost_ident_status("Critical"),
        ..HealthDocument::default()
    });
    let text = std::str::from_utf8(critical.object(Format::Json).bytes()).expect("UTF-8");
    assert!(text.contains(r#""health_check":"Critical""#));
    assert!(Arc::ptr_eq(&critical.document().pkg, &entry.document().pkg));
    let config = entry.config(Format::Json).bytes().as_ptr();
    assert_eq!(critical.config(Format::Json).bytes().as_ptr(), config);
}

#[test]
fn the_document_of_the_v1_api_fits_the_description() {
    let empty =
        v1::ServiceV1 { since: "2026-11-22T15:51:38.999Z".into(), ..v1::ServiceV1::default() };
    let full = v1::ServiceV1 {
        reason: Some(v1::Reason {
            code: ReasonCode::RunExits,
            message: "it exits".into(),
            since: String::new(),
            evidence: vec!["cannot bind port 80".into()],
        }),
        last_exit: Some(v1::LastExit {
            pid: 4711,
            code: None,
            signal: Some(9),
            cause: v1::Cause::StopTimeout,
            at: String::new(),
            ran_ms: 312,
            stderr: Vec::new(),
        }),
        last_hook_failure: Some(v1::HookFailure::default()),
        health_check: Some(v1::HealthCheck::default()),
        binds: vec![surroundings::Bind {
            members: vec![surroundings::BoundMember::default()],
            ..surroundings::Bind::default()
        }],
        election: Some(surroundings::Election::default()),
        links: surroundings::Links::of("redis.default", false),
        why: Some("it exits".into()),
        ..empty.clone()
    };
    for document in [empty, full] {
        let value = serde_json::to_value(&document).expect("JSON");
        let errors: Vec<_> =
            validator("ServiceV1").iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(read::<v1::ServiceV1>(&value.to_string()), document);
    }
}

fn roost_ident_status(word: &str) -> roost_ident::HealthStatus {
    word.parse().expect("a status")
}

#[test]
fn a_redacted_service_has_no_configuration_in_any_form() {
    let recorded = scenario("10-redact");
    let snapshot = common::snapshot_of(&recorded);
    let entry = &snapshot.services()[0];
    assert_eq!(&entry.config(Format::Json).bytes()[..], b"null");
    assert!(entry.config(Format::Toml).bytes().is_empty());
    assert!(entry.config(Format::Text).bytes().is_empty());
}

#[test]
fn the_lone_census_is_habitats_line() {
    let snapshot = Snapshot::empty(1, "cb4383aa24384e649ccbcdbc80a885f9");
    assert_eq!(
        std::str::from_utf8(snapshot.census().render(Format::Json).bytes()),
        Ok(concat!(
            r#"{"changed":false,"census_groups":{},"local_member_id":"#,
            r#""cb4383aa24384e649ccbcdbc80a885f9","last_service_counter":0,"#,
            r#""last_election_counter":0,"last_election_update_counter":0,"#,
            r#""last_membership_counter":0,"last_service_config_counter":0,"#,
            r#""last_service_file_counter":0}"#
        ))
    );
    assert_eq!(Document::new(Butterfly::default()).render(Format::Json).bytes().len(), 472);
}

#[test]
fn of_two_services_with_one_group_the_first_is_found() {
    let recorded = scenario("09-auth");
    let one = Arc::clone(&common::snapshot_of(&recorded).services()[0]);
    let two = Arc::new(ServiceEntry::new(one.document().clone(), HealthDocument::default()));
    let snapshot = Snapshot::new(
        2,
        vec![Arc::clone(&one), two],
        Arc::new(Census::default().into()),
        Arc::new(Butterfly::default().into()),
    );
    assert!(Arc::ptr_eq(snapshot.service(one.group()).expect("found"), &one));
    assert!(snapshot.service("web.nope").is_none());
}
