//! Refusals of the v1 API, as problem documents (RFC 9457). The codes are stable.

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use roost_access::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{self, Answer, Payload, Persistence},
    json::to_json,
};

/// Why a request of the v1 API is refused (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The HTTP status.
    status: u16,
    /// For programs; the words are stable.
    code: Code,
    /// For people.
    #[schema(examples("Not found"))]
    title: &'static str,
    /// For people, more.
    #[schema(examples("There is no such service or path."))]
    detail: String,
    /// What to do.
    #[schema(examples("'hab svc status' lists the loaded services with their groups."))]
    hint: String,
    /// The scope that the client lacks.
    #[serde(skip)]
    #[schema(ignore)]
    lacks: Option<Scope>,
}

/// Why, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
#[expect(missing_docs, reason = "`Code::text` holds what each means")]
pub enum Code {
    Unauthorized,
    Forbidden,
    MethodNotAllowed,
    Starting,
    BadName,
    BadParameter,
    BadCursor,
    NotFound,
    TooManyRequests,
    NoAnswer,
    Unavailable,
}

/// The fixed texts of a code.
struct Text {
    status: StatusCode,
    title: &'static str,
    detail: &'static str,
    hint: &'static str,
}

impl Code {
    const fn text(self) -> Text {
        let (status, title, detail, hint) = match self {
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "Token missing or wrong",
                "This Supervisor answers only to requests with a token that it knows.",
                "Send the header 'authorization: Bearer TOKEN'.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "Scope missing",
                "The token or certificate of the request does not allow this.",
                "Use a token with the scope that is missing.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "Nothing on this port changes anything.",
                "Use GET or HEAD.",
            ),
            Self::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not fully started",
                "The Supervisor has not read all services yet.",
                "Ask again in a second.",
            ),
            Self::BadName => (
                StatusCode::BAD_REQUEST,
                "No service group",
                "The name in the path can be no service group.",
                "A service group is NAME.GROUP or NAME.GROUP@ORGANIZATION.",
            ),
            Self::BadParameter => (
                StatusCode::BAD_REQUEST,
                "Parameter not valid",
                "A parameter of the query is not valid.",
                "'/v1/openapi.json' lists the parameters of each resource.",
            ),
            Self::BadCursor => (
                StatusCode::BAD_REQUEST,
                "Cursor not valid",
                "The cursor does not come from this list of this Supervisor.",
                "Ask for the first page, without a cursor.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is no such service or path.",
                "'hab svc status' lists the loaded services with their groups.",
            ),
            Self::TooManyRequests => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests at once",
                "As many requests as the Supervisor allows are in progress.",
                "Ask again after the seconds in 'retry-after'.",
            ),
            Self::NoAnswer => (
                StatusCode::SERVICE_UNAVAILABLE,
                "No answer in time",
                "The Supervisor did not make the answer in time.",
                "Ask again; if it stays so, look at '/livez?verbose' and the log.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not available",
                "What the answer is made from is not available.",
                "Look at '/readyz?verbose' and the log of the Supervisor.",
            ),
        };
        Text { status, title, detail, hint }
    }
}

impl From<Code> for Problem {
    /// The problem with the fixed texts of its code.
    fn from(code: Code) -> Self {
        let text = code.text();
        Self {
            status: text.status.as_u16(),
            code,
            title: text.title,
            detail: text.detail.into(),
            hint: text.hint.into(),
            lacks: None,
        }
    }
}

impl Problem {
    /// A problem with a detail of its own. Foreign text in it passes `roost_text::shown` first.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..code.into() }
    }

    /// The same with another hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same for a client that lacks this scope.
    pub(crate) fn lacking(self, scope: Scope) -> Self {
        Self { lacks: Some(scope), ..self }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.code.text().status
    }

    /// The answer with this document.
    pub(crate) fn answer(&self, persistence: Persistence) -> Answer {
        let body = Bytes::from(to_json(self));
        let status = self.status();
        let mut answer = answer::start(status, HeaderValue::from(body.len()), persistence);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let extra = match status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET, HEAD")),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Some((RETRY_AFTER, "1"))
            }
            _ => None,
        };
        if let Some(scope) = self.lacks {
            // RFC 6750 section 3.1: for programs.
            let challenge = match scope {
                Scope::Probe => "Bearer error=\"insufficient_scope\", scope=\"probe\"",
                Scope::Read => "Bearer error=\"insufficient_scope\", scope=\"read\"",
                Scope::Logs => "Bearer error=\"insufficient_scope\", scope=\"logs\"",
                Scope::Secrets => "Bearer error=\"insufficient_scope\", scope=\"secrets\"",
                Scope::Ring => "Bearer error=\"insufficient_scope\", scope=\"ring\"",
            };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some((name, value)) = extra {
            headers.insert(name, HeaderValue::from_static(value));
        }
        *answer.body_mut() = Payload::new(body);
        answer
    }
}
