//! Events of a real Supervisor of Habitat, byte for byte.

use serde_json::Value;

use super::*;

/// Recorded events: subject, bytes, and what they mean. Name of the host and port are only in the
/// bytes.
const RECORDED: &str = include_str!("../../fixtures/payloads.json");

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn time(value: &Value) -> Duration {
    let seconds = value["seconds"].as_u64().unwrap_or(0);
    let nanos = value["nanos"].as_u64().unwrap_or(0);
    Duration::new(seconds, u32::try_from(nanos).expect("nanoseconds"))
}

fn origin(decoded: &Value, recorded: &[u8]) -> Origin {
    let known = Envelope::decode(recorded).expect("an event").event_metadata.expect("metadata");
    let pairs = decoded["meta"].as_array().into_iter().flatten();
    Origin {
        supervisor_id: text(&decoded["supervisor_id"]),
        ip_address: known.ip_address,
        application: text(&decoded["application"]),
        environment: text(&decoded["environment"]),
        site: decoded["site"].as_str().map(str::to_owned),
        meta: pairs.map(|pair| (text(&pair["key"]), text(&pair["value"]))).collect(),
        fqdn: known.fqdn,
    }
}

fn service(decoded: &Value) -> Service {
    let update = &decoded["update_config"];
    Service {
        package_ident: text(&decoded["package_ident"]),
        spec_ident: text(&decoded["spec_ident"]),
        group: text(&decoded["service_group"]),
        strategy: match (update.is_object(), update["strategy"].as_u64()) {
            (false, _) => UpdateStrategy::None,
            (true, Some(1)) => UpdateStrategy::Rolling,
            (true, _) => UpdateStrategy::AtOnce,
        },
        channel: text(&update["channel"]),
    }
}

fn happening(subject: &str, decoded: &Value) -> Happening {
    let output = |value: &Value| value.is_object().then(|| text(&value["value"]));
    match subject {
        "habitat.event.service_started" => Happening::Started,
        "habitat.event.service_stopped" => Happening::Stopped,
        "habitat.event.healthcheck" => Happening::Checked(Check {
            status: match decoded["result"].as_u64() {
                None => HealthStatus::Ok,
                Some(1) => HealthStatus::Warning,
                Some(2) => HealthStatus::Critical,
                Some(_) => HealthStatus::Unknown,
            },
            took: decoded["execution"].is_object().then(|| time(&decoded["execution"])),
            exit_code: decoded["exit_status"].is_object().then(|| {
                let code = decoded["exit_status"]["value"].as_i64().unwrap_or(0);
                i32::try_from(code).expect("a code")
            }),
            stdout: output(&decoded["stdout"]),
            stderr: output(&decoded["stderr"]),
            interval: time(&decoded["interval"]),
        }),
        other => panic!("{other}"),
    }
}

#[test]
fn events_are_those_of_habitat() {
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).expect("JSON");
    assert!(recorded.len() >= 15, "{}", recorded.len());
    for one in &recorded {
        let (subject, decoded) = (text(&one["subject"]), &one["decoded"]);
        let expected = bytes(one["payload_hex"].as_str().expect("hex"));
        let metadata = &decoded["event_metadata"];
        let event = event(
            &origin(metadata, &expected),
            UNIX_EPOCH + time(&metadata["occurred_at"]),
            &service(&decoded["service_metadata"]),
            &happening(&subject, decoded),
        );
        assert_eq!(event.subject, subject);
        assert_eq!(event.bytes, expected, "{one:#}");
    }
}

#[test]
fn long_output_ends_with_a_whole_character() {
    let long = format!("{}ä", "x".repeat(OUTPUT_BYTES_MAX - 1));
    assert_eq!(output(&long).text, "x".repeat(OUTPUT_BYTES_MAX - 1));
    assert_eq!(output("short").text, "short");
}
