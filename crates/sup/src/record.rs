//! What the Supervisor records of itself.

use roost_events::{Fact, Kind, LAST_SEEN};
use roost_fleet::FleetEvent;
use roost_ident::time::rfc3339_ms;

use crate::{VERSION, services::built::Built};

/// The Supervisor started.
pub(crate) fn started(member_id: &str, last_seen_ms: Option<u64>) -> Fact {
    Fact::new(Kind::SupervisorStarted, format!("The Supervisor {VERSION} started"))
        .with("version", VERSION)
        .with("member_id", member_id)
        .with("pid", std::process::id())
        .with_some(LAST_SEEN, last_seen_ms.map(rfc3339_ms))
}

/// Services of these groups ran before the Supervisor did. `None` if there are none.
pub(crate) fn took_back(mut groups: Vec<String>) -> Option<Fact> {
    if groups.is_empty() {
        return None;
    }
    groups.sort();
    let what = match groups.len() {
        1 => "1 running service".to_owned(),
        count => format!("{count} running services"),
    };
    let message = format!("The Supervisor took back {what}: {}", groups.join(", "));
    Some(Fact::new(Kind::SupervisorTookBack, message).with("services", groups))
}

/// The end that this event begins.
pub(crate) fn stopping(event: &FleetEvent<Built>) -> Option<Fact> {
    let (reason, services, message) = match event {
        FleetEvent::ShutDown => {
            ("shutdown", "stopped", "The Supervisor is shutting down; its services stop")
        }
        FleetEvent::Departed => {
            ("departed", "stopped", "This member was departed from the ring; its services stop")
        }
        FleetEvent::Restart => {
            ("restart", "running", "The Supervisor restarts; its services keep running")
        }
        FleetEvent::LauncherGone => (
            "launcher_gone",
            "stopped",
            "The launcher is gone; the Supervisor and its services stop",
        ),
        _ => return None,
    };
    let fact = Fact::new(Kind::SupervisorStopping, message);
    Some(fact.with("reason", reason).with("services", services))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_back_is_listed_in_order() {
        assert_eq!(took_back(Vec::new()), None);
        let fact = took_back(vec!["web.default".into(), "redis.default".into()]).unwrap();
        assert_eq!(
            fact.message,
            "The Supervisor took back 2 running services: redis.default, web.default"
        );
        assert_eq!(fact.data["services"], serde_json::json!(["redis.default", "web.default"]));
    }

    #[test]
    fn only_an_end_is_recorded_as_one() {
        let fact = stopping(&FleetEvent::Restart).unwrap();
        assert_eq!(fact.data["services"], "running");
        assert_eq!(stopping(&FleetEvent::SpecsWritten), None);
    }
}
