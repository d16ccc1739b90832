//! The page that a browser gets.

use std::{fmt::Write as _, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::files::{imports, modules, path_of};

/// What `content-security-policy` holds for the page: everything from this origin, and no script
/// or style within the page but the import map, by its checksum.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let imports = STANDARD.encode(Sha256::digest(imports()));
    format!(
        "default-src 'none'; script-src 'self' 'sha256-{imports}'; style-src 'self'; \
         img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
});

/// A service in the table that is shown without JavaScript.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// Its service group.
    pub id: &'a str,
    /// Its release.
    pub package: &'a str,
    /// Where it is in its life.
    pub state: &'a str,
    /// Since when.
    pub since: &'a str,
    /// The last result of its health check.
    pub health: &'a str,
    /// Restarts after failures.
    pub restarts: u64,
    /// Why it is not as it should be.
    pub why: Option<&'a str>,
}

/// What is the same on every page.
#[derive(Debug, Clone)]
pub struct Page {
    head: String,
}

impl Page {
    /// Pages of a Supervisor of this version that answers these paths.
    #[must_use]
    pub fn new<'a>(version: &str, resources: impl IntoIterator<Item = &'a str>) -> Self {
        let resources = resources.into_iter().collect::<Vec<_>>().join(" ");
        Self {
            head: head(&format!(
                "<meta name=\"supervisor-version\" content=\"{}\">\n\
                 <meta name=\"resources\" content=\"{}\">\n",
                escape(version),
                escape(&resources),
            )),
        }
    }

    /// The page with the services of a moment; without them while the Supervisor starts.
    #[must_use]
    pub fn with_services(&self, at: &str, rows: Option<&[Row<'_>]>) -> String {
        let mut page = self.head.clone();
        page.push_str("<h1>Services</h1>\n");
        match rows {
            None => page.push_str("<p>The Supervisor is still starting.</p>\n"),
            Some([]) => page.push_str("<p>No service is loaded.</p>\n"),
            Some(rows) => table(&mut page, rows),
        }
        // Writing to text cannot fail.
        let _ = writeln!(page, "<p class=\"note\">As of {}.</p>", escape(at));
        page.push_str(
            "<noscript><p class=\"note\">With JavaScript this page updates by itself. \
             <a href=\"api\">All paths of the API</a></p></noscript>\n",
        );
        page.push_str(TAIL);
        page
    }

    /// A page with this content, which is markup; the dashboard takes its place.
    #[must_use]
    pub fn with_content(&self, content: &str) -> String {
        format!("{}{content}{TAIL}", self.head)
    }

    /// The page for a browser without the token: it shows nothing, not even the version, and asks
    /// for the token.
    #[must_use]
    pub fn locked() -> String {
        format!(
            "{}<h1>This Supervisor asks for a token</h1>\n\
             <noscript><p>The field for it needs JavaScript. From a terminal:</p>\n\
             <pre>curl -H \"Authorization: Bearer $TOKEN\" localhost:9631/services</pre></noscript>\n\
             {TAIL}",
            head("")
        )
    }
}

/// All of a page before its content, with this about the Supervisor.
fn head(about: &str) -> String {
    // Otherwise a browser learns of a module from the one that imports it, one round trip later.
    let preloads: String =
        modules().map(|path| format!("<link rel=\"modulepreload\" href=\"{path}\">\n")).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{about}\
         <title>Supervisor</title>\n\
         <link rel=\"icon\" href=\"{}\">\n<link rel=\"stylesheet\" href=\"{}\">\n\
         <script type=\"importmap\">{}</script>\n{preloads}\
         <script type=\"module\" src=\"{}\"></script>\n\
         <noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n\
         </head>\n<body>\n<div id=\"app\">\n\
         <header><span class=\"brand\">Supervisor</span></header>\n<main>\n",
        path_of("icon.svg"),
        path_of("style.css"),
        imports(),
        path_of("app.js"),
    )
}

const TAIL: &str = "</main>\n</div>\n</body>\n</html>\n";

fn table(page: &mut String, rows: &[Row<'_>]) {
    page.push_str(
        "<table class=\"services\">\n<thead><tr><th scope=\"col\">Service</th>\
         <th scope=\"col\">State</th><th scope=\"col\">Health</th>\
         <th scope=\"col\" class=\"number\">Restarts</th><th scope=\"col\">Why</th></tr></thead>\n\
         <tbody>\n",
    );
    for Row { id, package, state, since, health, restarts, why } in rows {
        // Writing to text cannot fail.
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\"><bdi>{}</bdi><small>{}</small></th>\
             <td data-label=\"State\">{}<small>since {}</small></td>\
             <td data-label=\"Health\">{}</td>\
             <td data-label=\"Restarts\" class=\"number\">{restarts}</td>\
             <td data-label=\"Why\" class=\"why\"><bdi>{}</bdi></td></tr>",
            escape(id),
            escape(package),
            escape(state),
            escape(since),
            escape(health),
            escape(why.unwrap_or("–")),
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_never_markup() {
        let row = Row {
            id: "<b>.default",
            why: Some("exit \"1\" <script>alert(1)</script>"),
            ..Row::default()
        };
        let page = Page::new("<2.1>", ["/services"]).with_services("now", Some(&[row]));
        assert!(page.contains("content=\"&lt;2.1&gt;\""), "{page}");
        assert!(page.contains("&lt;b&gt;.default"), "{page}");
        assert!(
            page.contains("exit &quot;1&quot; &lt;script&gt;alert(1)&lt;/script&gt;"),
            "{page}"
        );
        assert!(!page.contains("<script>alert"), "{page}");
    }

    #[test]
    fn the_policy_allows_the_import_map_and_nothing_else_inline() {
        let page = Page::locked();
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!page.contains("<style") && !page.contains("style="), "{page}");
        let map = page.split("<script type=\"importmap\">").nth(1).expect("the map");
        let map = map.split("</script>").next().expect("its end");
        let checksum = STANDARD.encode(Sha256::digest(map));
        assert!(POLICY.contains(&format!("'sha256-{checksum}'")), "{}", *POLICY);
        assert!(!POLICY.contains("unsafe"), "{}", *POLICY);
    }
}
