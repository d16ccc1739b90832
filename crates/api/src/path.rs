//! Which resource a path names (reference: http-api §3 and §5).
//!
//! Paths are compared as they are: case matters, slashes are not merged, `..` is a name like
//! any other. Escapes are decoded first, except those of `%`, `/` and `+`, which stay as they
//! are until a parameter has been cut out.

use std::{borrow::Cow, sync::LazyLock};

use crate::{percent::hex_pair, resource::ResourceId};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) id: ResourceId,
    /// The text that name, group and organization form, empty where the path has no parameters.
    /// Whether it is a valid group is not known yet.
    pub(crate) group: String,
}

impl Route {
    /// The resource of a path without its query, if there is one. Paths without an organization
    /// are tried first, so that one can only be called `config` or `health` where something
    /// follows it.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = decode(path, |byte| !STAYS.contains(&byte));
        let mut segments = [""; SEGMENTS_MAX];
        let mut count = 0;
        for segment in path.split('/') {
            *segments.get_mut(count)? = segment;
            count += 1;
        }
        let segments = &segments[..count];
        let pattern = PATTERNS.iter().find(|pattern| pattern.fits(segments))?;
        Some(Self { id: pattern.id, group: pattern.group(segments) })
    }
}

/// Most segments of a pattern, the empty one before the first slash among them.
const SEGMENTS_MAX: usize = 8;

/// All paths of the table, taken apart once: each request is compared with them.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let pattern = |id, path: &'static str| Pattern { id, segments: path.split('/').collect() };
    let plain = ResourceId::all().map(|id| pattern(id, id.resource().path));
    let organizations =
        ResourceId::all().filter_map(|id| Some(pattern(id, id.resource().organization_path?)));
    plain.chain(organizations).collect()
});

/// One path of the table.
struct Pattern {
    id: ResourceId,
    segments: Vec<&'static str>,
}

impl Pattern {
    /// True when a path has this form.
    fn fits(&self, path: &[&str]) -> bool {
        let mut pairs = self.segments.iter().zip(path);
        self.segments.len() == path.len()
            && pairs.all(|(wanted, segment)| {
                wanted == segment || (is_parameter(wanted) && !segment.is_empty())
            })
    }

    /// The group that the parameters of a path form.
    fn group(&self, path: &[&str]) -> String {
        let mut group = String::new();
        for (wanted, segment) in self.segments.iter().zip(path) {
            match *wanted {
                "{name}" | "{sg}" => {}
                "{group}" => group.push('.'),
                "{organization}" => group.push('@'),
                _ => continue,
            }
            group.push_str(&parameter(segment));
        }
        group
    }
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The path of the resource as the table has it, and the group.
    fn route(path: &str) -> Option<(&'static str, String)> {
        Route::of(path).map(|route| (route.id.resource().path, route.group))
    }

    const OBJECT: &str = "/services/{name}/{group}";
    const CONFIG: &str = "/services/{name}/{group}/config";
    const HEALTH: &str = "/services/{name}/{group}/health";

    #[test]
    fn every_path_of_the_table_is_found() {
        for id in ResourceId::all() {
            let resource = id.resource();
            for path in std::iter::once(resource.path).chain(resource.organization_path) {
                let path = path.replace(['{', '}'], "");
                assert_eq!(Route::of(&path).map(|route| route.id), Some(id), "{path}");
            }
        }
    }

    #[test]
    fn paths_are_compared_as_they_are() {
        assert_eq!(route("/census"), Some(("/census", String::new())));
        assert_eq!(route("/%63ensus"), Some(("/census", String::new())));
        assert_eq!(route("/"), Some(("/", String::new())));
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
            ("/services/web/default", "web.default", OBJECT),
            ("/services/web/default/config", "web.default", CONFIG),
            ("/services/web/default/health", "web.default", HEALTH),
            ("/services/web/default/acme", "web.default@acme", OBJECT),
            ("/services/web/default/acme/config", "web.default@acme", CONFIG),
            ("/services/web/default/acme/health", "web.default@acme", HEALTH),
            ("/services/web/default/health/config", "web.default@health", CONFIG),
            ("/services/web/default/HEALTH", "web.default@HEALTH", OBJECT),
            ("/services/web/default@acme/config", "web.default@acme", CONFIG),
            ("/services/../census", "...census", OBJECT),
        ];
        for (path, group, resource) in cases {
            assert_eq!(route(path), Some((resource, group.into())), "{path}");
        }
    }

    #[test]
    fn the_v1_api_names_a_service_by_its_group() {
        for (path, group) in [
            ("/v1/services/web.default", "web.default"),
            ("/v1/services/web.default@acme", "web.default@acme"),
            ("/v1/services/web.default%40acme", "web.default@acme"),
        ] {
            assert_eq!(route(path), Some(("/v1/services/{sg}", group.into())), "{path}");
        }
        for path in ["/v1/services/", "/v1/services/web.default/", "/v1/x"] {
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
            assert_eq!(route(path), Some((OBJECT, group.into())), "{path}");
        }
        assert_eq!(route("/services/web/default/%63onfig").map(|it| it.0), Some(CONFIG));
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
