//! The text of `monitor.toml`, after rendering.

use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, sync::Arc};

use serde::Deserialize;
use toml::{Spanned, Value};

use super::{
    Address, CHECKS_MAX, Codes, HOOK_CHECK, Header, HttpTarget, Monitor, Probe, Scheme,
    TIMEOUT_DEFAULT_MS, Target, TcpTarget, Trust, Url,
};
use crate::health::Rule;

/// Largest `monitor.toml`.
pub const MONITOR_SIZE_MAX_BYTES: u64 = 64 * 1024;
/// Bytes of a text that is sent or expected, and of a header.
const TEXT_MAX: usize = 1_024;
const HEADERS_MAX: usize = 16;
/// Headers that the request itself needs.
const OWN_HEADERS: [&str; 5] =
    ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// The reason and the remedy, for the user.
    pub text: String,
}

/// The settings of one file; what it does not state comes from the file below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layer {
    interval_ms: Option<u64>,
    timeout_ms: Option<u64>,
    failures_before_critical: Option<u32>,
    successes_before_ok: Option<u32>,
    restart_after: Option<u32>,
    start_ms: Option<u64>,
    checks: Option<Vec<Check>>,
}

/// A check whose time limit may come from another file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    name: String,
    timeout_ms: Option<u64>,
    target: Target,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    health: HealthKeys,
    check: Option<Vec<Spanned<CheckKeys>>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthKeys {
    interval_s: Option<Spanned<i64>>,
    timeout_s: Option<Spanned<i64>>,
    failures_before_critical: Option<Spanned<i64>>,
    successes_before_ok: Option<Spanned<i64>>,
    restart_after: Option<Spanned<i64>>,
    start_s: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckKeys {
    name: Spanned<String>,
    timeout_s: Option<Spanned<i64>>,
    http: Option<Spanned<String>>,
    method: Option<Spanned<String>>,
    expect_status: Option<Spanned<Value>>,
    expect_body: Option<Spanned<String>>,
    #[serde(default)]
    headers: BTreeMap<Spanned<String>, Spanned<String>>,
    follow_redirects: Option<Spanned<bool>>,
    ca_file: Option<Spanned<String>>,
    insecure_skip_verify: Option<Spanned<bool>>,
    tcp: Option<Spanned<String>>,
    send: Option<Spanned<String>>,
    expect: Option<Spanned<String>>,
}

/// A fault at a place in the text, before the line is known.
struct At {
    offset: usize,
    text: String,
}

fn at<T>(place: &Spanned<T>, text: impl Into<String>) -> At {
    At { offset: place.span().start, text: text.into() }
}

impl Layer {
    /// Reads a file.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let line_of = |offset: usize| {
            let before = text.as_bytes().iter().take(offset);
            before.filter(|byte| **byte == b'\n').count() + 1
        };
        if text.len() as u64 > MONITOR_SIZE_MAX_BYTES {
            let text = format!("the file has more than {MONITOR_SIZE_MAX_BYTES} bytes");
            return Err(Fault { line: 1, text });
        }
        let keys: Keys = toml::from_str(text).map_err(|error| Fault {
            line: line_of(error.span().map_or(0, |span| span.start)),
            text: crate::excerpt::one_line(error.message()),
        })?;
        keys.read().map_err(|At { offset, text }| Fault { line: line_of(offset), text })
    }

    /// These settings over those of another file. A list of checks replaces the whole other list.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            interval_ms: self.interval_ms.or(below.interval_ms),
            timeout_ms: self.timeout_ms.or(below.timeout_ms),
            failures_before_critical: self
                .failures_before_critical
                .or(below.failures_before_critical),
            successes_before_ok: self.successes_before_ok.or(below.successes_before_ok),
            restart_after: self.restart_after.or(below.restart_after),
            start_ms: self.start_ms.or(below.start_ms),
            checks: self.checks.or(below.checks),
        }
    }

    /// The settings with defaults for what no file states.
    #[must_use]
    pub fn monitor(self) -> Monitor {
        let default = Rule::default();
        let timeout_ms = self.timeout_ms.unwrap_or(TIMEOUT_DEFAULT_MS);
        let probe = |check: Check| {
            let Check { name, timeout_ms: own, target } = check;
            Arc::new(Probe { name, timeout_ms: own.unwrap_or(timeout_ms), target })
        };
        Monitor {
            interval_ms: self.interval_ms,
            hook_timeout_ms: self.timeout_ms,
            rule: Rule {
                failures_before_critical: self
                    .failures_before_critical
                    .unwrap_or(default.failures_before_critical),
                successes_before_ok: self
                    .successes_before_ok
                    .unwrap_or(default.successes_before_ok),
                restart_after: self.restart_after.unwrap_or(default.restart_after),
                start_ms: self.start_ms.unwrap_or(default.start_ms),
            },
            probes: self.checks.unwrap_or_default().into_iter().map(probe).collect(),
        }
    }
}

fn number(
    value: Option<&Spanned<i64>>,
    key: &str,
    range: RangeInclusive<u32>,
) -> Result<Option<u32>, At> {
    let Some(value) = value else { return Ok(None) };
    let number = u32::try_from(*value.get_ref()).ok().filter(|number| range.contains(number));
    let refused = || {
        let (first, last) = (range.start(), range.end());
        at(value, format!("{key} = {}; use a number from {first} to {last}", value.get_ref()))
    };
    number.map(Some).ok_or_else(refused)
}

fn ms(seconds: Option<u32>) -> Option<u64> {
    seconds.map(|seconds| u64::from(seconds) * 1_000)
}

impl Keys {
    fn read(self) -> Result<Layer, At> {
        let health = &self.health;
        let mut layer = Layer {
            interval_ms: ms(number(health.interval_s.as_ref(), "interval_s", 1..=86_400)?),
            timeout_ms: ms(number(health.timeout_s.as_ref(), "timeout_s", 1..=3_600)?),
            failures_before_critical: number(
                health.failures_before_critical.as_ref(),
                "failures_before_critical",
                1..=1_000,
            )?,
            successes_before_ok: number(
                health.successes_before_ok.as_ref(),
                "successes_before_ok",
                1..=1_000,
            )?,
            restart_after: number(health.restart_after.as_ref(), "restart_after", 0..=1_000)?,
            start_ms: ms(number(health.start_s.as_ref(), "start_s", 0..=86_400)?),
            checks: None,
        };
        let Some(given) = self.check else { return Ok(layer) };
        let mut checks: Vec<Check> = Vec::new();
        for keys in given {
            let place = keys.span().start;
            if checks.len() == CHECKS_MAX {
                let text = format!("there are more than {CHECKS_MAX} checks; leave some out");
                return Err(At { offset: place, text });
            }
            let check = keys.into_inner().read(place, &checks)?;
            checks.push(check);
        }
        layer.checks = Some(checks);
        Ok(layer)
    }
}

impl CheckKeys {
    fn read(self, place: usize, others: &[Check]) -> Result<Check, At> {
        let name = self.name.get_ref().clone();
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 32 || !name.chars().all(is_fine) {
            let text = "a name has 1 to 32 letters, digits, '-', '_' or '.'; choose another";
            return Err(at(&self.name, text));
        }
        if name == HOOK_CHECK {
            return Err(at(&self.name, format!("{HOOK_CHECK} is the hook; choose another name")));
        }
        if others.iter().any(|other| other.name == name) {
            let text = format!("there are two checks named {name}; rename one");
            return Err(at(&self.name, text));
        }
        let timeout_ms = ms(number(self.timeout_s.as_ref(), "timeout_s", 1..=3_600)?);
        let target = match (&self.http, &self.tcp) {
            (Some(url), None) => self.http(url)?,
            (None, Some(address)) => self.tcp(address)?,
            _ => {
                let text = format!("check {name} needs either 'http' or 'tcp'");
                return Err(At { offset: place, text });
            }
        };
        Ok(Check { name, timeout_ms, target })
    }

    fn http(&self, url: &Spanned<String>) -> Result<Target, At> {
        for (key, given) in [("send", &self.send), ("expect", &self.expect)] {
            if let Some(given) = given {
                let text = format!("'{key}' belongs to a check with 'tcp'; remove it");
                return Err(at(given, text));
            }
        }
        let head = match &self.method {
            None => false,
            Some(method) => match method.get_ref().as_str() {
                "GET" => false,
                "HEAD" => true,
                _ => return Err(at(method, "method must be \"GET\" or \"HEAD\"")),
            },
        };
        if let (true, Some(body)) = (head, &self.expect_body) {
            return Err(at(body, "an answer to HEAD has no body; use method = \"GET\""));
        }
        let url = Url::parse(url.get_ref()).map_err(|error| at(url, error))?;
        Ok(Target::Http(HttpTarget {
            trust: self.trust(url.scheme)?,
            url,
            head,
            headers: self.headers()?,
            expect_status: match &self.expect_status {
                None => vec![Codes { first: 200, last: 399 }],
                Some(given) => codes(given)?,
            },
            expect_body: short(self.expect_body.as_ref(), "expect_body")?,
            follow_redirects: self.follow_redirects.as_ref().is_some_and(|it| *it.get_ref()),
        }))
    }

    fn trust(&self, scheme: Scheme) -> Result<Trust, At> {
        let given = [
            ("ca_file", self.ca_file.as_ref().map(Spanned::span)),
            ("insecure_skip_verify", self.insecure_skip_verify.as_ref().map(Spanned::span)),
        ];
        if let (Scheme::Http, Some((key, span))) =
            (scheme, given.into_iter().find_map(|(key, span)| Some((key, span?))))
        {
            let text = format!("'{key}' belongs to an https:// URL; remove it");
            return Err(At { offset: span.start, text });
        }
        let is_anyone = self.insecure_skip_verify.as_ref().is_some_and(|it| *it.get_ref());
        let Some(file) = &self.ca_file else {
            return Ok(if is_anyone { Trust::Anyone } else { Trust::System });
        };
        let path = Path::new(file.get_ref());
        if is_anyone {
            return Err(at(file, "'insecure_skip_verify' ignores 'ca_file'; remove one of them"));
        }
        if !path.is_absolute() || file.get_ref().len() > TEXT_MAX || file.get_ref().contains('\0') {
            let text = format!("ca_file is an absolute path of up to {TEXT_MAX} bytes");
            return Err(at(file, text));
        }
        Ok(Trust::File(path.into()))
    }

    fn headers(&self) -> Result<Vec<Header>, At> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            if headers.len() == HEADERS_MAX {
                return Err(at(name, format!("there are more than {HEADERS_MAX} headers")));
            }
            let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.!#$%&'*+^`|~".contains(c);
            let own = OWN_HEADERS.contains(&name.get_ref().to_ascii_lowercase().as_str());
            let is_name = !name.get_ref().is_empty() && name.get_ref().chars().all(is_token);
            if own || !is_name || name.get_ref().len() > TEXT_MAX {
                return Err(at(name, "a request cannot have a header with this name; remove it"));
            }
            let is_value = |c: char| c == '\t' || (' '..='~').contains(&c);
            if !value.get_ref().chars().all(is_value) || value.get_ref().len() > TEXT_MAX {
                let text = format!("a header has up to {TEXT_MAX} printable ASCII characters");
                return Err(at(value, text));
            }
            let (name, value) = (name.get_ref().clone(), value.get_ref().clone());
            headers.push(Header { name, value });
        }
        Ok(headers)
    }

    fn tcp(&self, address: &Spanned<String>) -> Result<Target, At> {
        let foreign = [
            ("method", self.method.as_ref().map(Spanned::span)),
            ("expect_status", self.expect_status.as_ref().map(Spanned::span)),
            ("expect_body", self.expect_body.as_ref().map(Spanned::span)),
            ("headers", self.headers.keys().next().map(Spanned::span)),
            ("follow_redirects", self.follow_redirects.as_ref().map(Spanned::span)),
            ("ca_file", self.ca_file.as_ref().map(Spanned::span)),
            ("insecure_skip_verify", self.insecure_skip_verify.as_ref().map(Spanned::span)),
        ];
        for (key, span) in foreign {
            if let Some(span) = span {
                let text = format!("'{key}' belongs to a check with 'http'; remove it");
                return Err(At { offset: span.start, text });
            }
        }
        Ok(Target::Tcp(TcpTarget {
            address: Address::parse(address.get_ref(), None).map_err(|error| at(address, error))?,
            send: short(self.send.as_ref(), "send")?,
            expect: short(self.expect.as_ref(), "expect")?,
        }))
    }
}

fn short(text: Option<&Spanned<String>>, key: &str) -> Result<Option<String>, At> {
    let Some(text) = text else { return Ok(None) };
    if text.get_ref().is_empty() || text.get_ref().len() > TEXT_MAX {
        return Err(at(text, format!("{key} has 1 to {TEXT_MAX} bytes")));
    }
    Ok(Some(text.get_ref().clone()))
}

/// `204`, `"200-299"`, or a list of these.
fn codes(given: &Spanned<Value>) -> Result<Vec<Codes>, At> {
    let refused =
        || at(given, "expect_status is a code such as 204, a range such as \"200-299\", or a list");
    let one = |value: &Value| {
        let (first, last) = match value {
            Value::Integer(code) => (u16::try_from(*code).ok()?, u16::try_from(*code).ok()?),
            Value::String(text) => {
                let (first, last) = text.split_once('-')?;
                (first.trim().parse().ok()?, last.trim().parse().ok()?)
            }
            _ => return None,
        };
        (100 <= first && first <= last && last <= 599).then_some(Codes { first, last })
    };
    let codes: Option<Vec<Codes>> = match given.get_ref() {
        Value::Array(values) => values.iter().map(one).collect(),
        value => one(value).map(|codes| vec![codes]),
    };
    codes.filter(|codes| (1..=16).contains(&codes.len())).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: &str = r#"[health]
interval_s = 10
timeout_s = 3
failures_before_critical = 3
successes_before_ok = 2
restart_after = 5
start_s = 60

[[check]]
name = "http"
http = "http://127.0.0.1:80/healthz"
method = "GET"
expect_status = [204, "300-303"]
expect_body = "fine"
follow_redirects = true
headers = { Authorization = "Bearer x" }

[[check]]
name = "port"
timeout_s = 1
tcp = "127.0.0.1:6379"
send = "PING\r\n"
expect = "+PONG"
"#;

    #[test]
    fn every_key_has_its_place() {
        let monitor = Layer::parse(FULL).expect("fine").monitor();
        assert_eq!((monitor.interval_ms, monitor.hook_timeout_ms), (Some(10_000), Some(3_000)));
        let rule = Rule {
            failures_before_critical: 3,
            successes_before_ok: 2,
            restart_after: 5,
            start_ms: 60_000,
        };
        assert_eq!(monitor.rule, rule);
        let [http, port] = &monitor.probes[..] else { panic!("{monitor:?}") };
        assert_eq!((http.timeout_ms, port.timeout_ms), (3_000, 1_000));
        let Target::Http(target) = &http.target else { panic!("{http:?}") };
        assert!(target.follow_redirects && !target.head);
        assert!(target.expect_status.iter().any(|codes| codes.contains(301)));
        assert!(!target.expect_status.iter().any(|codes| codes.contains(200)));
        assert_eq!(target.headers.len(), 1);
        let Target::Tcp(target) = &port.target else { panic!("{port:?}") };
        assert_eq!(target.expect.as_deref(), Some("+PONG"));
        assert_eq!(Layer::parse("").expect("fine").monitor(), Monitor::default());
    }

    #[test]
    fn an_https_check_states_whom_it_trusts() {
        let trust = |keys: &str| {
            let text = format!("[[check]]\nname = \"a\"\nhttp = \"https://x/\"\n{keys}");
            let monitor = Layer::parse(&text).expect("fine").monitor();
            let Target::Http(target) = &monitor.probes[0].target else { panic!("{monitor:?}") };
            target.trust.clone()
        };
        assert_eq!(trust(""), Trust::System);
        assert_eq!(trust("insecure_skip_verify = false\n"), Trust::System);
        assert_eq!(trust("insecure_skip_verify = true\n"), Trust::Anyone);
        assert_eq!(trust("ca_file = \"/etc/ca.pem\"\n"), Trust::File("/etc/ca.pem".into()));
    }

    #[test]
    fn a_file_lies_over_another_key_by_key_and_with_its_checks_as_a_whole() {
        let below = Layer::parse(FULL).expect("fine");
        let user = Layer::parse("[health]\nrestart_after = 0\n").expect("fine");
        let both = user.over(below.clone()).monitor();
        assert_eq!((both.rule.restart_after, both.probes.len()), (0, 2));
        let user = Layer::parse("check = []\n").expect("fine").over(below).monitor();
        assert_eq!((user.rule.restart_after, user.probes.len()), (5, 0));
    }

    #[test]
    fn errors_have_a_line_and_a_remedy() {
        let check = |rest: &str| format!("[[check]]\nname = \"a\"\n{rest}");
        let http = |rest: &str| check(&format!("http = \"http://x/\"\n{rest}"));
        let https = |rest: &str| check(&format!("http = \"https://x/\"\n{rest}"));
        let tcp = |rest: &str| check(&format!("tcp = \"x:1\"\n{rest}"));
        for (text, line, part) in [
            ("[health]\n\ninterval_s = 0\n".into(), 3, "use a number from 1 to 86400"),
            ("[health]\ninterval_s = 1.5\n".into(), 2, "expected"),
            ("[health]\ntimeout_s = -1\n".into(), 2, "use a number from 1"),
            ("[health]\nfailures_before_critical = 0\n".into(), 2, "from 1 to 1000"),
            ("[health]\nrestart_after = 99999999999\n".into(), 2, "from 0 to 1000"),
            ("[health]\nintervals = 1\n".into(), 2, "unknown field"),
            ("\n[helth]\n".into(), 2, "unknown field"),
            ("a = = 1".into(), 1, ""),
            ("[health]\nrestart_after = 1\nrestart_after = 1\n".into(), 3, "duplicate"),
            ("[[check]]\n".into(), 1, "missing field `name`"),
            (check(""), 1, "needs either 'http' or 'tcp'"),
            (http("tcp = \"x:1\"\n"), 1, "needs either"),
            (check("http = \"ftp://x\"\n"), 3, "use http://"),
            (check("tcp = \"x\"\n"), 3, "use HOST:PORT"),
            (http("method = \"POST\"\n"), 4, "\"GET\" or \"HEAD\""),
            (http("method = \"HEAD\"\nexpect_body = \"x\"\n"), 5, "has no body"),
            (http("expect_status = 1000\n"), 4, "a code such as 204"),
            (http("expect_status = []\n"), 4, "a code such as 204"),
            (http("expect_status = \"299-200\"\n"), 4, "a code such as 204"),
            (http("expect_body = \"\"\n"), 4, "1 to 1024 bytes"),
            (http("headers = { \"Host\" = \"x\" }\n"), 4, "cannot have a header"),
            (http("headers = { \"a b\" = \"x\" }\n"), 4, "cannot have a header"),
            (http("headers = { a = \"x\\r\\ny: z\" }\n"), 4, "printable ASCII"),
            (http("expect = \"x\"\n"), 4, "belongs to a check with 'tcp'"),
            (tcp("expect_status = 200\n"), 4, "belongs to a check with 'http'"),
            (tcp("ca_file = \"/x\"\n"), 4, "belongs to a check with 'http'"),
            (http("ca_file = \"/x\"\n"), 4, "'ca_file' belongs to an https:// URL; remove it"),
            (http("insecure_skip_verify = true\n"), 4, "belongs to an https:// URL; remove it"),
            (https("ca_file = \"x.pem\"\n"), 4, "an absolute path"),
            (https("insecure_skip_verify = 1\n"), 4, "expected a boolean"),
            (https("ca_file = \"/x\"\ninsecure_skip_verify = true\n"), 4, "remove one of them"),
            (tcp("timeout_s = 0\n"), 4, "use a number from 1"),
            (tcp("[[check]]\nname = \"a\"\ntcp = \"x:1\"\n"), 5, "rename one"),
            ("[[check]]\nname = \"health-check\"\ntcp = \"x:1\"\n".into(), 2, "is the hook"),
            ("[[check]]\nname = \"../x\"\ntcp = \"x:1\"\n".into(), 2, "1 to 32 letters"),
        ] {
            let fault = Layer::parse(&text).expect_err(&text);
            assert_eq!(fault.line, line, "{text}: {fault:?}");
            assert!(fault.text.contains(part), "{text}: {fault:?}");
        }
        let many: String =
            (0..17).map(|n| format!("[[check]]\nname = \"c{n}\"\ntcp = \"x:1\"\n")).collect();
        assert!(Layer::parse(&many).is_err_and(|fault| fault.line == 49));
        let long = "#".repeat(1 << 20);
        assert!(Layer::parse(&long).is_err_and(|fault| fault.text.contains("more than 65536")));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(at in 0..FULL.len(), text in "\\PC{0,20}") {
            let cut = FULL.char_indices().map(|(place, _)| place).rfind(|place| *place <= at);
            let (before, after) = FULL.split_at(cut.unwrap_or(0));
            let _ = Layer::parse(&format!("{before}{text}{after}"));
        }
    }
}
