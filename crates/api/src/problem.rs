//! Refusals of the v1 API, as problem documents (RFC 9457). The codes are stable.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{
    answer::{self, Answer, Payload, Persistence},
    document::to_json,
};

/// What a refusal says.
#[derive(Debug, Serialize)]
struct Problem {
    status: u16,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
    hint: &'static str,
}

/// The refusal of a request below `/v1/`.
pub(crate) fn answer(status: StatusCode, persistence: Persistence) -> Answer {
    let (code, title, detail, hint) = match status {
        StatusCode::UNAUTHORIZED => (
            "unauthorized",
            "Token missing or wrong",
            "This Supervisor answers only to requests with its token.",
            "Send the header 'authorization: Bearer TOKEN'.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method_not_allowed",
            "Method not allowed",
            "Nothing on this port changes anything.",
            "Use GET or HEAD.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            "starting",
            "Not fully started",
            "The Supervisor has not read all services yet.",
            "Ask again in a second.",
        ),
        StatusCode::BAD_REQUEST => (
            "bad_name",
            "No service group",
            "The name in the path can be no service group.",
            "A service group is NAME.GROUP or NAME.GROUP@ORGANIZATION.",
        ),
        _ => (
            "not_found",
            "Not found",
            "There is no such service or path.",
            "'hab svc status' lists the loaded services with their groups.",
        ),
    };
    let problem = Problem { status: status.as_u16(), code, title, detail, hint };
    let body = Bytes::from(to_json(&problem));
    let mut answer = answer::start(status, HeaderValue::from(body.len()), persistence);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    *answer.body_mut() = Payload::new(body);
    answer
}
