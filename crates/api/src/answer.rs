//! Responses, header by header in the order that Habitat sends them: `content-length`,
//! `connection` if needed, then the rest; hyper adds `date` at the end.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, RETRY_AFTER, VARY,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use hyper::body::{Body, Frame, SizeHint};

use crate::{accept::Media, rendered::Rendered, streaming::Streaming, version};

pub(crate) type Answer = Response<Payload>;

/// The body of an answer: known bytes, or those of a stream.
#[derive(Debug)]
pub(crate) enum Payload {
    Whole(Whole),
    Stream(Box<Streaming>),
}

/// A body of known bytes. Unlike the ready-made ones it is not at its end before it was asked,
/// even if it is empty: for a body that is, hyper moves `content-length` behind other headers.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    bytes: Bytes,
    taken: bool,
}

impl Default for Payload {
    fn default() -> Self {
        Self::Whole(Whole::default())
    }
}

impl Payload {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self::Whole(Whole { bytes, taken: false })
    }

    /// Replaces the bytes by others with the same content.
    pub(crate) fn exchange(&mut self, exchange: impl FnOnce(Bytes) -> Bytes) {
        if let Self::Whole(whole) = self {
            whole.bytes = exchange(std::mem::take(&mut whole.bytes));
        }
    }

    /// Leaves the bytes away, for HEAD.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(whole) => {
                whole.taken = true;
                let bytes = std::mem::take(&mut whole.bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => {
                stream.poll_next(context).map(|bytes| bytes.map(Frame::data).map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.taken,
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => SizeHint::with_exact(whole.bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// The `connection` header of the answer.
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
    body: Rendered,
    vary: bool,
    persistence: Persistence,
) -> Answer {
    let mut answer = start(status, body.length, persistence);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if vary {
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
    // No page leaves without the policy.
    if content_type == Media::Html.content_type()
        && let Ok(policy) = HeaderValue::from_str(&roost_dashboard::POLICY)
    {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    *answer.body_mut() = Payload::new(body.bytes);
    answer
}

/// An answer with a document of the v1 API, in the form that the client takes.
pub(crate) fn versioned(
    status: StatusCode,
    content_type: &'static str,
    body: Rendered,
    vary: &'static str,
    takes_gzip: bool,
    persistence: Persistence,
) -> Answer {
    let version = body.version.clone().unwrap_or_default();
    let tag = version.tag(&body.bytes);
    let compressed = version.compressed(&body.bytes).filter(|_| takes_gzip).cloned();
    let etag = version::etag(tag, compressed.is_some());
    let is_compressed = compressed.is_some();
    let body = compressed.map_or(body, Rendered::new);
    let mut answer = document(status, content_type, body, false, persistence);
    let headers = answer.headers_mut();
    headers.insert(ETAG, etag);
    about_versions(headers, vary);
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// The answer to a client that has this version already.
pub(crate) fn not_modified(tag: &str, vary: &'static str, persistence: Persistence) -> Answer {
    let mut answer = start(StatusCode::NOT_MODIFIED, ZERO, persistence);
    let headers = answer.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(ETAG, version::etag(tag, false));
    about_versions(headers, vary);
    answer
}

/// Caches ask whether the version that they have is the present one.
fn about_versions(headers: &mut HeaderMap, vary: &'static str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static(vary));
}

/// An answer without a known end.
pub(crate) fn stream(
    status: StatusCode,
    content_type: &'static str,
    vary: bool,
    streaming: Streaming,
    persistence: Persistence,
) -> Answer {
    let mut answer = start(status, ZERO, persistence);
    let headers = answer.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // A stream that a cache or a proxy collects is not a stream.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if vary {
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
    *answer.body_mut() = Payload::Stream(Box::new(streaming));
    answer
}

/// The page that asks for the token.
pub(crate) fn ask_token(page: Rendered, persistence: Persistence) -> Answer {
    let mut answer = document(StatusCode::UNAUTHORIZED, "text/html", page, false, persistence);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// An answer without body and without content type.
pub(crate) fn empty(status: StatusCode, persistence: Persistence) -> Answer {
    let mut answer = start(status, ZERO, persistence);
    let extra: Option<(HeaderName, &'static str)> = match status {
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, "GET")),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Some((RETRY_AFTER, "1")),
        _ => None,
    };
    if let Some((name, value)) = extra {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

pub(crate) fn start(status: StatusCode, length: HeaderValue, persistence: Persistence) -> Answer {
    let mut answer = Response::new(Payload::default());
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
