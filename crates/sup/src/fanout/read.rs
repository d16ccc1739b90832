//! What the documents of a member hold. They come from a stranger: what is read is limited, typed
//! and named in the answer only after it was checked.

use std::collections::BTreeMap;

use roost_api::{
    cursor::CURSOR_BYTES_MAX,
    documents::{
        ring::{
            health::{RingServiceHealth, RingSource},
            members::MemberState,
        },
        v1::Health,
    },
};
use roost_ident::{HealthStatus, MemberHealth, ServiceGroup, ServiceState};
use roost_text::shown;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::ask::{Failure, MemberServices};

/// Longest text that is taken over from a member, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// How a member sees the members, by their ids.
pub(super) type View = BTreeMap<String, MemberState>;

/// A page of `/v1/ring/members`. Later versions may have more fields.
#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    state: MemberState,
}

#[derive(Deserialize)]
struct Census {
    local_member_id: String,
}

#[derive(Deserialize)]
struct Butterfly {
    member: MemberList,
}

#[derive(Deserialize)]
struct MemberList {
    health: BTreeMap<String, String>,
}

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
pub(super) fn habitat(bytes: &[u8], id: &str) -> Result<MemberServices, Failure> {
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
    Ok(MemberServices { source: RingSource::Habitat, version, services })
}

/// Checks that this `/census` is that of the member with this id; `/butterfly` does not name it.
pub(super) fn census(bytes: &[u8], id: &str) -> Result<(), Failure> {
    let census: Census = typed(bytes, "/census")?;
    check(Some(&census.local_member_id), id)
}

/// The view of a Supervisor of Habitat.
pub(super) fn butterfly(bytes: &[u8]) -> Result<View, Failure> {
    let butterfly: Butterfly = typed(bytes, "/butterfly")?;
    let seen = butterfly.member.health.into_iter().map(|(id, health)| {
        let health: MemberHealth = health.parse().ok()?;
        Some((id, health.into()))
    });
    let view: Option<View> = seen.collect();
    view.ok_or_else(|| Failure::invalid("its /butterfly has an unknown state of a member"))
}

/// Adds a page of members to a view; returns the cursor of the next one.
pub(super) fn members(bytes: &[u8], view: &mut View) -> Result<Option<String>, Failure> {
    let page: Page = typed(bytes, "/v1/ring/members")?;
    view.extend(page.items.into_iter().map(|item| (item.id, item.state)));
    // It becomes a part of a request.
    let is_cursor = |text: &String| {
        text.len() <= CURSOR_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match page.next {
        Some(cursor) if !is_cursor(&cursor) => {
            Err(Failure::invalid("the cursor of its list of members has another form"))
        }
        next => Ok(next),
    }
}

fn typed<T: DeserializeOwned>(bytes: &[u8], path: &str) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|_| Failure::invalid(format!("its {path} is not JSON, or has another form")))
}

fn group(value: &Value) -> Option<String> {
    let group: ServiceGroup = value.as_str()?.parse().ok()?;
    Some(group.to_string())
}
