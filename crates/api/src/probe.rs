//! `/livez`, `/readyz`, `/startupz`: which checks each looks at, and the two forms of its answer.

use http::StatusCode;

use crate::{
    accept::Media,
    documents::{
        probe::{Check, CheckName, ProbeReport},
        supervisor::ConditionStatus,
    },
    live::{Ask, Live, Pending, Reply},
    query::{Kind, Parameter, Query},
};

/// Restarting the Supervisor helps against these alone.
pub(crate) const LIVE: &[CheckName] = &[CheckName::EventLoop];

/// What has to be so once.
pub(crate) const STARTED: &[CheckName] =
    &[CheckName::Launcher, CheckName::Gossip, CheckName::Control, CheckName::Specs];

pub(crate) const READY: &[CheckName] = &[
    CheckName::EventLoop,
    CheckName::Launcher,
    CheckName::Gossip,
    CheckName::Control,
    CheckName::Specs,
    CheckName::RingJoined,
    CheckName::Journal,
    CheckName::Disk,
];

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter { name: "verbose", kind: Kind::Flag, meaning: "As text, one line for each check." },
    Parameter {
        name: "exclude",
        kind: Kind::Words(&[
            "event_loop",
            "launcher",
            "gossip",
            "control",
            "specs",
            "ring_joined",
            "journal",
            "disk",
        ]),
        meaning: "Leave these checks out.",
    },
];

/// The answer of a probe that looks at these checks.
pub(crate) fn answer(wanted: &'static [CheckName], live: &dyn Live, ask: Ask) -> Pending<Reply> {
    let (query, media) = (ask.query.clone(), ask.media);
    let checks = live.checks(ask);
    Box::pin(async move { Ok(reply(wanted, checks.await?, &query, media)) })
}

fn reply(wanted: &[CheckName], checks: Vec<Check>, query: &Query, media: Media) -> Reply {
    let excluded = query.words("exclude").unwrap_or_default();
    let is_wanted =
        |check: &Check| wanted.contains(&check.name) && !excluded.contains(&check.name.as_str());
    let checks: Vec<Check> = checks.into_iter().filter(is_wanted).collect();
    let has = |status| checks.iter().any(|check| check.status == status);
    let status = [ConditionStatus::Fail, ConditionStatus::Warn].into_iter().find(|it| has(*it));
    let report = ProbeReport { status: status.unwrap_or(ConditionStatus::Ok), checks };
    let code = match report.status {
        ConditionStatus::Fail => StatusCode::SERVICE_UNAVAILABLE,
        ConditionStatus::Ok | ConditionStatus::Warn => StatusCode::OK,
    };
    let reply = match media {
        Media::Json => Reply::json(&report),
        _ => Reply::whole(text(&report, query.flag("verbose"))),
    };
    reply.with_status(code)
}

/// One word; with what failed, or with everything, a line for each check.
fn text(report: &ProbeReport, verbose: bool) -> String {
    let mut out = format!("{}\n", word(report.status));
    let shown = |check: &&Check| verbose || check.status == ConditionStatus::Fail;
    for check in report.checks.iter().filter(shown) {
        let (name, status) = (check.name.as_str(), word(check.status));
        out.push_str(&format!("{name} {status} since {}: {}\n", check.since, check.detail));
    }
    out
}

const fn word(status: ConditionStatus) -> &'static str {
    match status {
        ConditionStatus::Ok => "ok",
        ConditionStatus::Warn => "warn",
        ConditionStatus::Fail => "fail",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_exclude_are_those_of_the_checks() {
        let Kind::Words(words) = PARAMETERS[1].kind else { panic!("not words") };
        let names: Vec<_> = READY.iter().map(|name| name.as_str()).collect();
        assert_eq!(words, names);
        for name in READY {
            let json = serde_json::to_value(name).expect("a word");
            assert_eq!(json, name.as_str());
        }
    }

    #[test]
    fn the_worst_check_decides_unless_it_is_excluded() {
        let check = |name, status| Check {
            name,
            status,
            since: "2026-11-22T15:51:38.999Z".into(),
            detail: "why".into(),
        };
        let checks = vec![
            check(CheckName::EventLoop, ConditionStatus::Ok),
            check(CheckName::Disk, ConditionStatus::Warn),
            check(CheckName::Specs, ConditionStatus::Fail),
        ];
        let status = |wanted, query: &str| {
            let query = Query::parse(Some(query), [PARAMETERS, &[]], 0).expect("valid");
            reply(wanted, checks.clone(), &query, Media::Text).status.as_u16()
        };
        assert_eq!(status(READY, ""), 503);
        assert_eq!(status(STARTED, ""), 503);
        assert_eq!(status(READY, "exclude=specs"), 200);
        assert_eq!(status(READY, "exclude=disk,event_loop"), 503);
        assert_eq!(status(LIVE, ""), 200);
    }
}
