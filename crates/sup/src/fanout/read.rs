//! What the documents of a member hold. They come from a stranger: what is read is limited, typed
//! and named in the answer only after it was checked.

use roost_api::documents::{
    ring::health::{RingServiceHealth, RingSource},
    v1::Health,
};
use roost_ident::{HealthStatus, ServiceGroup, ServiceState};
use roost_text::shown;
use serde_json::Value;

use super::ask::{Failure, Told};

/// Longest text that is taken over from a member, in characters.
const TEXT_CHARS_MAX: usize = 500;

fn json(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|_| Failure::invalid("it did not answer with JSON"))
}

/// Foreign text as data: shortened and without control characters.
fn text(value: &Value) -> Option<String> {
    let short: String = value.as_str()?.chars().take(TEXT_CHARS_MAX).collect();
    Some(shown(&short).to_string())
}

fn check(found: Option<&str>, id: &str) -> Result<(), Failure> {
    match found {
        Some(found) if found == id => Ok(()),
        _ => Err(Failure::invalid("the answer is that of another member, or of another ring")),
    }
}

/// The version of the program, of the member with this id.
pub(super) fn supervisor(bytes: &[u8], id: &str) -> Result<String, Failure> {
    let document = json(bytes)?;
    check(document["member_id"].as_str(), id)?;
    Ok(text(&document["version"]).unwrap_or_default())
}

/// The services of a Supervisor of Roost.
pub(super) fn services(bytes: &[u8]) -> Result<Vec<RingServiceHealth>, Failure> {
    let document = json(bytes)?;
    let items = document["items"].as_array();
    let items = items.ok_or_else(|| Failure::invalid("its list of services has no items"))?;
    if !document["next"].is_null() {
        return Err(Failure::invalid("it has more services than one request reads"));
    }
    let service = |item: &Value| {
        Some(RingServiceHealth {
            id: group(&item["id"])?,
            state: serde_json::from_value(item["state"].clone()).ok()?,
            stopped: item["desired"] == "down",
            health: serde_json::from_value(item["health"].clone()).ok()?,
            why: text(&item["why"]),
        })
    };
    let services: Option<Vec<_>> = items.iter().map(service).collect();
    services.ok_or_else(|| Failure::invalid("its list of services has another form"))
}

/// The services of a Supervisor of Habitat, if they are those of the member with this id.
pub(super) fn habitat(bytes: &[u8], id: &str) -> Result<Told, Failure> {
    let document = json(bytes)?;
    let list = document.as_array().ok_or_else(|| Failure::invalid("/services is not a list"))?;
    let mut services = Vec::new();
    let mut version = None;
    for item in list {
        check(item["sys"]["member_id"].as_str(), id)?;
        version = version.or_else(|| text(&item["sys"]["version"]));
        let health: Option<HealthStatus> =
            serde_json::from_value(item["health_check"].clone()).ok();
        let is_up =
            item["process"]["state"].as_str().is_some_and(|it| it.eq_ignore_ascii_case("up"));
        let id = group(&item["service_group"]);
        let id = id.ok_or_else(|| Failure::invalid("a service of its list has no group"))?;
        services.push(RingServiceHealth {
            id,
            state: if is_up { ServiceState::Up } else { ServiceState::Down },
            stopped: item["desired_state"] == "Down",
            health: health.map_or(Health::Unknown, Into::into),
            why: None,
        });
    }
    Ok(Told { source: RingSource::Habitat, version, services })
}

fn group(value: &Value) -> Option<String> {
    let group: ServiceGroup = value.as_str()?.parse().ok()?;
    Some(group.to_string())
}
