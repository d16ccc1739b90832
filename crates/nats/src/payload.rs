//! The bytes of events (reference: event-stream §5.1): proto3, default values are not written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use roost_ident::{HealthStatus, UpdateStrategy};

/// Output of a health check that an event contains, in bytes of each stream.
pub const OUTPUT_BYTES_MAX: usize = 1024;

/// Where events come from: this Supervisor, as the options describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Member id.
    pub supervisor_id: String,
    /// Listen address of the gossip, `IP:PORT`.
    pub ip_address: String,
    /// `--event-stream-application`.
    pub application: String,
    /// `--event-stream-environment`.
    pub environment: String,
    /// `--event-stream-site`.
    pub site: Option<String>,
    /// `--event-meta`.
    pub meta: Vec<(String, String)>,
    /// Canonical name of this host.
    pub fqdn: String,
}

/// The service that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The release that runs.
    pub package_ident: String,
    /// The identifier as loaded.
    pub spec_ident: String,
    /// Service group.
    pub group: String,
    /// How it is updated, and from which channel.
    pub strategy: UpdateStrategy,
    /// Channel of updates.
    pub channel: String,
}

/// The result of a health check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The result.
    pub status: HealthStatus,
    /// How long the hook ran; `None` without hook.
    pub took: Option<Duration>,
    /// Exit code of the hook; `None` without hook and after a signal.
    pub exit_code: Option<i32>,
    /// Standard output of the hook; `None` without hook.
    pub stdout: Option<String>,
    /// Standard error of the hook; `None` without hook.
    pub stderr: Option<String>,
    /// Time until the next check.
    pub interval: Duration,
}

/// What happened to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// Its process was started, or taken back by a new Supervisor.
    Started,
    /// Its process has ended.
    Stopped,
    /// Its health was checked.
    Checked(Check),
}

/// An event, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// NATS subject.
    pub subject: &'static str,
    /// Payload.
    pub bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct EventMetadata {
    #[prost(string, tag = "1")]
    supervisor_id: String,
    #[prost(string, tag = "2")]
    ip_address: String,
    #[prost(message, optional, tag = "3")]
    occurred_at: Option<Timestamp>,
    #[prost(string, tag = "4")]
    application: String,
    #[prost(string, tag = "5")]
    environment: String,
    #[prost(message, repeated, tag = "6")]
    meta: Vec<KeyValue>,
    #[prost(string, tag = "7")]
    fqdn: String,
    #[prost(string, tag = "8")]
    site: String,
}

#[derive(Clone, PartialEq, Message)]
struct UpdateConfig {
    #[prost(int32, tag = "1")]
    strategy: i32,
    #[prost(string, tag = "2")]
    channel: String,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceMetadata {
    #[prost(string, tag = "1")]
    package_ident: String,
    #[prost(string, tag = "2")]
    spec_ident: String,
    #[prost(string, tag = "3")]
    service_group: String,
    #[prost(message, optional, tag = "4")]
    update_config: Option<UpdateConfig>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ExitStatus {
    #[prost(int32, tag = "1")]
    value: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Output {
    #[prost(string, tag = "1")]
    text: String,
}

/// All events; those without a health check have the first two fields alone.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(message, optional, tag = "1")]
    event_metadata: Option<EventMetadata>,
    #[prost(message, optional, tag = "2")]
    service_metadata: Option<ServiceMetadata>,
    #[prost(int32, tag = "3")]
    result: i32,
    #[prost(message, optional, tag = "4")]
    execution: Option<Span>,
    #[prost(message, optional, tag = "5")]
    exit_status: Option<ExitStatus>,
    #[prost(message, optional, tag = "6")]
    stdout: Option<Output>,
    #[prost(message, optional, tag = "7")]
    stderr: Option<Output>,
    #[prost(message, optional, tag = "8")]
    interval: Option<Span>,
}

/// Writes an event.
#[must_use]
pub fn event(origin: &Origin, at: SystemTime, service: &Service, what: &Happening) -> Event {
    let mut envelope = Envelope {
        event_metadata: Some(metadata(origin, at)),
        service_metadata: Some(service_metadata(service)),
        ..Envelope::default()
    };
    let subject = match what {
        Happening::Started => "habitat.event.service_started",
        Happening::Stopped => "habitat.event.service_stopped",
        Happening::Checked(check) => {
            envelope.result = match check.status {
                HealthStatus::Ok => 0,
                HealthStatus::Warning => 1,
                HealthStatus::Critical => 2,
                HealthStatus::Unknown => 3,
            };
            envelope.execution = check.took.map(span);
            envelope.exit_status = check.exit_code.map(|value| ExitStatus { value });
            envelope.stdout = check.stdout.as_deref().map(output);
            envelope.stderr = check.stderr.as_deref().map(output);
            envelope.interval = Some(Span { nanos: 0, ..span(check.interval) });
            "habitat.event.healthcheck"
        }
    };
    Event { subject, bytes: envelope.encode_to_vec() }
}

fn metadata(origin: &Origin, at: SystemTime) -> EventMetadata {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let pair =
        |(key, value): &(String, String)| KeyValue { key: key.clone(), value: value.clone() };
    EventMetadata {
        supervisor_id: origin.supervisor_id.clone(),
        ip_address: origin.ip_address.clone(),
        occurred_at: Some(Timestamp { seconds: seconds(since), nanos: nanos(since) }),
        application: origin.application.clone(),
        environment: origin.environment.clone(),
        meta: origin.meta.iter().map(pair).collect(),
        fqdn: origin.fqdn.clone(),
        site: origin.site.clone().unwrap_or_default(),
    }
}

fn service_metadata(service: &Service) -> ServiceMetadata {
    let strategy = match service.strategy {
        UpdateStrategy::None => None,
        UpdateStrategy::AtOnce => Some(0),
        UpdateStrategy::Rolling => Some(1),
    };
    ServiceMetadata {
        package_ident: service.package_ident.clone(),
        spec_ident: service.spec_ident.clone(),
        service_group: service.group.clone(),
        update_config: strategy
            .map(|strategy| UpdateConfig { strategy, channel: service.channel.clone() }),
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn nanos(time: Duration) -> i32 {
    i32::try_from(time.subsec_nanos()).unwrap_or_default()
}

fn span(time: Duration) -> Span {
    Span { seconds: seconds(time), nanos: nanos(time) }
}

/// The beginning of a text, at the end of a character.
fn output(text: &str) -> Output {
    Output { text: text[..text.floor_char_boundary(OUTPUT_BYTES_MAX)].to_owned() }
}

#[cfg(test)]
mod tests;
