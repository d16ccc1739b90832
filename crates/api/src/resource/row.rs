//! A row of the table of resources.

use http::StatusCode;
use roost_access::Scope;
use roost_ident::ServiceGroup;

use crate::{
    accept::Media,
    document::Format,
    live::{Ask, Live, Pending, Reply},
    problem::Problem,
    query::{Parameter, Query},
    rendered::Rendered,
    service_list,
    shape::Shape,
    snapshot::{ServiceEntry, Snapshot},
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
    pub(crate) gives: Gives,
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

/// What a resource gives away. It decides which scope a client needs, and what redaction
/// (`HAB_FEAT_REDACT_HTTP`) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    /// Whether the Supervisor works: can be open to everyone, and is exempt from the limit on
    /// requests.
    Probe,
    /// How the Supervisor and its services are.
    State,
    /// Configuration, in which secrets are hidden. Redacted, the resource does not exist.
    Configuration,
    /// What services print. Redacted, the resource does not exist.
    Lines,
    /// How the members of the ring are. Redacted, the resource does not exist.
    Ring,
    /// Documents of Habitat with configuration in clear, which redaction leaves out.
    ClearConfiguration,
    /// Documents of Habitat with what services exchange, in clear. Redacted, the resource does
    /// not exist.
    ClearRumors,
}

impl Gives {
    /// The scope that a client needs; `None` where redaction hides the resource.
    pub(crate) const fn scope(self, redact: bool) -> Option<Scope> {
        Some(match (self, redact) {
            (Self::Configuration | Self::Lines | Self::Ring | Self::ClearRumors, true) => {
                return None;
            }
            (Self::Probe, _) => Scope::Probe,
            (Self::State | Self::Configuration, _) | (Self::ClearConfiguration, true) => {
                Scope::Read
            }
            (Self::Lines, _) => Scope::Logs,
            (Self::Ring, _) => Scope::Ring,
            (Self::ClearConfiguration | Self::ClearRumors, false) => Scope::Secrets,
        })
    }
}

/// What makes the answer, and what it is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Renderer {
    /// The gateway itself; available before the first snapshot.
    Page(Page),
    /// The gateway itself, once figures are measured; available before the first snapshot.
    Figures,
    /// The present snapshot.
    Snapshot(fn(&Snapshot, Format) -> &Rendered),
    /// What a query selects of the present snapshot; also gets whether the API is redacted.
    Selection(fn(&Snapshot, &Query, bool) -> Result<Rendered, Problem>),
    /// A group that the path names, of the present snapshot; no service of it has to be loaded.
    Group(fn(&Snapshot, &str) -> Result<Rendered, Problem>),
    /// One service of the present snapshot.
    Service(fn(&ServiceEntry, Format) -> (StatusCode, &Rendered)),
    /// The Supervisor, at the time of the request: a document or a stream.
    Live(fn(&dyn Live, Ask) -> Pending<Reply>),
}

/// What the gateway itself answers with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page {
    /// The dashboard for browsers, the description for programs.
    Dashboard,
    /// The list of all paths for browsers, the description for programs.
    List,
    /// The OpenAPI description.
    Description,
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
            && !matches!(self.renderer, Renderer::Live(_) | Renderer::Page(_) | Renderer::Figures)
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
