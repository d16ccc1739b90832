//! Checks by an HTTP request.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use roost_service::{
    excerpt::one_line,
    monitor::{HttpTarget, Scheme, Trust, Url},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::{
    ANSWER_BYTES_MAX,
    connect::{Lookups, connect},
    contains, first_line, tls,
};

const HEADERS_MAX: usize = 100;
const REDIRECTS_MAX: usize = 5;
/// Longest wait for the body of an answer that is only shown.
const SHOWN_BODY_PATIENCE: Duration = Duration::from_millis(500);

/// What came back.
struct Answer {
    code: u16,
    location: Option<String>,
    body: Vec<u8>,
}

/// Requests and compares as asked; returns what is OK or not.
pub(super) async fn check(target: &HttpTarget, lookups: &Lookups) -> Result<String, String> {
    let mut url = target.url.clone();
    for _ in 0..=REDIRECTS_MAX {
        let answer = request(target, &url, lookups).await?;
        let location = answer.location.as_ref().filter(|_| target.follow_redirects);
        let Some(location) = location else { return judge(target, &url, &answer) };
        url = url.redirected(location).ok_or_else(|| {
            let (code, location) = (answer.code, one_line(location));
            format!("{code} from {url}: redirects to another server, {location}")
        })?;
    }
    Err(format!("more than {REDIRECTS_MAX} redirects from {}", target.url))
}

fn judge(target: &HttpTarget, url: &Url, answer: &Answer) -> Result<String, String> {
    let code = answer.code;
    let url = shown_url(target, url);
    let shown = || first_line(&answer.body).map_or(String::new(), |line| format!(": {line}"));
    if !is_expected(target, code) {
        return Err(format!("{code} from {url}{}", shown()));
    }
    match &target.expect_body {
        Some(text) if !contains(&answer.body, text) => {
            Err(format!("{code} from {url}, without the expected text{}", shown()))
        }
        _ => Ok(format!("{code} from {url}")),
    }
}

/// The URL, and whether anyone could have answered.
fn shown_url(target: &HttpTarget, url: &Url) -> String {
    match target.trust {
        Trust::Anyone => format!("{url} (certificate not verified)"),
        Trust::System | Trust::File(_) => url.to_string(),
    }
}

fn is_expected(target: &HttpTarget, code: u16) -> bool {
    target.expect_status.iter().any(|codes| codes.contains(code))
}

async fn request(target: &HttpTarget, url: &Url, lookups: &Lookups) -> Result<Answer, String> {
    let stream = connect(&url.address, lookups).await?;
    match url.scheme {
        Scheme::Http => exchange(target, url, stream).await,
        Scheme::Https => {
            let encrypted = tls::handshake(&url.address, &target.trust, stream).await;
            let failed = |error| one_line(&format!("no answer from {url}: {error}"));
            exchange(target, url, encrypted.map_err(failed)?).await
        }
    }
}

async fn exchange(
    target: &HttpTarget,
    url: &Url,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Answer, String> {
    let failed = |error: &dyn std::error::Error| {
        let source = error.source().map_or(String::new(), |source| format!(": {source}"));
        one_line(&format!("no answer from {url}: {error}{source}"))
    };
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_BYTES_MAX).max_headers(HEADERS_MAX);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let request = to_send(target, url).map_err(|error| failed(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        read(target, response).await.map_err(|error| failed(&error))
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // What has arrived before the end is still read.
        _ = connection => exchange.await,
    }
}

fn to_send(target: &HttpTarget, url: &Url) -> Result<Request<Empty<Bytes>>, http::Error> {
    let method = if target.head { Method::HEAD } else { Method::GET };
    let mut host = url.address.to_string();
    let port = url.scheme.default_port();
    if url.address.port == port {
        host.truncate(host.len() - format!(":{port}").len());
    }
    let mut request = Request::builder()
        .method(method)
        .uri(&url.target)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close");
    let stated = |name| target.headers.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    if !stated("user-agent") {
        request = request.header(header::USER_AGENT, "roost-check");
    }
    for header in &target.headers {
        request = request.header(&header.name, &header.value);
    }
    request.body(Empty::new())
}

async fn read(target: &HttpTarget, response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let code = response.status().as_u16();
    let location = response.headers().get(header::LOCATION).filter(|_| (300..400).contains(&code));
    let location = location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut body = Vec::new();
    let incoming = response.into_body();
    if !is_expected(target, code) {
        // The code has decided already.
        let _ = timeout(SHOWN_BODY_PATIENCE, beginning(incoming, None, &mut body)).await;
    } else if let Some(text) = &target.expect_body {
        beginning(incoming, Some(text), &mut body).await?;
    }
    Ok(Answer { code, location, body })
}

/// Reads a body until it contains the text, but at most so much.
async fn beginning(
    mut incoming: Incoming,
    text: Option<&str>,
    body: &mut Vec<u8>,
) -> Result<(), hyper::Error> {
    while body.len() < ANSWER_BYTES_MAX && !text.is_some_and(|text| contains(body, text)) {
        let Some(frame) = incoming.frame().await else { break };
        let Ok(data) = frame?.into_data() else { continue };
        let room = ANSWER_BYTES_MAX - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
    }
    Ok(())
}
