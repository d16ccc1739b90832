//! What the gateway answers with of its own: the start page, the description of the API, figures.

use std::sync::LazyLock;

use crate::{
    accept::Media,
    live::{Pending, Reply},
    metrics::MetricsSource,
    openapi,
    rendered::Rendered,
    resource::{Page, ResourceId},
};

const START: &str = include_str!("start.html");
const TOKEN: &str = include_str!("token.html");

/// The pages, each made once, but for the figures.
#[derive(Debug)]
pub(crate) struct Pages {
    start: Rendered,
    token: Rendered,
    description: LazyLock<Rendered>,
    metrics: MetricsSource,
}

impl Pages {
    pub(crate) fn new(version: &str, metrics: MetricsSource) -> Self {
        let start =
            START.replace("{version}", &escape(version)).replace("{endpoints}", &endpoints());
        Self {
            start: Rendered::new(start),
            token: Rendered::new(TOKEN),
            description: LazyLock::new(|| Rendered::versioned(openapi::description())),
            metrics,
        }
    }

    /// A page in one of the forms that the table of resources names.
    pub(crate) fn page(&self, page: Page, media: Media) -> Rendered {
        match (page, media) {
            (Page::Start, Media::Html) => self.start(),
            (Page::Start | Page::Description, _) => self.description(),
        }
    }

    /// The start page. It needs nothing from elsewhere. Its script asks `/services` of the same
    /// origin, with the token that [`Self::token`] has kept in the browser's tab, or without one:
    /// then a proxy adds it, or there is none.
    fn start(&self) -> Rendered {
        self.start.clone()
    }

    /// What a browser gets in place of the start page without the token: a field for it. The page
    /// keeps the token in the tab and asks for the start page with it; the token is in no address.
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

/// The rows of the table of endpoints; those without parameters are links.
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
        format!("<tr><td>{path}</td><td>{}</td></tr>\n", escape(resource.summary))
    };
    ResourceId::all().map(row).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_needs_nothing_from_elsewhere() {
        let metrics = MetricsSource::new(prometheus::Registry::new());
        let page = Pages::new("<2.1.78>", metrics).start();
        let text = std::str::from_utf8(page.bytes()).expect("UTF-8");
        assert!(text.contains("&lt;2.1.78&gt;") && !text.contains("{version}"));
        assert!(text.contains("<a href=\"census\"><code>/census</code></a>"), "{text}");
        assert!(text.contains("<td><code>/v1/services/{sg}</code></td>"), "{text}");
        for text in [text, TOKEN] {
            assert!(text.len() < 12 * 1024, "{} bytes", text.len());
            for foreign in ["http://", "https://", "//cdn", "@import", "src="] {
                assert!(!text.contains(foreign), "{foreign}");
            }
        }
    }
}
