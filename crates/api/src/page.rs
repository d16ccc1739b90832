//! What the gateway answers with of its own: pages for browsers, the description of the API,
//! figures.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use roost_dashboard::{Page, Row};
use roost_ident::time::rfc3339_s;

use crate::{
    accept::Media,
    documents::ServiceV1,
    live::{Pending, Reply},
    metrics::MetricsSource,
    openapi,
    rendered::Rendered,
    resource::{self, ResourceId},
    snapshot::Snapshot,
};

/// The pages, each made once, but for the services and the figures.
#[derive(Debug)]
pub(crate) struct Pages {
    page: Page,
    list: Rendered,
    token: Rendered,
    description: LazyLock<Rendered>,
    metrics: MetricsSource,
}

impl Pages {
    pub(crate) fn new(version: &str, redact: bool, metrics: MetricsSource) -> Self {
        let resources = ResourceId::all().map(ResourceId::resource);
        let answered = resources.filter(|it| !redact || it.gives.scope(true).is_some());
        let page = Page::new(version, answered.map(|resource| resource.path));
        Self {
            list: Rendered::new(page.with_content(&endpoints())),
            token: Rendered::new(Page::locked()),
            page,
            description: LazyLock::new(|| Rendered::versioned(openapi::description())),
            metrics,
        }
    }

    /// A page in one of the forms that the table of resources names.
    pub(crate) fn page(
        &self,
        page: resource::Page,
        snapshot: Option<&Snapshot>,
        media: Media,
    ) -> Rendered {
        match (page, media) {
            (resource::Page::Dashboard, Media::Html) => self.dashboard(snapshot),
            (resource::Page::List, Media::Html) => self.list(),
            _ => self.description(),
        }
    }

    /// The page with the services of a snapshot, which the dashboard replaces where a browser runs
    /// it.
    fn dashboard(&self, snapshot: Option<&Snapshot>) -> Rendered {
        let rows = snapshot.map(|snapshot| {
            let entries = snapshot.services().iter();
            entries
                .map(|entry| row(entry.group(), &entry.v1_documents().service))
                .collect::<Vec<_>>()
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = rfc3339_s(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        Rendered::new(self.page.with_services(&now, rows.as_deref()))
    }

    /// The list of all paths.
    fn list(&self) -> Rendered {
        self.list.clone()
    }

    /// What a browser gets without the token: it shows nothing and asks for the token, which is
    /// kept in the tab and is in no address.
    pub(crate) fn token(&self) -> Rendered {
        self.token.clone()
    }

    /// The OpenAPI description.
    fn description(&self) -> Rendered {
        self.description.clone()
    }

    /// The figures of this moment.
    pub(crate) fn metrics(&self, media: Media) -> Pending<Reply> {
        self.metrics.render(media)
    }
}

fn row<'a>(group: &'a str, service: &'a ServiceV1) -> Row<'a> {
    Row {
        id: group,
        package: &service.package,
        state: service.state.as_str(),
        since: &service.since,
        health: service.health.as_str(),
        restarts: service.restarts.total,
        why: service.why.as_deref(),
    }
}

/// All paths as a table; those without parameters are links.
fn endpoints() -> String {
    let row = |id: ResourceId| {
        let resource = id.resource();
        let path = format!("<code>{}</code>", escape(resource.path));
        let path = match resource.path.strip_prefix('/') {
            Some(target) if !target.is_empty() && !target.contains('{') => {
                format!("<a href=\"{}\">{path}</a>", escape(target))
            }
            _ => path,
        };
        format!("<tr><th scope=\"row\">{path}</th><td>{}</td></tr>\n", escape(resource.summary))
    };
    let rows: String = ResourceId::all().map(row).collect();
    format!(
        "<h1>API</h1>\n<p>Nothing on this port changes anything.</p>\n<table class=\"paths\">\n\
         <thead><tr><th scope=\"col\">Path</th><th scope=\"col\">Answer</th></tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_paths_is_that_of_the_table() {
        let metrics = MetricsSource::new(prometheus::Registry::new());
        let page = Pages::new("<2.1.78>", true, metrics).list();
        let text = std::str::from_utf8(page.bytes()).expect("UTF-8");
        assert!(text.contains("&lt;2.1.78&gt;"));
        assert!(text.contains("<a href=\"census\"><code>/census</code></a>"), "{text}");
        assert!(text.contains("<code>/v1/services/{sg}</code>"), "{text}");
        let answered = text.split("name=\"resources\" content=\"").nth(1).expect("the paths");
        let answered: Vec<_> = answered.split('"').next().unwrap_or_default().split(' ').collect();
        assert!(answered.contains(&"/v1/events") && !answered.contains(&"/census"), "{answered:?}");
    }
}
