//! What the tests share: recorded answers, a gateway on a free port, a client that speaks raw
//! bytes.

#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use roost_api::{
    Ask, Contacts, Document, Gateway, GatewayConfig, Limits, Live, MetricsSource, ServiceEntry,
    Snapshot, Token,
    documents::{
        Butterfly, Census, EventsV1, HealthDocument, ServiceDocument, Stats, SupervisorV1,
        availability::{AvailabilityV1, BucketV1, IncidentV1, TimelineV1, WindowV1},
        butterfly::{Election, Member, Service, Store},
        probe::{Check, CheckName},
        ring::{
            RingDocuments,
            groups::{RingElection, RingGroup, RingGroupMember},
            health::{RingHealth, RingMemberHealth, RingServiceHealth, RingSource},
            matrix::{RingFinding, RingFindingCode, RingMatrix, RingMatrixMember},
            members::RingMember,
        },
        stats::{
            CgroupV1, DescriptorsV1, FullestV1, IoV1, ListeningV1, Protocol, StatsList,
            StatsSummary, UsageV1,
        },
        supervisor::{Condition, ConditionStatus, ConditionType, ProcessV1, ServiceCounts},
    },
    live::{Chunks, Pending, Reply},
};
use roost_events::{Availability, Event, EventDocument, Fact, Kind, Seq};
use roost_ident::{ServiceConfig, ServiceFile};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};
use tokio_util::sync::CancellationToken;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One recorded request and its answer.
pub struct Recorded {
    pub name: String,
    pub request: Vec<u8>,
    pub head_only: bool,
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub closed: bool,
}

/// All recorded requests of a scenario, in order. They are numbered; what else lies there is for
/// the replay with the real program.
pub fn scenario(name: &str) -> Vec<Recorded> {
    let folder = fixtures().join("http").join(name);
    let entries = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("a file"));
    let mut files: Vec<_> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files.iter().map(|file| recorded(name, file)).collect()
}

fn recorded(scenario: &str, file: &Path) -> Recorded {
    let json: Value =
        serde_json::from_slice(&fs::read(file).expect("a fixture")).expect("a JSON fixture");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let pairs = value.as_array().expect("an array").iter();
        pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    let request = &json["request"];
    let bytes = if let Some(raw) = request["raw"].as_str() {
        raw.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect()
    } else {
        let mut head =
            format!("{} {} HTTP/1.1\r\n", text(&request["method"]), text(&request["path"]));
        for (name, value) in pairs(&request["headers"]) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    };
    let response = &json["response"];
    Recorded {
        name: format!("{scenario}/{}", file.file_stem().expect("a name").to_string_lossy()),
        request: bytes,
        head_only: request["method"] == "HEAD",
        status_line: text(&response["status_line"]),
        headers: pairs(&response["headers"]),
        body: fill(&text(&response["body"])),
        closed: response["connection_closed_by_server"] == true,
    }
}

/// Puts numbers where the recording has placeholders for them; other placeholders stay, being
/// part of strings.
pub fn fill(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        filled.push_str(before);
        let end = from.find('}').expect("a closed placeholder") + 1;
        let (placeholder, behind) = from.split_at(end);
        let name = &placeholder[2..end - 1];
        if let Some(seconds) = name.strip_prefix("TIME+") {
            filled
                .push_str(&(1_740_830_400 + seconds.parse::<u64>().expect("seconds")).to_string());
        } else if let Some(number) = name.strip_prefix("PID_") {
            filled.push_str(&(4000 + number.parse::<u64>().expect("a number")).to_string());
        } else {
            filled.push_str(placeholder);
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

/// Reads a recorded `/butterfly`: each store from its old, whole form.
pub fn butterfly(json: &Value) -> Butterfly {
    fn take<T: serde::de::DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).expect("a record")
    }
    fn counter(store: &Value) -> u64 {
        store["update_counter"].as_u64().expect("a counter")
    }
    fn single<T: serde::de::DeserializeOwned>(store: &Value, key: &str) -> Store<Option<T>> {
        let list: BTreeMap<String, BTreeMap<String, T>> = take(&store["list"]);
        let list = list.into_iter().map(|(group, mut inner)| (group, inner.remove(key))).collect();
        Store { list, update_counter: counter(store) }
    }
    let whole = &json["member"];
    let members = whole["members"].as_object().expect("members").iter().map(|(id, member)| {
        let number = |key: &str| member[key].as_u64().expect("a number");
        let port = |key: &str| u16::try_from(number(key)).expect("a port");
        let flag = |key: &str| member[key].as_bool().expect("a flag");
        let record = Member {
            incarnation: number("incarnation"),
            address: take(&member["address"]),
            swim_port: port("swim_port"),
            gossip_port: port("gossip_port"),
            persistent: flag("persistent"),
            departed: flag("departed"),
            probe_ping: flag("probe_ping"),
            health: take(&whole["health"][id]),
        };
        (id.clone(), record)
    });
    let services: BTreeMap<String, BTreeMap<String, Arc<Service>>> = take(&json["service"]["list"]);
    let files: BTreeMap<String, BTreeMap<String, ServiceFile>> =
        take(&json["service_file"]["list"]);
    Butterfly {
        members: Store { list: members.collect(), update_counter: counter(whole) },
        services: Store { list: services, update_counter: counter(&json["service"]) },
        service_configs: single::<ServiceConfig>(&json["service_config"], "service_config"),
        service_files: Store { list: files, update_counter: counter(&json["service_file"]) },
        elections: single::<Election>(&json["election"], "election"),
        update_elections: single::<Election>(&json["election_update"], "election"),
        departures: take(&json["departed_members"]),
        departure_counter: counter(&json["departure"]),
    }
}

/// The snapshot that gave these recorded answers. Health is that of the recorded answer, or one
/// without output.
pub fn snapshot_of(recorded: &[Recorded]) -> Snapshot {
    let body = |name: &str| -> Option<&str> {
        let wanted = |it: &&Recorded| {
            it.request.starts_with(format!("GET {name} ").as_bytes())
                && it.status_line.ends_with("200 OK")
        };
        recorded.iter().rev().find(wanted).map(|it| it.body.as_str())
    };
    let services: Vec<ServiceDocument> =
        serde_json::from_str(body("/services").expect("a list")).expect("services");
    let entries = services.into_iter().map(|service| {
        let path = format!("/services/{}/health", service.service_group.as_str().replace('.', "/"));
        let health = body(&path).map_or_else(
            || HealthDocument { status: service.health_check, ..HealthDocument::default() },
            |body| serde_json::from_str(body).expect("a health document"),
        );
        Arc::new(ServiceEntry::new(service, health))
    });
    let census: Census = body("/census")
        .map_or_else(Census::default, |body| serde_json::from_str(body).expect("a census"));
    let rumors = body("/butterfly").map_or_else(Butterfly::default, |body| {
        butterfly(&serde_json::from_str(body).expect("rumors"))
    });
    Snapshot::new(
        1,
        entries.collect(),
        Arc::new(Document::new(census)),
        Arc::new(Document::new(rumors)),
    )
    .with_ring(Arc::new(Document::new(ring_sample())), Contacts::default())
}

/// A ring with one other member.
fn ring_sample() -> RingDocuments {
    let member = RingMember {
        id: "a".into(),
        since: Some("2026-11-22T15:51:38.900Z".into()),
        services: vec!["web.default".into()],
        ..RingMember::default()
    };
    let group = RingGroup {
        id: "web.default".into(),
        election: Some(RingElection::default()),
        members: vec![RingGroupMember::default()],
        ..RingGroup::default()
    };
    RingDocuments { members: vec![(Some(0), member)], groups: vec![group] }
}

/// A gateway that serves on a free port of 127.0.0.1 until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub publish: watch::Sender<Option<Arc<Snapshot>>>,
    pub registry: prometheus::Registry,
    pub shutdown: CancellationToken,
    pub ended: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Limits under which no time-out comes before the test is over.
pub fn patient() -> Limits {
    Limits {
        head_timeout: Duration::from_secs(120),
        handshake_timeout: Duration::from_secs(120),
        ..Limits::default()
    }
}

pub fn config() -> GatewayConfig {
    GatewayConfig {
        token: None,
        rules: None,
        redact: false,
        probes_public: false,
        version: "2.1.78".into(),
        limits: patient(),
        tls: None,
    }
}

pub fn token(text: &str) -> Option<Token> {
    Token::from_environment(Some(text.into())).expect("a token")
}

/// Samples of answers that a Supervisor makes on request.
struct Samples;

impl Live for Samples {
    fn events(&self, _: Ask) -> Pending<Reply> {
        let fact = Fact::new(Kind::ServiceUp, "web.default is up").of("web.default");
        let event = Event { seq: Seq(7), time_ms: 1, cause: None, fact };
        let page = EventsV1 {
            items: vec![EventDocument::from(&event)],
            next: Some("n7".into()),
            last: Seq(9),
            partial: false,
        };
        Box::pin(async move { Ok(Reply::json(&page)) })
    }

    fn availability(&self, _: Ask) -> Pending<AvailabilityV1> {
        let time = || "2026-11-28T03:12:07.412Z".to_owned();
        let window = WindowV1 {
            window: "24h".into(),
            from: time(),
            to: time(),
            ratio: Some(0.5),
            available_ms: 1,
            expected_ms: 2,
            not_recorded_ms: 3,
            states_ms: [(Availability::Up, 1), (Availability::BackingOff, 1)].into(),
        };
        let incident = IncidentV1 {
            from: time(),
            to: None,
            worst: Availability::BackingOff,
            event: Seq(7),
            reason: "web.default: the process exited".into(),
            printed: vec!["out of memory".into()],
        };
        let availability = AvailabilityV1 {
            id: "web.default".into(),
            windows: vec![window],
            incidents: vec![incident],
            partial: false,
        };
        Box::pin(async { Ok(availability) })
    }

    fn timeline(&self, _: Ask) -> Pending<TimelineV1> {
        let from = "2026-11-28T03:12:07.412Z".to_owned();
        let bucket = BucketV1 { from: from.clone(), state: None };
        let timeline = TimelineV1 { id: "web.default".into(), to: from, buckets: vec![bucket] };
        Box::pin(async { Ok(timeline) })
    }

    fn event_stream(&self, ask: Ask) -> Pending<Chunks> {
        let once = Some(Bytes::from_static(b"id: 7\ndata: {}\n\n"));
        // Asked to resume, it has nothing yet and stays open.
        let ends = ask.last_event_id.is_none();
        Box::pin(async move {
            Ok(Chunks::unfold(once, move |piece| async move {
                match piece {
                    Some(piece) => Some((piece, None)),
                    None if ends => None,
                    None => std::future::pending().await,
                }
            }))
        })
    }

    fn checks(&self, _: Ask) -> Pending<Vec<Check>> {
        let check = Check {
            name: CheckName::EventLoop,
            status: ConditionStatus::Ok,
            since: "2026-11-22T15:51:38.999Z".into(),
            detail: "events are handled".into(),
        };
        Box::pin(async { Ok(vec![check]) })
    }

    fn all_stats(&self, _: Ask) -> Pending<StatsList> {
        let summary = StatsSummary { id: "web.default".into(), ..StatsSummary::default() };
        let at = "2026-11-22T15:51:38.999Z".to_owned();
        Box::pin(async { Ok(StatsList { at, items: vec![summary], why: None }) })
    }

    fn stats(&self, ask: Ask) -> Pending<Stats> {
        let id = ask.service.expect("a path with {sg}").group().to_owned();
        let usage = UsageV1 {
            processes: 2,
            descriptors: Some(DescriptorsV1 { open: 7, fullest: Some(FullestV1::default()) }),
            io: Some(IoV1::default()),
            listening: Some(vec![ListeningV1 {
                protocol: Protocol::Tcp,
                ip: "::1".into(),
                port: 80,
            }]),
            cgroup: Some(CgroupV1::default()),
            ..UsageV1::default()
        };
        let at = "2026-11-22T15:51:38.999Z".to_owned();
        let stats = Stats { id, at, pid: Some(1), usage: Some(usage), ..Stats::default() };
        Box::pin(async { Ok(stats) })
    }

    fn ring_health(&self, _: Ask) -> Pending<Reply> {
        let at = "2026-11-22T15:51:38.999Z".to_owned();
        let member = RingMemberHealth {
            source: Some(RingSource::V1),
            services: vec![RingServiceHealth::default()],
            ..RingMemberHealth::default()
        };
        let health = RingHealth { at, partial: true, members: vec![member] };
        Box::pin(async move { Ok(Reply::json(&health)) })
    }

    fn ring_matrix(&self, _: Ask) -> Pending<Reply> {
        let member = RingMatrixMember {
            id: "a1".into(),
            source: Some(RingSource::Habitat),
            sees: Some(".?x_".into()),
            ..RingMatrixMember::default()
        };
        let finding = RingFinding {
            code: RingFindingCode::SplitViews,
            members: vec![],
            groups: vec![vec!["a1".into()], vec!["b2".into()]],
            message: "The ring is split.".into(),
        };
        let matrix = RingMatrix {
            at: "2026-11-22T15:51:38.999Z".into(),
            members: vec![member, RingMatrixMember::default()],
            findings: vec![finding],
            ..RingMatrix::default()
        };
        Box::pin(async move { Ok(Reply::json(&matrix)) })
    }

    fn supervisor(&self, _: Ask) -> Pending<SupervisorV1> {
        let at = "2026-11-22T15:51:38.999Z".to_owned();
        let condition = Condition {
            kind: ConditionType::InsecureListen,
            status: ConditionStatus::Warn,
            reason: Some("http".into()),
            message: Some("everyone reads".into()),
            since: at.clone(),
        };
        let supervisor = SupervisorV1 {
            started_at: at.clone(),
            at,
            supervisor: Some(ProcessV1::default()),
            services: Some(ServiceCounts::default()),
            conditions: vec![condition],
            ..SupervisorV1::default()
        };
        Box::pin(async { Ok(supervisor) })
    }
}

/// Starts a gateway; `None` is one that has no snapshot yet.
pub fn start(config: GatewayConfig, snapshot: Option<Snapshot>) -> Server {
    let listener =
        roost_api::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (publish, snapshots) = watch::channel(snapshot.map(Arc::new));
    let registry = prometheus::Registry::new();
    let gateway =
        Gateway::new(config, snapshots, MetricsSource::new(registry.clone()), Arc::new(Samples))
            .expect("fresh metrics");
    let shutdown = CancellationToken::new();
    let ended = tokio::spawn(gateway.serve(listener, shutdown.clone()));
    Server { address, publish, registry, shutdown, ended }
}

/// An answer as it came.
#[derive(Debug, PartialEq)]
pub struct Received {
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
    }
}

/// An answer that never comes fails its test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Reads one answer.
pub async fn receive<R: AsyncReadExt + Unpin>(stream: &mut R, head_only: bool) -> Received {
    tokio::time::timeout(PATIENCE, receive_all(stream, head_only)).await.expect("an answer in time")
}

async fn receive_all<R: AsyncReadExt + Unpin>(stream: &mut R, head_only: bool) -> Received {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).await.expect("bytes"), 1, "cut off: {head:?}");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("UTF-8");
    let mut lines = head.trim_end().split("\r\n");
    let status_line = lines.next().expect("a status line").to_owned();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|it| it.0 == "content-length")
        .map_or(0, |it| if head_only { 0 } else { it.1.parse().expect("a length") });
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a body");
    Received { status_line, headers, body: String::from_utf8(body).expect("UTF-8") }
}

/// Sends bytes on a new connection and reads one answer.
pub async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Received {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_ref()).await.expect("sent");
    let head_only = request.as_ref().starts_with(b"HEAD ");
    receive(&mut stream, head_only).await
}

/// Asks for a path, with more header lines.
pub async fn get(address: SocketAddr, path: &str, headers: &str) -> Received {
    ask(address, format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await
}
