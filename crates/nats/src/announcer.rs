//! Which events follow from what happens to services.
//!
//! Pure: time comes in with each call. Consumers of the stream take a service for lost when its
//! health is not reported for a while, so a service without health checks is reported as healthy
//! after each of its check intervals, as in Habitat (reference: event-stream §5).

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use roost_ident::HealthStatus;

use crate::payload::{self, Check, Event, Happening, Origin, Service};

/// Least time between two reports of a service without checks.
const UNCHECKED_MIN: Duration = Duration::from_secs(1);

/// The moment of a call.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Milliseconds of a clock that is never set.
    pub mono_ms: u64,
    /// What the clock on the wall shows.
    pub wall: SystemTime,
}

/// A running service.
#[derive(Debug)]
struct Running {
    service: Service,
    /// Of a service without health checks.
    unchecked: Option<Unchecked>,
}

#[derive(Debug)]
struct Unchecked {
    interval: Duration,
    next_ms: u64,
}

/// Turns changes of services into events.
#[derive(Debug)]
pub struct Announcer {
    origin: Origin,
    /// By service group.
    running: BTreeMap<String, Running>,
}

impl Announcer {
    /// No service runs yet.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self { origin, running: BTreeMap::new() }
    }

    /// The process of a service runs. Nothing follows when that is known: the same process is
    /// reported when it starts and when it is up.
    pub fn started(&mut self, now: Now, service: Service) -> Option<Event> {
        if self.running.contains_key(&service.group) {
            return None;
        }
        let event = payload::event(&self.origin, now.wall, &service, &Happening::Started);
        self.running.insert(service.group.clone(), Running { service, unchecked: None });
        Some(event)
    }

    /// The process of a service has ended, or the service was unloaded.
    pub fn stopped(&mut self, now: Now, group: &str) -> Option<Event> {
        let Running { service, .. } = self.running.remove(group)?;
        Some(payload::event(&self.origin, now.wall, &service, &Happening::Stopped))
    }

    /// The health of a service was checked.
    pub fn checked(&mut self, now: Now, group: &str, check: Check) -> Option<Event> {
        let running = self.running.get_mut(group)?;
        running.unchecked = None;
        let what = Happening::Checked(check);
        Some(payload::event(&self.origin, now.wall, &running.service, &what))
    }

    /// A service has no health checks: it is healthy as long as it runs.
    pub fn unchecked(&mut self, now: Now, group: &str, interval: Duration) {
        let Some(running) = self.running.get_mut(group) else { return };
        let interval = interval.max(UNCHECKED_MIN);
        if running.unchecked.as_ref().is_none_or(|unchecked| unchecked.interval != interval) {
            running.unchecked = Some(Unchecked { interval, next_ms: now.mono_ms });
        }
    }

    /// When [`Announcer::wake`] has something to do.
    #[must_use]
    pub fn next_wake_ms(&self) -> Option<u64> {
        let unchecked = self.running.values().filter_map(|running| running.unchecked.as_ref());
        unchecked.map(|unchecked| unchecked.next_ms).min()
    }

    /// Reports of services without checks that are due.
    pub fn wake(&mut self, now: Now) -> Vec<Event> {
        let mut due = Vec::new();
        for Running { service, unchecked } in self.running.values_mut() {
            let Some(unchecked) = unchecked.as_mut().filter(|it| it.next_ms <= now.mono_ms) else {
                continue;
            };
            let interval = unchecked.interval;
            let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
            unchecked.next_ms = now.mono_ms.saturating_add(interval_ms);
            let check = Check {
                status: HealthStatus::Ok,
                took: None,
                exit_code: None,
                stdout: None,
                stderr: None,
                interval,
            };
            due.push(payload::event(&self.origin, now.wall, service, &Happening::Checked(check)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use roost_ident::UpdateStrategy;

    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, wall: SystemTime::UNIX_EPOCH }
    }

    fn service(group: &str) -> Service {
        Service {
            package_ident: "a/b/1/2".into(),
            spec_ident: "a/b".into(),
            group: group.into(),
            strategy: UpdateStrategy::None,
            channel: "stable".into(),
        }
    }

    fn subject(event: Option<Event>) -> Option<&'static str> {
        event.map(|event| event.subject)
    }

    #[test]
    fn each_start_and_each_end_is_announced_once() {
        let mut announcer = Announcer::new(Origin::default());
        assert_eq!(announcer.stopped(at(0), "b.default"), None, "it does not run");
        let started = announcer.started(at(0), service("b.default"));
        assert_eq!(subject(started), Some("habitat.event.service_started"));
        assert_eq!(announcer.started(at(1), service("b.default")), None);
        let stopped = announcer.stopped(at(2), "b.default");
        assert_eq!(subject(stopped), Some("habitat.event.service_stopped"));
        assert_eq!(announcer.stopped(at(3), "b.default"), None);
        assert!(announcer.started(at(4), service("b.default")).is_some(), "a restart");
    }

    #[test]
    fn the_end_names_the_release_that_ran() {
        let mut announcer = Announcer::new(Origin::default());
        announcer.started(at(0), service("b.default"));
        let next = Service { package_ident: "a/b/2/3".into(), ..service("b.default") };
        let stopped = announcer.stopped(at(1), "b.default").unwrap();
        assert!(stopped.bytes.windows(7).any(|bytes| bytes == b"a/b/1/2"));
        let started = announcer.started(at(2), next).unwrap();
        assert!(started.bytes.windows(7).any(|bytes| bytes == b"a/b/2/3"));
    }

    #[test]
    fn a_service_without_checks_is_reported_after_each_interval() {
        let mut announcer = Announcer::new(Origin::default());
        announcer.unchecked(at(0), "b.default", Duration::from_secs(30));
        assert_eq!(announcer.next_wake_ms(), None, "it does not run");
        announcer.started(at(0), service("b.default"));
        announcer.unchecked(at(5), "b.default", Duration::from_secs(30));
        assert_eq!(announcer.next_wake_ms(), Some(5));
        assert_eq!(announcer.wake(at(4)), []);
        let due = announcer.wake(at(5));
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].subject, "habitat.event.healthcheck");
        announcer.unchecked(at(6), "b.default", Duration::from_secs(30));
        assert_eq!(announcer.next_wake_ms(), Some(30_005), "the same interval changes nothing");
        let check = Check {
            status: HealthStatus::Ok,
            took: None,
            exit_code: None,
            stdout: None,
            stderr: None,
            interval: Duration::ZERO,
        };
        announcer.checked(at(7), "b.default", check);
        assert_eq!(announcer.next_wake_ms(), None, "now it has checks");
        announcer.unchecked(at(8), "b.default", Duration::ZERO);
        announcer.wake(at(8));
        assert_eq!(announcer.next_wake_ms(), Some(1_008), "never without a pause");
        announcer.stopped(at(9), "b.default");
        assert_eq!(announcer.next_wake_ms(), None);
    }
}
