//! The start page and the description of the API.

use crate::document::Rendered;

/// The OpenAPI description, as `/openapi.json` sends it.
pub const OPENAPI_JSON: &[u8] = include_bytes!("../openapi.json");

const PAGE: &str = include_str!("start.html");
const TOKEN_PAGE: &str = include_str!("token.html");

/// The start page. It needs nothing from elsewhere. Its script asks `/services` of the same origin,
/// with the token that [`token_page`] has kept in the browser's tab, or without one: then a proxy
/// adds it, or there is none.
pub(crate) fn start_page(version: &str) -> Rendered {
    Rendered::new(PAGE.replace("{version}", &escape(version)))
}

/// What a browser gets in place of the start page without the token: a field for it. The page
/// keeps the token in the tab and asks for the start page with it; the token is in no address.
pub(crate) fn token_page() -> Rendered {
    Rendered::new(TOKEN_PAGE)
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
        assert!(text.contains("&lt;2.1.78&gt;") && !text.contains("{version}"));
        for text in [text, TOKEN_PAGE] {
            assert!(text.len() < 12 * 1024, "{} bytes", text.len());
            for foreign in ["http://", "https://", "//cdn", "@import", "src="] {
                assert!(!text.contains(foreign), "{foreign}");
            }
        }
    }
}
