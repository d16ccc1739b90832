//! Every resource of the API in one table, which the router, the metrics, the OpenAPI description
//! and the start page read.

use http::StatusCode;
use roost_events::{Kind as EventKind, Severity, Topic, limits::WORD_BYTES};
use roost_ident::{HealthStatus, ServiceGroup};

use crate::{
    accept::Media,
    document::{Format, Rendered, to_json},
    documents::{
        Butterfly, Census, EventsV1, HealthDocument, ServiceDocument, ServiceHealthV1, ServiceV1,
        Stats, SupervisorV1,
        availability::{AvailabilityV1, TimelineV1},
        config::CurrentConfig,
        configuration::{self, ConfigV1},
        explain::Explanation,
        probe::ProbeReport,
        service::Services,
        summary::ServiceList,
    },
    live::{self, Ask, Live, Pending, Reply},
    openapi::Shape,
    page::Pages,
    probe,
    problem::Problem,
    query::{Kind, Parameter, Query},
    service_list,
    snapshot::{ServiceEntry, Snapshot},
};

const TOPIC: Parameter = Parameter {
    name: "topic",
    kind: Kind::Words(Topic::WORDS),
    meaning: "Only events about one of these.",
};
const TYPE: Parameter = Parameter {
    name: "type",
    kind: Kind::Words(EventKind::WORDS),
    meaning: "Only events of one of these types.",
};
const SEVERITY: Parameter = Parameter {
    name: "severity",
    kind: Kind::Words(Severity::WORDS),
    meaning: "Only events as serious as one of these.",
};
const SERVICE: Parameter = Parameter {
    name: "service",
    kind: Kind::Text { bytes_max: WORD_BYTES },
    meaning: "Only events of this service group, loaded or not.",
};
const EVENTS: &[Parameter] = &[SINCE, UNTIL, TOPIC, TYPE, SEVERITY, SERVICE, ORDER, LIMIT, CURSOR];
const EVENTS_OF_SERVICE: &[Parameter] =
    &[SINCE, UNTIL, TOPIC, TYPE, SEVERITY, ORDER, LIMIT, CURSOR];
const SINCE: Parameter =
    Parameter { name: "since", kind: Kind::Moment, meaning: "Only events from then on." };
const UNTIL: Parameter =
    Parameter { name: "until", kind: Kind::Moment, meaning: "Only events until then." };
const ORDER: Parameter = Parameter {
    name: "order",
    kind: Kind::Words(&["newest", "oldest"]),
    meaning: "Which come first; the newest if not given.",
};
const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: Kind::Number { least: 1, most: 1000 },
    meaning: "At most so many; 100 if not given.",
};
const CURSOR: Parameter = Parameter {
    name: "cursor",
    kind: Kind::Text { bytes_max: 64 },
    meaning: "The `next` of the page before, with the same filters and order.",
};

/// One resource.
#[derive(Debug)]
pub(crate) struct Resource {
    /// `{name}`, `{group}` and `{sg}` stand for one segment each.
    pub(crate) path: &'static str,
    /// The path for a service of an organization, where it is another one.
    pub(crate) organization_path: Option<&'static str>,
    /// One line for people.
    pub(crate) summary: &'static str,
    pub(crate) scope: Scope,
    /// What its query may hold. Resources of Habitat ignore theirs.
    pub(crate) parameters: &'static [Parameter],
    /// What it is offered in, the default first.
    pub(crate) media: &'static [Media],
    /// Its type in JSON, where it has one of its own.
    pub(crate) shape: Option<Shape>,
    /// What the status of an answer with a document means.
    pub(crate) outcomes: &'static [Outcome],
    pub(crate) renderer: Renderer,
}

/// A status and its meaning.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) meaning: &'static str,
}

/// What a resource gives away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// How the Supervisor and its services are.
    Read,
    /// Whether the Supervisor works: can be open to everyone, and is exempt from the limit on requests.
    Probe,
    /// Configuration that redaction cannot be cut out of: redacted, the resource does not exist.
    Secrets,
}

/// What makes the answer, and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Renderer {
    /// The gateway itself; there before the first snapshot.
    Page(fn(&Pages, Media) -> Rendered),
    /// The gateway itself, once figures are measured; there before the first snapshot.
    Figures(fn(&Pages, Media) -> Pending<Reply>),
    /// The present snapshot.
    Snapshot(fn(&Snapshot, Format) -> &Rendered),
    /// What a query selects of the present snapshot; also gets whether the API is redacted.
    Selection(fn(&Snapshot, &Query, bool) -> Result<Rendered, Problem>),
    /// One service of the present snapshot; also gets the place of the resource in the table.
    Service(fn(&ServiceEntry, ResourceId, Format) -> (StatusCode, &Rendered)),
    /// The Supervisor, at the time of the request: a document or a stream.
    Live(fn(&dyn Live, Ask) -> Pending<Reply>),
}

const STRUCTURED: &[Media] = &[Media::Json, Media::Toml];
const ALL_FORMS: &[Media] = &[Media::Json, Media::Toml, Media::Text];

const RESOURCES: &[Resource] = &[
    Resource {
        path: "/services",
        organization_path: None,
        summary: "All services loaded by this Supervisor: process, health, restarts, configuration.",
        scope: Scope::Read,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<Services>()),
        outcomes: &[Outcome { status: 200, meaning: "The services." }],
        renderer: Renderer::Snapshot(|snapshot, format| snapshot.list(format)),
    },
    Resource {
        path: "/services/{name}/{group}",
        organization_path: Some("/services/{name}/{group}/{organization}"),
        summary: "One loaded service.",
        scope: Scope::Read,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<ServiceDocument>()),
        outcomes: &[Outcome { status: 200, meaning: "The service." }],
        renderer: Renderer::Service(|entry, _, format| (StatusCode::OK, entry.object(format))),
    },
    Resource {
        path: "/services/{name}/{group}/config",
        organization_path: Some("/services/{name}/{group}/{organization}/config"),
        summary: "The current configuration of one service.",
        scope: Scope::Read,
        parameters: &[],
        media: ALL_FORMS,
        shape: Some(Shape::of::<CurrentConfig>()),
        outcomes: &[Outcome { status: 200, meaning: "The configuration; null when redacted." }],
        renderer: Renderer::Service(|entry, _, format| (StatusCode::OK, entry.config(format))),
    },
    Resource {
        path: "/services/{name}/{group}/health",
        organization_path: Some("/services/{name}/{group}/{organization}/health"),
        summary: "The last health check of one service. Ok and Warning are 200, Critical is 503, \
                  Unknown is 500.",
        scope: Scope::Read,
        parameters: &[],
        media: ALL_FORMS,
        shape: Some(Shape::of::<HealthDocument>()),
        outcomes: &[
            Outcome { status: 200, meaning: "Ok or Warning." },
            Outcome { status: 500, meaning: "Health check: Unknown." },
            Outcome { status: 503, meaning: "Health check: Critical." },
        ],
        renderer: Renderer::Service(|entry, _, format| {
            (health_status(entry.health_document().status), entry.health(format))
        }),
    },
    Resource {
        path: "/census",
        organization_path: None,
        summary: "All services on the ring: which members are alive, which lead.",
        scope: Scope::Secrets,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<Census>()),
        outcomes: &[Outcome { status: 200, meaning: "The census." }],
        renderer: Renderer::Snapshot(|snapshot, format| snapshot.census().render(format)),
    },
    Resource {
        path: "/butterfly",
        organization_path: None,
        summary: "The rumors that the census is made of, for debugging.",
        scope: Scope::Secrets,
        parameters: &[],
        media: STRUCTURED,
        shape: Some(Shape::of::<Butterfly>()),
        outcomes: &[Outcome { status: 200, meaning: "The rumors." }],
        renderer: Renderer::Snapshot(|snapshot, format| snapshot.butterfly().render(format)),
    },
    Resource {
        path: "/v1/services",
        organization_path: None,
        summary: "The services of this Supervisor, a summary of each.",
        scope: Scope::Read,
        parameters: service_list::PARAMETERS,
        media: &[Media::Json],
        shape: Some(Shape::of::<ServiceList>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of services." }],
        renderer: Renderer::Selection(service_list::page),
    },
    Resource {
        path: "/v1/services/{sg}",
        organization_path: None,
        summary: "How one service is, and why it is so.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<ServiceV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The service." }],
        renderer: Renderer::Service(|entry, id, _| {
            (StatusCode::OK, entry.v1(id, |documents| to_json(&documents.service)))
        }),
    },
    Resource {
        path: "/v1/services/{sg}/health",
        organization_path: None,
        summary: "The health of one service, and the last results of each of its checks.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<ServiceHealthV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The health, whatever it is." }],
        renderer: Renderer::Service(|entry, id, _| {
            (StatusCode::OK, entry.v1(id, |documents| to_json(&documents.health)))
        }),
    },
    Resource {
        path: "/v1/services/{sg}/explain",
        organization_path: None,
        summary: "Why one service is as it is: a sentence, its causes with evidence, what to do.",
        scope: Scope::Read,
        media: &[Media::Json],
        parameters: &[],
        shape: Some(Shape::of::<Explanation>()),
        outcomes: &[Outcome { status: 200, meaning: "The explanation." }],
        renderer: Renderer::Service(|entry, id, _| {
            (StatusCode::OK, entry.v1(id, |documents| to_json(&documents.explanation)))
        }),
    },
    Resource {
        path: "/v1/services/{sg}/config",
        organization_path: None,
        summary: "The effective configuration of one service: each value with the layer that it \
                  comes from. Secrets are hidden.",
        scope: Scope::Secrets,
        parameters: &[Parameter {
            name: "source",
            kind: Kind::Words(&["all"]),
            meaning: "`all` lists the value of each layer too.",
        }],
        media: &[Media::Json],
        shape: Some(Shape::of::<ConfigV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The configuration." }],
        renderer: Renderer::Live(|_, ask| live::document(configuration::answer(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/logs",
        organization_path: None,
        summary: "What one service printed, from the files of the launcher: the last 100 lines, \
                  unless parameters select others.",
        scope: Scope::Secrets,
        parameters: &[
            Parameter {
                name: "tail",
                kind: Kind::Number { least: 0, most: 10_000 },
                meaning: "Only this many lines, the newest ones.",
            },
            Parameter { name: "since", kind: Kind::Moment, meaning: "Only lines from then on." },
            Parameter { name: "until", kind: Kind::Moment, meaning: "Only lines up to then." },
            Parameter {
                name: "stream",
                kind: Kind::Words(&["stdout", "stderr"]),
                meaning: "Only lines of this stream.",
            },
            Parameter {
                name: "grep",
                kind: Kind::Text { bytes_max: 1024 },
                meaning: "Only lines that contain this text.",
            },
            Parameter {
                name: "follow",
                kind: Kind::Flag,
                meaning: "Goes on with new lines until the client leaves.",
            },
        ],
        media: &[Media::Text, Media::Ndjson],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The lines." }],
        renderer: Renderer::Live(|live, ask| live::stream(live.lines(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/events",
        organization_path: None,
        summary: "What happened to one service.",
        scope: Scope::Read,
        parameters: EVENTS_OF_SERVICE,
        media: &[Media::Json],
        shape: Some(Shape::of::<EventsV1>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of events." }],
        renderer: Renderer::Live(|live, ask| live.events(ask)),
    },
    Resource {
        path: "/v1/services/{sg}/availability",
        organization_path: None,
        summary: "How available one service was, and its incidents.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<AvailabilityV1>()),
        outcomes: &[Outcome { status: 200, meaning: "Its availability." }],
        renderer: Renderer::Live(|live, ask| live::document(live.availability(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/timeline",
        organization_path: None,
        summary: "The worst state of one service in each part of a window.",
        scope: Scope::Read,
        parameters: &[
            Parameter {
                name: "window",
                kind: Kind::Words(&["24h", "7d", "30d", "90d"]),
                meaning: "The length; 24h if not given.",
            },
            Parameter {
                name: "buckets",
                kind: Kind::Number { least: 1, most: 1000 },
                meaning: "The number of parts; 90 if not given.",
            },
        ],
        media: &[Media::Json],
        shape: Some(Shape::of::<TimelineV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The timeline." }],
        renderer: Renderer::Live(|live, ask| live::document(live.timeline(ask))),
    },
    Resource {
        path: "/v1/events",
        organization_path: None,
        summary: "What happened to services, ring and Supervisor.",
        scope: Scope::Read,
        parameters: EVENTS,
        media: &[Media::Json],
        shape: Some(Shape::of::<EventsV1>()),
        outcomes: &[Outcome { status: 200, meaning: "A page of events." }],
        renderer: Renderer::Live(|live, ask| live.events(ask)),
    },
    Resource {
        path: "/v1/events/stream",
        organization_path: None,
        summary: "Events as they happen; resumes after `last-event-id` without a hole.",
        scope: Scope::Read,
        parameters: &[TOPIC, TYPE, SEVERITY, SERVICE],
        media: &[Media::EventStream, Media::Ndjson],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "One event after the other." }],
        renderer: Renderer::Live(|live, ask| live::stream(live.event_stream(ask))),
    },
    Resource {
        path: "/v1/services/{sg}/stats",
        organization_path: None,
        summary: "What the processes of one service use: CPU, memory, descriptors, ports.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<Stats>()),
        outcomes: &[Outcome { status: 200, meaning: "The figures." }],
        renderer: Renderer::Live(|live, ask| live::document(live.stats(ask))),
    },
    Resource {
        path: "/v1/supervisor",
        organization_path: None,
        summary: "The Supervisor itself: version, addresses, what it uses, what needs an operator.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: Some(Shape::of::<SupervisorV1>()),
        outcomes: &[Outcome { status: 200, meaning: "The Supervisor." }],
        renderer: Renderer::Live(|live, ask| live::document(live.supervisor(ask))),
    },
    Resource {
        path: "/livez",
        organization_path: None,
        summary: "Whether the Supervisor handles events. Restarting it helps when it does not.",
        scope: Scope::Probe,
        parameters: probe::PARAMETERS,
        media: &[Media::Text, Media::Json],
        shape: Some(Shape::of::<ProbeReport>()),
        outcomes: &[
            Outcome { status: 200, meaning: "It does." },
            Outcome { status: 503, meaning: "A check fails." },
        ],
        renderer: Renderer::Live(|live, ask| probe::answer(probe::LIVE, live, ask)),
    },
    Resource {
        path: "/readyz",
        organization_path: None,
        summary: "Whether the Supervisor can do all that it is there for.",
        scope: Scope::Probe,
        parameters: probe::PARAMETERS,
        media: &[Media::Text, Media::Json],
        shape: Some(Shape::of::<ProbeReport>()),
        outcomes: &[
            Outcome { status: 200, meaning: "It can; a warning does not change that." },
            Outcome { status: 503, meaning: "A check fails." },
        ],
        renderer: Renderer::Live(|live, ask| probe::answer(probe::READY, live, ask)),
    },
    Resource {
        path: "/startupz",
        organization_path: None,
        summary: "Whether the start is complete.",
        scope: Scope::Probe,
        parameters: probe::PARAMETERS,
        media: &[Media::Text, Media::Json],
        shape: Some(Shape::of::<ProbeReport>()),
        outcomes: &[
            Outcome { status: 200, meaning: "It is." },
            Outcome { status: 503, meaning: "A check fails." },
        ],
        renderer: Renderer::Live(|live, ask| probe::answer(probe::STARTED, live, ask)),
    },
    Resource {
        path: "/metrics",
        organization_path: None,
        summary: "Figures for Prometheus.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Prometheus, Media::OpenMetrics],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The figures." }],
        renderer: Renderer::Figures(|pages, media| pages.metrics(media)),
    },
    Resource {
        path: "/openapi.json",
        organization_path: None,
        summary: "This description of the API for programs (OpenAPI 3.1).",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "OpenAPI 3.1." }],
        renderer: Renderer::Page(|pages, _| pages.description()),
    },
    Resource {
        path: "/v1/openapi.json",
        organization_path: None,
        summary: "The same description.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "OpenAPI 3.1." }],
        renderer: Renderer::Page(|pages, _| pages.description()),
    },
    Resource {
        path: "/",
        organization_path: None,
        summary: "A page for browsers; with an Accept that prefers JSON, the description.",
        scope: Scope::Read,
        parameters: &[],
        media: &[Media::Html, Media::Json],
        shape: None,
        outcomes: &[Outcome { status: 200, meaning: "The page." }],
        renderer: Renderer::Page(|pages, media| match media {
            Media::Json => pages.description(),
            _ => pages.start(),
        }),
    },
];

/// A place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ResourceId(usize);

impl ResourceId {
    /// How many there are.
    pub(crate) const COUNT: usize = RESOURCES.len();

    /// Each of them, in the order of the table.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its place, below [`Self::COUNT`].
    pub(crate) const fn index(self) -> usize {
        self.0
    }

    /// What the table says.
    pub(crate) fn resource(self) -> &'static Resource {
        &RESOURCES[self.0]
    }
}

impl Resource {
    /// True when its path names a service.
    pub(crate) fn is_of_service(&self) -> bool {
        self.path.contains("{sg}") || self.path.contains("{name}")
    }

    /// True when it follows the conventions of the v1 API: its query is checked, and refusals are
    /// problem documents.
    pub(crate) fn is_v1(&self) -> bool {
        is_v1(self.path)
    }

    /// True when a request can wait for a change: of documents that are in a snapshot.
    pub(crate) fn can_wait(&self) -> bool {
        self.is_v1()
            && !matches!(
                self.renderer,
                Renderer::Live(_) | Renderer::Page(_) | Renderer::Figures(_)
            )
    }

    /// All that its query may hold.
    pub(crate) fn all_parameters(&self) -> [&'static [Parameter]; 2] {
        [self.parameters, if self.can_wait() { service_list::WAIT } else { &[] }]
    }

    /// Where it is for this group.
    pub(crate) fn path_of(&self, group: &ServiceGroup) -> String {
        let pattern = match (self.organization_path, group.organization()) {
            (Some(path), Some(_)) => path,
            _ => self.path,
        };
        let segments = pattern.split('/').map(|segment| match segment {
            "{name}" => group.service(),
            "{group}" => group.group(),
            "{organization}" => group.organization().unwrap_or_default(),
            "{sg}" => group.as_str(),
            literal => literal,
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

/// True for paths of the v1 API, those without a resource among them.
pub(crate) fn is_v1(path: &str) -> bool {
    path.starts_with("/v1/") || is_probe(path)
}

/// True for the paths of probes.
pub(crate) fn is_probe(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/startupz")
}

const fn health_status(health: HealthStatus) -> StatusCode {
    match health {
        HealthStatus::Ok | HealthStatus::Warning => StatusCode::OK,
        HealthStatus::Critical => StatusCode::SERVICE_UNAVAILABLE,
        HealthStatus::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
