//! The event stream (reference: event-stream): what happens to services, for a NATS server.
//!
//! The Supervisor's task passes changes on and never waits. One task turns them into events,
//! another one sends these.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use roost_events::{Kind, Report};
use roost_fleet::{Fleet, Service};
use roost_nats::{
    announcer::{Announcer, Now},
    buffer::Buffer,
    link::{self, Server},
    payload::{self, Check, Origin},
};
use roost_service::{Interval, monitor::HOOK_CHECK};
use roost_text::shown;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time,
};

use crate::{
    clock::Clock,
    conditions::{self, Conditions},
    config::EventStreamConfig,
    metrics::{Metrics, StreamFigures},
    output::Output,
    services::built::Built,
    system, vital,
};

/// What the condition is about.
const SERVER: &str = "server";
/// Longest look-up of the name of this host.
const NAME_PATIENCE: Duration = Duration::from_secs(5);
/// Changes that wait to become events; the task that does this waits for nothing but the name of
/// this host.
const CHANGES_MAX: usize = 4_096;
/// How long the end waits for the last events.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// No connection came about in time.
#[derive(Debug, thiserror::Error)]
#[error("Could not establish connection to NATS server")]
pub struct NotConnected;

/// The connection, which exists before there is anything to send.
#[derive(Debug)]
pub(crate) struct Connection {
    buffer: Arc<Buffer>,
    member_id: String,
    /// Until events are made.
    fqdn: Option<JoinHandle<String>>,
    figures: StreamFigures,
    /// Closed when every change is an event.
    announced: Option<oneshot::Receiver<()>>,
}

/// A change of a service.
#[derive(Debug)]
enum Change {
    Running(payload::Service),
    Ended {
        group: String,
    },
    Checked {
        group: String,
        check: Check,
    },
    /// It has no checks; its check interval.
    Unchecked {
        group: String,
        interval: Duration,
    },
}

/// Takes changes of services. Dropping it ends the task that makes events of them.
#[derive(Debug)]
pub(crate) struct EventStream {
    changes: mpsc::Sender<Change>,
    figures: StreamFigures,
}

/// Starts to connect, and waits for the connection as long as the configuration asks for. A
/// Supervisor that `takes_back` running services does not wait: they need it more.
pub(crate) async fn connect(
    config: &EventStreamConfig,
    takes_back: bool,
    member_id: &str,
    output: &Output,
    conditions: &Conditions,
    metrics: &Metrics,
) -> Result<Connection, NotConnected> {
    let fqdn = Some(tokio::spawn(canonical_host_name(output.clone())));
    let server = Server {
        address: config.server.clone(),
        token: config.token.clone(),
        name: format!("hab_client_{member_id}"),
        authorities: config.authorities.clone(),
    };
    let buffer = Arc::new(Buffer::default());
    let figures = StreamFigures::new(metrics);
    let (connected, mut is_connected) = watch::channel(false);
    let report = {
        let (conditions, figures) = (conditions.clone(), figures.clone());
        let place = server.address.to_string();
        move |report| match report {
            link::Report::Connected => {
                figures.connected(true);
                let line = format!("Connected to the event stream at {place}");
                conditions.end(conditions::Kind::EventStreamDown, SERVER, &line);
                connected.send_replace(true);
            }
            link::Report::Down(reason) => {
                figures.connected(false);
                let line = format!(
                    "The event stream does not reach {place}: {}; the latest events are kept and \
                     sent when it does",
                    shown(&reason)
                );
                conditions.appear(conditions::Kind::EventStreamDown, SERVER, &line);
            }
            link::Report::Sent => figures.sent(),
            link::Report::Lost => figures.dropped(),
        }
    };
    let (events, authorities) = (Arc::clone(&buffer), config.authorities.clone());
    vital::spawn("event stream", async move {
        let tls = vital::spawn_blocking("authorities", move || link::tls(&authorities)).await;
        // The other task ends early only with the process.
        if let Ok(tls) = tls {
            link::run(server, tls, events, report).await;
        }
    });
    if !config.connect_timeout.is_zero() && !takes_back {
        let connection = is_connected.wait_for(|connected| *connected);
        match time::timeout(config.connect_timeout, connection).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err(NotConnected),
        }
    }
    Ok(Connection { buffer, member_id: member_id.to_owned(), fqdn, figures, announced: None })
}

impl Connection {
    /// Begins to turn changes of services into events.
    pub(crate) fn open(
        &mut self,
        config: &EventStreamConfig,
        gossip: SocketAddr,
        clock: Clock,
    ) -> EventStream {
        let origin = Origin {
            supervisor_id: self.member_id.clone(),
            ip_address: gossip.to_string(),
            application: config.application.clone(),
            environment: config.environment.clone(),
            site: config.site.clone(),
            meta: config.meta.clone(),
            fqdn: String::new(),
        };
        let (changes, inbox) = mpsc::channel(CHANGES_MAX);
        let (buffer, figures) = (Arc::clone(&self.buffer), self.figures.clone());
        let (done, announced) = oneshot::channel();
        self.announced = Some(announced);
        let stream = EventStream { changes, figures: figures.clone() };
        let fqdn = self.fqdn.take();
        vital::spawn("events for the stream", async move {
            let fqdn = match fqdn {
                Some(fqdn) => fqdn.await.unwrap_or_default(),
                None => system::hostname(),
            };
            let announcer = Announcer::new(Origin { fqdn, ..origin });
            announce(announcer, inbox, buffer, figures, clock).await;
            drop(done);
        });
        stream
    }

    /// Waits until the last events are sent, for a moment at most. To be called when the
    /// [`EventStream`] is gone.
    pub(crate) async fn end(self) {
        let sent = async {
            if let Some(announced) = self.announced {
                // An error is the expected end: the other side is gone.
                let _ = announced.await;
            }
            self.buffer.sent().await;
        };
        let _ = time::timeout(END_PATIENCE, sent).await;
    }
}

/// Turns changes into events, which wait in the buffer.
async fn announce(
    mut announcer: Announcer,
    mut changes: mpsc::Receiver<Change>,
    buffer: Arc<Buffer>,
    figures: StreamFigures,
    clock: Clock,
) {
    let now = || Now { mono_ms: clock.now().mono_ms, wall: SystemTime::now() };
    loop {
        let wake = announcer.next_wake_ms().map(|at_ms| clock.instant(at_ms));
        let due = async {
            match wake {
                Some(at) => time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let events = tokio::select! {
            change = changes.recv() => match change {
                None => return,
                Some(Change::Running(service)) => Vec::from_iter(announcer.started(now(), service)),
                Some(Change::Ended { group }) => Vec::from_iter(announcer.stopped(now(), &group)),
                Some(Change::Checked { group, check }) => {
                    Vec::from_iter(announcer.checked(now(), &group, check))
                }
                Some(Change::Unchecked { group, interval }) => {
                    announcer.unchecked(now(), &group, interval);
                    Vec::new()
                }
            },
            () = due => announcer.wake(now()),
        };
        for event in events {
            if buffer.push(event) {
                figures.dropped();
            }
        }
    }
}

impl EventStream {
    /// The fleet reported a fact.
    pub(crate) fn reported(&self, report: &Report, fleet: &Fleet<Built>) {
        let Some(group) = report.fact.service.as_deref() else { return };
        if matches!(report.fact.kind, Kind::ProcessExited | Kind::ServiceUnloaded) {
            self.pass(Change::Ended { group: group.to_owned() });
        }
        let name = group.split('.').next().unwrap_or_default();
        if let Some(service) = fleet.service(name).filter(|it| it.group().as_str() == group) {
            self.runs(service);
        }
    }

    /// Passes on that a service runs, if it does.
    pub(crate) fn runs(&self, service: &Service<Built>) {
        if service.pid().is_none() {
            return;
        }
        let (spec, group) = (service.spec(), service.group().to_string());
        self.pass(Change::Running(payload::Service {
            package_ident: service.ident().to_string(),
            spec_ident: spec.ident.to_string(),
            group: group.clone(),
            strategy: spec.update_strategy,
            channel: spec.channel.clone(),
        }));
        if !service.status().has_check {
            let interval = interval(spec.health_check_interval);
            self.pass(Change::Unchecked { group, interval });
        }
    }

    /// The checks of a service have ended.
    pub(crate) fn checked(&self, service: &Service<Built>, now_unix_ms: u64) {
        self.runs(service);
        let next_ms = service.next_check_unix_ms().unwrap_or(now_unix_ms);
        let until_next_s = next_ms.saturating_sub(now_unix_ms).div_ceil(1_000);
        let histories = service.check_histories().checks();
        let hook = histories.iter().find(|history| history.name == HOOK_CHECK);
        let hook = hook.and_then(|history| history.results.back());
        let output = service.health_output();
        let printed = |text: &String| hook.map(|_| text.clone());
        self.pass(Change::Checked {
            group: service.group().to_string(),
            check: Check {
                status: service.status().health,
                took: hook.map(|result| Duration::from_millis(result.duration_ms)),
                exit_code: hook.and_then(|result| result.exit_code),
                stdout: printed(&output.stdout),
                stderr: printed(&output.stderr),
                interval: Duration::from_secs(until_next_s),
            },
        });
    }

    fn pass(&self, change: Change) {
        if self.changes.try_send(change).is_err() {
            self.figures.dropped();
        }
    }
}

fn interval(given: Interval) -> Duration {
    Duration::new(given.secs, given.nanos)
}

/// The canonical name of this host, or its plain name when the resolver does not respond.
async fn canonical_host_name(output: Output) -> String {
    let plain = system::hostname();
    let name = plain.clone();
    let look = vital::spawn_blocking("name of this host", move || system::canonical_name(&name));
    let name = match time::timeout(NAME_PATIENCE, look).await {
        Ok(Ok(Some(name))) => name,
        _ => plain,
    };
    output.sup(&format!("Event FQDN {}", shown(&name)));
    name
}
