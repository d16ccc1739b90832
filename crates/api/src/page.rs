//! The start page and the description of the API.

use crate::document::Rendered;

/// The OpenAPI description, as `/openapi.json` sends it.
pub const OPENAPI_JSON: &[u8] = include_bytes!("../openapi.json");

const PAGE: &str = include_str!("start.html");

/// The start page. It needs nothing from elsewhere, and its script asks `/services` of the same
/// origin with what the browser sends by itself: behind a token the page is reached through a
/// proxy that adds the token, and the script's requests take the same way.
pub(crate) fn start_page(version: &str) -> Rendered {
    Rendered::new(PAGE.replace("{version}", &escape(version)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_needs_nothing_from_elsewhere() {
        let page = start_page("<2.1.78>");
        let text = std::str::from_utf8(page.bytes()).expect("UTF-8");
        assert!(text.len() < 12 * 1024, "{} bytes", text.len());
        assert!(text.contains("&lt;2.1.78&gt;") && !text.contains("{version}"));
        for foreign in ["http://", "https://", "//cdn", "@import", "src="] {
            assert!(!text.contains(foreign), "{foreign}");
        }
    }
}
