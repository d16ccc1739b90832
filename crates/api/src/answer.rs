//! Responses, header by header in the order that Habitat sends them: `content-length`,
//! `connection` if needed, then the rest; hyper adds `date` at the end.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY},
};
use http_body_util::Full;

use crate::document::Rendered;

pub(crate) type Answer = Response<Full<Bytes>>;

/// What the answer says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Nothing: as the protocol has it.
    Silent,
    /// `close`
    Close,
    /// `keep-alive`, for HTTP/1.0 clients that ask for it.
    KeepAlive,
}

const ZERO: HeaderValue = HeaderValue::from_static("0");

/// An answer with a document.
pub(crate) fn document(
    status: StatusCode,
    content_type: &'static str,
    body: &Rendered,
    vary: bool,
    persistence: Persistence,
) -> Answer {
    let mut answer = start(status, body.length.clone(), persistence);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if vary {
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
    *answer.body_mut() = Full::new(body.bytes.clone());
    answer
}

/// An answer without body and without content type.
pub(crate) fn empty(status: StatusCode, persistence: Persistence) -> Answer {
    let mut answer = start(status, ZERO, persistence);
    let extra: Option<(HeaderName, &'static str)> = match status {
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET")),
        StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "1")),
        _ => None,
    };
    if let Some((name, value)) = extra {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn start(status: StatusCode, length: HeaderValue, persistence: Persistence) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.reserve(5);
    headers.insert(CONTENT_LENGTH, length);
    let connection = match persistence {
        Persistence::Silent => None,
        Persistence::Close => Some("close"),
        Persistence::KeepAlive => Some("keep-alive"),
    };
    if let Some(connection) = connection {
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
    }
    answer
}
