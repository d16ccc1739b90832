//! Files of the dashboard. Their paths change with their content, so that caches keep them for
//! good. They hold nothing of this Supervisor, and browsers load them without a token.

use std::{collections::HashMap, sync::LazyLock};

use http::{
    HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
    request::Parts,
};

use crate::{
    answer::{self, Answer, Persistence},
    rendered::Rendered,
    version,
};

struct File {
    content_type: &'static str,
    body: Rendered,
}

static FILES: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    let files = roost_dashboard::assets().map(|asset| {
        let body = Rendered::versioned(asset.bytes);
        (format!("/{}", asset.path), File { content_type: asset.content_type, body })
    });
    files.collect()
});

/// The answer to a request for such a file; nothing for other requests.
pub(crate) fn answer(parts: &Parts, persistence: Persistence) -> Option<Answer> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let File { content_type, body } = FILES.get(parts.uri.path())?;
    let tag = body.version.as_ref().map(|version| version.tag(&body.bytes));
    let known = tag.filter(|tag| version::is_known(&parts.headers, tag));
    let takes_gzip = version::takes_gzip(&parts.headers);
    let vary = "accept-encoding";
    let mut answer = match known {
        Some(tag) => answer::not_modified(tag, vary, persistence),
        None => answer::versioned(
            StatusCode::OK,
            content_type,
            body.clone(),
            vary,
            takes_gzip,
            persistence,
        ),
    };
    let headers = answer.headers_mut();
    let immutable = "public, max-age=31536000, immutable";
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(immutable));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(answer)
}
