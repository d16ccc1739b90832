//! Content negotiation (reference: http-api §15.1, RFC 9110 section 12.5.1).
//!
//! It never refuses: an `Accept` that is absent, too long, broken, or that matches nothing
//! offered gives the default form. Parameters of a media range other than `q` are not compared.

use http::{HeaderMap, header::ACCEPT};

use crate::{document::Format, limits};

/// A media type that a resource can be had in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`
    Json,
    /// `application/toml`
    Toml,
    /// `text/plain`
    Text,
    /// `text/html`
    Html,
    /// The text format of Prometheus.
    Prometheus,
    /// The text format of OpenMetrics.
    OpenMetrics,
    /// Server-sent events.
    EventStream,
    /// One JSON object per line.
    Ndjson,
}

impl Media {
    /// The value of `content-type`.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Toml => "application/toml",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html",
            Self::Prometheus => "text/plain; version=0.0.4",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::EventStream => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// What an idle stream sends: nothing in the eyes of its reader, but a dead connection shows.
    pub(crate) const fn heartbeat(self) -> Option<&'static [u8]> {
        match self {
            Self::EventStream => Some(b":\n\n"),
            Self::Ndjson => Some(b"\n"),
            _ => None,
        }
    }

    /// The form of a document that it shows.
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Toml => Format::Toml,
            Self::Text => Format::Text,
            Self::Json
            | Self::Html
            | Self::Prometheus
            | Self::OpenMetrics
            | Self::EventStream
            | Self::Ndjson => Format::Json,
        }
    }

    /// Names it goes by; those with `x-` are accepted, never sent.
    const fn names(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Json => &[("application", "json")],
            Self::Toml => &[("application", "toml"), ("application", "x-toml"), ("text", "x-toml")],
            Self::Text | Self::Prometheus => &[("text", "plain")],
            Self::OpenMetrics => &[("application", "openmetrics-text")],
            Self::Html => &[("text", "html")],
            Self::EventStream => &[("text", "event-stream")],
            Self::Ndjson => &[("application", "x-ndjson"), ("application", "ndjson")],
        }
    }

    /// How closely a range names it: 2 exactly, 1 by its type, 0 as anything.
    fn closeness(self, range: &Range<'_>) -> Option<u8> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let (kind, _) = self.names()[0];
        match (range.kind, range.subtype) {
            ("*", "*") => Some(0),
            (range_kind, "*") => same(range_kind, kind).then_some(1),
            (range_kind, subtype) => {
                let mut names = self.names().iter();
                names.any(|(kind, name)| same(range_kind, kind) && same(subtype, name)).then_some(2)
            }
        }
    }
}

/// One element of `Accept`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Quality in thousandths.
    quality: u16,
}

/// The form to answer in: the offered one of highest quality, the earlier one on a tie. The
/// first offered is the default.
pub(crate) fn choose(headers: &HeaderMap, offered: &[Media]) -> Media {
    let default = offered[0];
    let Some(ranges) = ranges(headers) else { return default };
    let mut best = (0, default);
    for &media in offered {
        let quality = quality(&ranges, media);
        if quality > best.0 {
            best = (quality, media);
        }
    }
    best.1
}

/// Quality of a form: that of the closest range.
fn quality(ranges: &[Range<'_>], media: Media) -> u16 {
    let matching = ranges.iter().filter_map(|range| Some((media.closeness(range)?, range.quality)));
    matching.max().map_or(0, |(_, quality)| quality)
}

/// All ranges of all `Accept` headers; nothing if there is none or one is not understood.
fn ranges(headers: &HeaderMap) -> Option<Vec<Range<'_>>> {
    let mut ranges = Vec::new();
    let mut length = 0;
    for value in headers.get_all(ACCEPT) {
        length += value.len();
        if length > limits::ACCEPT_BYTES {
            return None;
        }
        for element in split_outside_quotes(value.to_str().ok()?, ',') {
            let element = element.trim();
            if element.is_empty() {
                continue;
            }
            if ranges.len() == limits::ACCEPT_RANGES {
                return None;
            }
            ranges.push(range(element)?);
        }
    }
    (!ranges.is_empty()).then_some(ranges)
}

fn range(element: &str) -> Option<Range<'_>> {
    let mut parts = split_outside_quotes(element, ';');
    let (kind, subtype) = parts.next()?.trim().split_once('/')?;
    if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
        return None;
    }
    let mut quality = 1000;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("q") {
            quality = thousandths(value.trim())?;
            break;
        }
    }
    Some(Range { kind, subtype, quality })
}

/// `0`, `1` or a decimal fraction between them with up to three digits.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u16 = match whole {
        "0" => 0,
        "1" => 1000,
        _ => return None,
    };
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    (whole + fraction <= 1000).then_some(whole + fraction)
}

fn is_token(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fine)
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn choose_of(accept: &str, offered: &[Media]) -> Media {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT, HeaderValue::from_bytes(accept.as_bytes()).expect("a header value"));
        choose(&headers, offered)
    }

    const ALL: [Media; 3] = [Media::Json, Media::Toml, Media::Text];

    #[test]
    fn the_highest_quality_wins_and_ties_go_to_the_default() {
        let cases = [
            ("*/*", Media::Json),
            ("application/*", Media::Json),
            ("text/*", Media::Text),
            ("text/plain", Media::Text),
            ("TEXT/Plain; charset=utf-8", Media::Text),
            ("application/toml", Media::Toml),
            ("application/x-toml", Media::Toml),
            ("text/x-toml", Media::Toml),
            ("application/toml, application/json", Media::Json),
            ("application/toml, application/json;q=0.9", Media::Toml),
            ("application/toml;q=0.5, */*;q=0.4", Media::Toml),
            ("application/json;q=0, */*", Media::Toml),
            ("application/json;q=0.1, application/*;q=0.9", Media::Toml),
            ("text/html, application/xhtml+xml, */*;q=0.8", Media::Json),
            (", text/plain ,", Media::Text),
            ("text/plain;a=\"x,y;q=0\";q=0.7, application/json;q=0.6", Media::Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(choose_of(accept, &ALL), expected, "{accept}");
        }
    }

    #[test]
    fn what_is_not_offered_or_not_understood_gives_the_default() {
        for accept in [
            "image/png",
            "application/json;q=0",
            "",
            "nonsense",
            "*",
            "*/json",
            "text/plain;q=2",
            "text/plain;q=0.1234",
            "text/plain;q=x",
            "text/plain, nonsense",
            "/",
            "text/",
            "*; q=.2",
            "text/plain\u{e9}",
        ] {
            assert_eq!(choose_of(accept, &ALL), Media::Json, "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new(), &ALL), Media::Json);
        assert_eq!(choose_of("text/*", &[Media::Json, Media::Toml]), Media::Json);
        assert_eq!(choose_of("text/html,*/*;q=0.8", &[Media::Html, Media::Json]), Media::Html);
        assert_eq!(choose_of("application/json", &[Media::Html, Media::Json]), Media::Json);
    }

    #[test]
    fn an_endless_accept_is_not_read() {
        let long = format!("text/plain{}", " ".repeat(limits::ACCEPT_BYTES));
        assert_eq!(choose_of(&long, &ALL), Media::Json);
        let many = "text/plain,".repeat(limits::ACCEPT_RANGES + 1);
        assert_eq!(choose_of(&many, &ALL), Media::Json);
    }

    proptest! {
        #[test]
        fn no_accept_makes_it_panic(accept in "[ -~\t]{0,200}") {
            choose_of(&accept, &ALL);
        }

        #[test]
        fn an_almost_valid_accept_gives_something_offered(
            accept in "((application|text|\\*)/(json|toml|plain|\\*)(;q=[01](\\.[0-9]{0,4})?)?,? ?){0,8}"
        ) {
            prop_assert!(ALL.contains(&choose_of(&accept, &ALL)));
        }
    }
}
