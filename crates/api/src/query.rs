//! The query of a request: parameters as the table of resources declares them, checked before
//! anything is answered. Resources of Habitat ignore their query; those of Roost refuse what they
//! do not know.

use std::time::Duration;

use roost_ident::time::parse_moment_ms;
use roost_text::shown;

use crate::{
    limits::{QUERY_BYTES_MAX, QUERY_PAIRS_MAX},
    percent::hex_pair,
    problem::{Code, Problem},
};

/// A parameter that a resource understands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One or two sentences for the description of the API.
    pub(crate) meaning: &'static str,
}

/// The values that a parameter takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// `true`, `false`, or the bare name for `true`.
    Flag,
    /// A whole number within these bounds.
    Number { least: u64, most: u64 },
    /// Some of these words, separated by commas.
    Words(&'static [&'static str]),
    /// Text of at least one and at most this many bytes.
    Text { bytes_max: usize },
    /// RFC 3339, or an age such as `-2h`.
    Moment,
    /// A number with `ms`, `s`, `m` or `h`, up to a limit.
    Span { most: Duration },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Value {
    Flag(bool),
    Number(u64),
    Words(Vec<&'static str>),
    Text(String),
    Moment(u64),
    Span(Duration),
}

/// The checked parameters of one request. A parameter that was not given is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Query(Vec<(&'static str, Value)>);

impl Query {
    /// Checks a query against the parameters of its resource; ages count from `now_ms`.
    pub(crate) fn parse(
        query: Option<&str>,
        declared: [&'static [Parameter]; 2],
        now_ms: u64,
    ) -> Result<Self, Problem> {
        let query = query.unwrap_or_default();
        if query.len() > QUERY_BYTES_MAX {
            return Err(bad(format!("The query is longer than {QUERY_BYTES_MAX} bytes.")));
        }
        let mut values: Vec<(&'static str, Value)> = Vec::new();
        for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if index == QUERY_PAIRS_MAX {
                return Err(bad(format!("There are more than {QUERY_PAIRS_MAX} parameters.")));
            }
            let (name, text) = match pair.split_once('=') {
                Some((name, text)) => (decode(name)?, Some(decode(text)?)),
                None => (decode(pair)?, None),
            };
            let Some(parameter) = declared.into_iter().flatten().find(|known| known.name == name)
            else {
                return Err(unknown(&name, &declared.concat()));
            };
            if values.iter().any(|known| known.0 == parameter.name) {
                return Err(bad(format!("Parameter '{name}' is given more than once.")));
            }
            let value = parameter.kind.read(text.as_deref(), now_ms).ok_or_else(|| {
                let text = text.as_deref().unwrap_or_default();
                let expected = parameter.kind.expected();
                bad(format!("Parameter '{name}' is '{}'; expected {expected}.", shown(text)))
            })?;
            values.push((parameter.name, value));
        }
        Ok(Self(values))
    }

    /// The same without one of them.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|value| value.0 != name);
        self
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|value| value.0 == name).map(|value| &value.1)
    }

    /// True when the flag is given and not `false`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Flag(true)))
    }

    /// A number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The words given, in the spelling of the table; never an empty list.
    #[must_use]
    pub fn words(&self, name: &str) -> Option<&[&'static str]> {
        match self.get(name)? {
            Value::Words(words) => Some(words),
            _ => None,
        }
    }

    /// The first word given, for parameters of which one makes sense.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&'static str> {
        self.words(name)?.first().copied()
    }

    /// Text. It is foreign.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A point in time, in milliseconds since 1970.
    #[must_use]
    pub fn moment_ms(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Moment(ms) => Some(*ms),
            _ => None,
        }
    }

    /// A length of time.
    #[must_use]
    pub fn span(&self, name: &str) -> Option<Duration> {
        match self.get(name)? {
            Value::Span(span) => Some(*span),
            _ => None,
        }
    }
}

impl Kind {
    fn read(self, text: Option<&str>, now_ms: u64) -> Option<Value> {
        if let (Self::Flag, None) = (self, text) {
            return Some(Value::Flag(true));
        }
        let text = text?;
        match self {
            Self::Flag => Some(Value::Flag(text.parse().ok()?)),
            Self::Number { least, most } => {
                let number = whole(text)?;
                (least..=most).contains(&number).then_some(Value::Number(number))
            }
            Self::Words(known) => {
                let word = |text: &str| known.iter().copied().find(|known| *known == text);
                text.split(',').map(word).collect::<Option<_>>().map(Value::Words)
            }
            Self::Text { bytes_max } => {
                (1..=bytes_max).contains(&text.len()).then(|| Value::Text(text.into()))
            }
            Self::Moment => parse_moment_ms(text, now_ms).map(Value::Moment),
            Self::Span { most } => span(text).filter(|span| *span <= most).map(Value::Span),
        }
    }

    /// What a value looks like, within a sentence.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Flag => "true or false".into(),
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Words(known) => format!("some of {}, separated by commas", known.join(", ")),
            Self::Text { bytes_max } => format!("1 to {bytes_max} bytes of text"),
            Self::Moment => "a time such as 2026-11-27T23:00:00Z, or an age such as -2h".into(),
            Self::Span { most } => {
                format!("a length of time such as 500ms or 30s, at most {}s", most.as_secs())
            }
        }
    }
}

fn bad(detail: String) -> Problem {
    Problem::new(Code::BadParameter, detail)
}

fn unknown(name: &str, declared: &[Parameter]) -> Problem {
    let problem = bad(format!("There is no parameter '{}' here.", shown(name)));
    let names: Vec<&str> = declared.iter().map(|parameter| parameter.name).collect();
    match names.is_empty() {
        true => problem.hint("This resource takes no parameters."),
        false => problem.hint(format!("This resource takes: {}.", names.join(", "))),
    }
}

fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// A number with its unit.
fn span(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count = whole(&text[..text.len() - unit.len()])?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    count.checked_mul(unit_ms).map(Duration::from_millis)
}

/// Decodes a name or value of a form: `+` is a space, escapes are of UTF-8.
fn decode(text: &str) -> Result<String, Problem> {
    let broken = || bad(format!("'{}' is not correctly percent-encoded UTF-8.", shown(text)));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let byte = hex_pair(behind).ok_or_else(broken)?;
                rest = &behind[2..];
                byte
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DECLARED: &[Parameter] = &[
        Parameter { name: "follow", kind: Kind::Flag, meaning: "" },
        Parameter { name: "limit", kind: Kind::Number { least: 1, most: 1000 }, meaning: "" },
        Parameter { name: "state", kind: Kind::Words(&["up", "down"]), meaning: "" },
        Parameter { name: "grep", kind: Kind::Text { bytes_max: 8 }, meaning: "" },
        Parameter { name: "since", kind: Kind::Moment, meaning: "" },
        Parameter {
            name: "wait",
            kind: Kind::Span { most: Duration::from_secs(600) },
            meaning: "",
        },
    ];
    const NOW_MS: u64 = 10_000_000;

    fn parse(query: &str) -> Result<Query, Problem> {
        Query::parse(Some(query), [DECLARED, &[]], NOW_MS)
    }

    #[test]
    fn each_kind_is_read() {
        let query = parse("follow&limit=20&state=up,down&grep=a+%2Bb&since=-10s&wait=10m&");
        let query = query.expect("valid");
        assert!(query.flag("follow"));
        assert_eq!(query.number("limit"), Some(20));
        assert_eq!(query.words("state"), Some(["up", "down"].as_slice()));
        assert_eq!(query.word("state"), Some("up"));
        assert_eq!(query.text("grep"), Some("a +b"));
        assert_eq!(query.moment_ms("since"), Some(NOW_MS - 10_000));
        assert_eq!(query.span("wait"), Some(Duration::from_secs(600)));
        let none = Query::parse(None, [DECLARED, &[]], NOW_MS).expect("valid");
        assert!(!none.flag("follow") && none.number("limit").is_none());
        assert!(!parse("follow=false").expect("valid").flag("follow"));
    }

    #[test]
    fn what_is_not_valid_is_refused_with_what_is() {
        for (query, word) in [
            ("nope=1", "no parameter 'nope'"),
            ("LIMIT=1", "no parameter 'LIMIT'"),
            ("limit=1&limit=1", "more than once"),
            ("limit=0", "from 1 to 1000"),
            ("limit=+1", "from 1 to 1000"),
            ("limit=99999999999999999999999", "from 1 to 1000"),
            ("limit", "from 1 to 1000"),
            ("follow=yes", "true or false"),
            ("state=", "some of up, down"),
            ("state=up,", "some of up, down"),
            ("state=Up", "some of up, down"),
            ("grep=", "1 to 8 bytes"),
            ("grep=123456789", "1 to 8 bytes"),
            ("since=tomorrow", "an age"),
            ("wait=365d", "at most 600s"),
            ("wait=11m", "at most 600s"),
            ("wait=99999999999999999999h", "at most 600s"),
            ("wait=s", "at most 600s"),
            ("wait=5\u{e9}", "at most 600s"),
            ("grep=%", "percent-encoded"),
            ("grep=%zz", "percent-encoded"),
            ("grep=%ff", "percent-encoded"),
            ("%1b[2J=1", "\\u{1b}[2J"),
        ] {
            let problem = parse(query).expect_err(query);
            assert!(format!("{problem:?}").replace("\\\\", "\\").contains(word), "{problem:?}");
        }
        assert!(parse(&format!("grep={}", "x".repeat(QUERY_BYTES_MAX))).is_err());
        assert!(parse(&"a&".repeat(QUERY_PAIRS_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in ".{0,80}") {
            let _ = parse(&query);
        }

        #[test]
        fn an_almost_valid_query_does_not_panic(
            query in "((follow|limit|state|grep|since|wait|%6c)=?[-+%0-9a-fmsh,é]{0,6}&?){0,6}"
        ) {
            let _ = parse(&query);
        }
    }
}
