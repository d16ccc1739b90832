//! Which resource a path names (reference: http-api §3 and §5).
//!
//! Paths are compared as they are: case matters, slashes are not merged, `..` is a name like
//! any other. Escapes are decoded first, except those of `%`, `/` and `+`, which stay as they
//! are until a parameter has been cut out.

use std::borrow::Cow;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Start,
    OpenApi,
    Services,
    /// A part of one service. The group is the text that its name, group and organization form;
    /// whether it is a valid one is not yet known.
    Service {
        group: String,
        part: Part,
    },
    Census,
    Butterfly,
    Metrics,
}

/// What of a service is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Object,
    Config,
    Health,
    /// The document of the v1 API.
    V1,
}

impl Route {
    /// The resource of a path without its query, if there is one.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = decode(path, |byte| !STAYS.contains(&byte));
        match &*path {
            "/" => Some(Self::Start),
            "/openapi.json" => Some(Self::OpenApi),
            "/services" => Some(Self::Services),
            "/census" => Some(Self::Census),
            "/butterfly" => Some(Self::Butterfly),
            "/metrics" => Some(Self::Metrics),
            other => match other.strip_prefix("/v1/services/") {
                Some(group) if !group.is_empty() && !group.contains('/') => {
                    Some(Self::Service { group: parameter(group).into_owned(), part: Part::V1 })
                }
                _ => service(other.strip_prefix("/services/")?),
            },
        }
    }
}

/// The forms are tried in this order, so that an organization can only be called `config` or
/// `health` where something follows it.
fn service(path: &str) -> Option<Route> {
    let mut segments = path.split('/');
    let (name, group) = (segments.next()?, segments.next()?);
    let (third, fourth) = (segments.next(), segments.next());
    let (organization, part) = match (third, fourth, segments.next()) {
        (None, None, None) => (None, Part::Object),
        (Some("config"), None, None) => (None, Part::Config),
        (Some("health"), None, None) => (None, Part::Health),
        (organization, None, None) => (organization, Part::Object),
        (organization, Some("config"), None) => (organization, Part::Config),
        (organization, Some("health"), None) => (organization, Part::Health),
        _ => return None,
    };
    if name.is_empty() || group.is_empty() || organization == Some("") {
        return None;
    }
    let mut text = String::with_capacity(path.len() + 1);
    text.push_str(&parameter(name));
    text.push('.');
    text.push_str(&parameter(group));
    if let Some(organization) = organization {
        text.push('@');
        text.push_str(&parameter(organization));
    }
    Some(Route::Service { group: text, part })
}

/// Escapes that are decoded only inside a parameter.
const STAYS: [u8; 3] = *b"%/+";

fn parameter(segment: &str) -> Cow<'_, str> {
    decode(segment, |byte| STAYS.contains(&byte))
}

/// Decodes the escapes of the bytes that `wanted` picks; other escapes and broken ones stay.
/// What is not UTF-8 afterwards is replaced by U+FFFD.
fn decode(text: &str, wanted: impl Fn(u8) -> bool) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let escape = (first == b'%').then(|| hex_pair(behind)).flatten();
        match escape {
            Some(byte) if wanted(byte) => {
                decoded.push(byte);
                rest = &rest[3..];
            }
            // An escape that stays is passed over as a whole: its digits are not looked at again.
            Some(_) => {
                decoded.extend_from_slice(&rest[..3]);
                rest = &rest[3..];
            }
            None => {
                decoded.push(first);
                rest = behind;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let digit = |index: usize| char::from(*text.get(index)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn service_of(path: &str) -> Option<(String, Part)> {
        match Route::of(path) {
            Some(Route::Service { group, part }) => Some((group, part)),
            _ => None,
        }
    }

    #[test]
    fn paths_are_compared_as_they_are() {
        assert_eq!(Route::of("/census"), Some(Route::Census));
        assert_eq!(Route::of("/%63ensus"), Some(Route::Census));
        for path in [
            "",
            "*",
            "/census/",
            "//services",
            "/CENSUS",
            "/./census",
            "/services/",
            "/services/web",
            "/services/web/",
            "/services/web/default/",
            "/services//web/default",
            "/metrics/",
            "/services/web/default/config/",
            "/services/web/default/a/b",
            "/nope",
            "census",
            "/services/web/default/a/config/b",
            "/%2Fcensus",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn services_have_six_forms() {
        let cases = [
            ("/services/web/default", "web.default", Part::Object),
            ("/services/web/default/config", "web.default", Part::Config),
            ("/services/web/default/health", "web.default", Part::Health),
            ("/services/web/default/acme", "web.default@acme", Part::Object),
            ("/services/web/default/acme/config", "web.default@acme", Part::Config),
            ("/services/web/default/acme/health", "web.default@acme", Part::Health),
            ("/services/web/default/health/config", "web.default@health", Part::Config),
            ("/services/web/default/HEALTH", "web.default@HEALTH", Part::Object),
            ("/services/web/default@acme/config", "web.default@acme", Part::Config),
            ("/services/../census", "...census", Part::Object),
        ];
        for (path, group, part) in cases {
            assert_eq!(service_of(path), Some((group.into(), part)), "{path}");
        }
    }

    #[test]
    fn the_v1_api_names_a_service_by_its_group() {
        for (path, group) in [
            ("/v1/services/web.default", "web.default"),
            ("/v1/services/web.default@acme", "web.default@acme"),
            ("/v1/services/web.default%40acme", "web.default@acme"),
        ] {
            assert_eq!(service_of(path), Some((group.into(), Part::V1)), "{path}");
        }
        for path in ["/v1/services", "/v1/services/", "/v1/services/web.default/", "/v1/x"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn escapes_are_decoded_before_matching_but_for_three() {
        let cases = [
            ("/services/we%62/default", "web.default"),
            ("/services/web%2Fx/default", "web/x.default"),
            ("/services/web%2fx/default", "web/x.default"),
            ("/services/we%2Bb/default", "we+b.default"),
            ("/services/we+b/default", "we+b.default"),
            ("/services/we%25b/default", "we%b.default"),
            ("/services/we%2540b/default", "we%40b.default"),
            ("/services/we%40b/default", "we@b.default"),
            ("/services/%zz/default", "%zz.default"),
            ("/services/%/default", "%.default"),
            ("/services/%FF/default", "\u{fffd}.default"),
        ];
        for (path, group) in cases {
            assert_eq!(service_of(path), Some((group.into(), Part::Object)), "{path}");
        }
        assert_eq!(service_of("/services/web/default/%63onfig").map(|it| it.1), Some(Part::Config));
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in ".{0,80}") {
            let _ = Route::of(&path);
        }

        #[test]
        fn no_service_path_makes_it_panic(path in "/services(/[a-z%0-9A-F@.#+é]{0,6}){0,6}") {
            let _ = Route::of(&path);
        }

        #[test]
        fn escaping_every_letter_names_the_same_resource(name in "[a-z]{1,8}", group in "[a-z]{1,8}") {
            let plain = format!("/services/{name}/{group}");
            let escaped: String = plain
                .chars()
                .map(|c| if c == '/' { c.to_string() } else { format!("%{:02x}", u32::from(c)) })
                .collect();
            prop_assert_eq!(Route::of(&plain), Route::of(&escaped));
        }
    }
}
