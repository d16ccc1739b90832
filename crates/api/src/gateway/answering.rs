//! The answer of this moment to a request (reference: http-api §3 to §6 and §15).

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, Method, StatusCode, request::Parts};
use roost_ident::{ServiceGroup, ServiceGroupError};

use super::{
    first::{Asked, First, Known, Terms},
    shared::Shared,
};
use crate::{
    accept,
    admission::Denied,
    answer::{self, Answer, Persistence},
    asset,
    document::Format,
    line::Line,
    live::{Ask, Live, Pending, Reply},
    metrics::Label,
    pass::Pass,
    path::Route,
    problem::{Code, Problem},
    query::Query,
    rendered::Rendered,
    resource::{Gives, Page, Renderer, ResourceId, is_v1},
    snapshot::{ServiceEntry, Snapshot},
    watchers::Watched,
};

/// What a request is answered with.
struct Reached<'a> {
    id: ResourceId,
    /// The service group in the path; empty without one.
    group: String,
    source: Source<'a>,
}

/// A renderer with what it renders.
enum Source<'a> {
    Page(Page),
    Figures,
    Snapshot(&'a Snapshot, fn(&Snapshot, Format) -> &Rendered),
    Selection(&'a Snapshot, fn(&Snapshot, &Query, bool) -> Result<Rendered, Problem>),
    Group(&'a Snapshot, fn(&Snapshot, &str) -> Result<Rendered, Problem>),
    Service(&'a ServiceEntry, fn(&ServiceEntry, Format) -> (StatusCode, &Rendered)),
    Live(Option<&'a Arc<ServiceEntry>>, fn(&dyn Live, Ask) -> Pending<Reply>),
}

/// Why there is no document, and the label that the request is counted under.
struct Refusal(Problem, Label<'static>);

/// Why a request does not reach a resource.
enum Unreached {
    Refused(Refusal),
    Denied(Denied),
}

impl Shared {
    /// The answer of this moment. One that is made again for the same request is not counted.
    pub(super) fn answer(
        &self,
        parts: &Parts,
        line: &Line,
        persistence: Persistence,
        is_first: bool,
    ) -> First {
        let begun = Instant::now();
        // Habitat's parser refuses raw bytes above 127 in the request line.
        if !parts.uri.path().is_ascii() {
            let refusal = Refusal(Code::BadName.into(), Label::Other);
            return First::Ready(self.refuse(parts, &refusal, begun, Persistence::Close));
        }
        if let Some(answer) = asset::answer(parts, persistence) {
            return First::Ready(answer);
        }
        let admitted = self.admission.admit(&line.client, parts.uri.path(), &parts.headers);
        let pass = match admitted {
            Ok(pass) => pass,
            Err(denied) => {
                return First::Ready(self.deny(parts, line, &denied, begun, persistence));
            }
        };
        let snapshot = self.snapshots.borrow().clone();
        if let Some(snapshot) = &snapshot {
            self.metrics.follow(snapshot);
        }
        let reached = match self.resolve(parts, &pass, snapshot.as_ref()) {
            Ok(reached) => reached,
            Err(Unreached::Refused(refusal)) => {
                return First::Ready(self.refuse(parts, &refusal, begun, persistence));
            }
            Err(Unreached::Denied(denied)) => {
                return First::Ready(self.deny(parts, line, &denied, begun, persistence));
            }
        };
        let query = match self.query(parts, reached.id) {
            Ok(query) => query,
            Err(problem) => {
                let refusal = Refusal(problem, Label::Other);
                return First::Ready(self.refuse(parts, &refusal, begun, persistence));
            }
        };
        let service = match &reached.source {
            Source::Service(entry, _) => Some(*entry),
            Source::Live(entry, _) => entry.map(Arc::as_ref),
            _ => None,
        };
        let series = self.metrics.series(match service {
            Some(entry) => Label::Service(reached.id, &entry.document().service_group),
            None => Label::Fixed(reached.id),
        });
        if is_first {
            series.begin();
        }
        let resource = reached.id.resource();
        let (offered, is_v1) = (resource.media, resource.is_v1());
        let media = accept::choose(&parts.headers, offered);
        let terms = Terms { headers: &parts.headers, media, offered, is_v1, persistence };
        let (status, body) = match reached.source {
            Source::Figures => {
                return First::Asked(Asked {
                    pending: self.pages.metrics(media),
                    limited: false,
                    lease: None,
                    id: reached.id,
                    media,
                    begun,
                    series,
                    persistence,
                });
            }
            Source::Page(page) => {
                (StatusCode::OK, self.pages.page(page, snapshot.as_deref(), media))
            }
            Source::Snapshot(snapshot, render) => {
                (StatusCode::OK, render(snapshot, media.format()).clone())
            }
            Source::Selection(snapshot, select) => match select(snapshot, &query, self.redact) {
                Ok(body) => (StatusCode::OK, body),
                Err(problem) => return First::Ready(problem.answer(persistence)),
            },
            Source::Group(snapshot, select) => match select(snapshot, &reached.group) {
                Ok(body) => (StatusCode::OK, body),
                Err(problem) => return First::Ready(problem.answer(persistence)),
            },
            Source::Service(entry, render) => {
                let (status, body) = render(entry, media.format());
                (status, body.clone())
            }
            Source::Live(service, ask) => {
                let ask = ask(
                    &*self.live,
                    Ask {
                        service: service.cloned(),
                        snapshot: snapshot.clone(),
                        query,
                        media,
                        last_event_id: last_event_id(&parts.headers),
                        shows_secrets: pass.shows_secrets(),
                    },
                );
                let id = reached.id;
                return First::Asked(Asked {
                    pending: ask,
                    // A flood of other questions must not make the Supervisor look dead.
                    limited: resource.gives != Gives::Probe,
                    lease: self.admission.lease(&pass, resource.gives),
                    id,
                    media,
                    begun,
                    series,
                    persistence,
                });
            }
        };
        let answer = match terms.document(status, body) {
            Ok(answer) => answer,
            Err(tag) => {
                let not_modified = terms.not_modified(&tag);
                if let Some(wait) = query.span("wait") {
                    let (id, group) = (reached.id, reached.group);
                    let watched = Watched { id, group, query: query.without("wait") };
                    return First::Known(Known {
                        watched,
                        tag,
                        wait,
                        lease: self.admission.lease(&pass, resource.gives),
                        not_modified,
                        begun,
                        series,
                        persistence,
                    });
                }
                not_modified
            }
        };
        if is_first {
            series.end(begun.elapsed());
        }
        First::Ready(answer)
    }

    /// The checked query of a resource of ours; Habitat ignores that of its own.
    fn query(&self, parts: &Parts, id: ResourceId) -> Result<Query, Problem> {
        let resource = id.resource();
        if !resource.is_v1() {
            return Ok(Query::default());
        }
        Query::parse(parts.uri.query(), resource.all_parameters(), unix_ms())
    }

    /// The page that asks for the token, where a person would see a page.
    fn ask_token(&self, parts: &Parts, persistence: Persistence) -> Option<Answer> {
        let reads = parts.method == Method::HEAD || parts.method == Method::GET;
        let wanted = reads && ["/", "/api"].contains(&parts.uri.path());
        wanted.then(|| answer::ask_token(self.pages.token(), persistence))
    }

    fn refuse(
        &self,
        parts: &Parts,
        Refusal(problem, label): &Refusal,
        begun: Instant,
        persistence: Persistence,
    ) -> Answer {
        let series = self.metrics.series(*label);
        series.begin();
        series.end(begun.elapsed());
        // Habitat knows no scopes, so its clients expect no form of this answer.
        let has_form = is_v1(parts.uri.path()) || problem.status() == StatusCode::FORBIDDEN;
        if !has_form {
            return answer::empty(problem.status(), persistence);
        }
        problem.answer(persistence)
    }

    /// Answers a request that may not read what it asks for.
    fn deny(
        &self,
        parts: &Parts,
        line: &Line,
        denied: &Denied,
        begun: Instant,
        persistence: Persistence,
    ) -> Answer {
        self.metrics.count_denied(denied);
        let path = parts.uri.path();
        if let Some(text) = self.denials.line(denied, &line.client, &parts.method, path) {
            self.live.log(&text);
        }
        let problem = denied.problem();
        let status = problem.status();
        let refusal = Refusal(problem, Label::Unauthorized);
        let answer = self.refuse(parts, &refusal, begun, persistence);
        match status {
            StatusCode::UNAUTHORIZED => self.ask_token(parts, persistence).unwrap_or(answer),
            _ => answer,
        }
    }

    /// Finds the requested resource: route, redaction, scope, method, then whether it exists.
    fn resolve<'a>(
        &self,
        parts: &Parts,
        pass: &Pass,
        snapshot: Option<&'a Arc<Snapshot>>,
    ) -> Result<Reached<'a>, Unreached> {
        let refusal = |code: Code| Unreached::Refused(Refusal(code.into(), Label::Other));
        let Some(Route { id, group }) = Route::of(parts.uri.path()) else {
            return Err(refusal(Code::NotFound));
        };
        let resource = id.resource();
        if self.admission.needed(resource.gives).is_none() {
            return Err(refusal(Code::NotFound));
        }
        self.admission.check(pass, resource).map_err(Unreached::Denied)?;
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return Err(refusal(Code::MethodNotAllowed));
        }
        let service = || match snapshot.map(|snapshot| snapshot.service(&group)) {
            Some(Some(entry)) => Ok(entry),
            known => Err(refusal(match code_of_missing(&group) {
                Code::NotFound if known.is_none() => Code::Starting,
                code => code,
            })),
        };
        let source = match (resource.renderer, snapshot) {
            (Renderer::Page(page), _) => Source::Page(page),
            (Renderer::Figures, _) => Source::Figures,
            (Renderer::Snapshot(render), Some(snapshot)) => Source::Snapshot(snapshot, render),
            (Renderer::Selection(select), Some(snapshot)) => Source::Selection(snapshot, select),
            (Renderer::Group(select), Some(snapshot)) => Source::Group(snapshot, select),
            (Renderer::Snapshot(_) | Renderer::Selection(_) | Renderer::Group(_), None) => {
                let refusal = Refusal(Code::Starting.into(), Label::Fixed(id));
                return Err(Unreached::Refused(refusal));
            }
            (Renderer::Service(render), _) => Source::Service(service()?, render),
            (Renderer::Live(ask), _) if resource.is_of_service() => {
                Source::Live(Some(service()?), ask)
            }
            (Renderer::Live(ask), _) => Source::Live(None, ask),
        };
        Ok(Reached { id, group, source })
    }
}

/// The answer about a service group that is not loaded: 400 for text that does not have the form
/// of one. A name that no service can have is not loaded either (reference: http-api §5.2).
fn code_of_missing(group: &str) -> Code {
    match group.parse::<ServiceGroup>() {
        Err(ServiceGroupError::Form(_)) => Code::BadName,
        Ok(_) | Err(ServiceGroupError::Name(_)) => Code::NotFound,
    }
}

/// The last event that a client has seen; text that is not a number is ignored.
fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}
