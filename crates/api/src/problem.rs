//! Refusals of the v1 API, as problem documents (RFC 9457). The codes are stable.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{self, Answer, Payload, Persistence},
    document::to_json,
};

/// Why a request of the v1 API is refused (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Problem {
    /// The HTTP status.
    status: u16,
    /// For programs; the words are stable.
    code: Code,
    /// For people.
    #[schema(examples("Not found"))]
    title: &'static str,
    /// For people, more.
    #[schema(examples("There is no such service or path."))]
    detail: &'static str,
    /// What to do.
    #[schema(examples("'hab svc status' lists the loaded services with their groups."))]
    hint: &'static str,
}

/// Why, for programs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
enum Code {
    Unauthorized,
    MethodNotAllowed,
    Starting,
    BadName,
    NotFound,
}

/// The refusal of a request below `/v1/`.
pub(crate) fn answer(status: StatusCode, persistence: Persistence) -> Answer {
    let (code, title, detail, hint) = match status {
        StatusCode::UNAUTHORIZED => (
            Code::Unauthorized,
            "Token missing or wrong",
            "This Supervisor answers only to requests with its token.",
            "Send the header 'authorization: Bearer TOKEN'.",
        ),
        StatusCode::METHOD_NOT_ALLOWED => (
            Code::MethodNotAllowed,
            "Method not allowed",
            "Nothing on this port changes anything.",
            "Use GET or HEAD.",
        ),
        StatusCode::SERVICE_UNAVAILABLE => (
            Code::Starting,
            "Not fully started",
            "The Supervisor has not read all services yet.",
            "Ask again in a second.",
        ),
        StatusCode::BAD_REQUEST => (
            Code::BadName,
            "No service group",
            "The name in the path can be no service group.",
            "A service group is NAME.GROUP or NAME.GROUP@ORGANIZATION.",
        ),
        _ => (
            Code::NotFound,
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
