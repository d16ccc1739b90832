//! The requests to one gateway: plain GETs on one connection, without redirects.
//!
//! They read `/v1/supervisor` with `/v1/services` or `/v1/ring/members`; of Habitat `/services`, or
//! `/census` with `/butterfly`. None of these asks other members, so no loop can form.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use roost_api::documents::ring::health::{RingAnswer, RingServiceHealth, RingSource};
use roost_text::shown;
use tokio::{net::TcpStream, task::JoinSet};

use super::read::{self, View};

/// Longest answer that is read; 32 of them are in memory at most.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// Services of one member that are read.
const SERVICES: &str = "/v1/services?limit=1000";
/// Members in pages, each of which is shorter than an answer may be.
const MEMBERS: &str = "/v1/ring/members?limit=500";
const MEMBER_PAGES_MAX: usize = 40;

/// What a member answered.
#[derive(Debug)]
pub(super) struct MemberServices {
    pub(super) source: RingSource,
    pub(super) version: Option<String>,
    pub(super) services: Vec<RingServiceHealth>,
}

/// How a member sees the members.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) source: RingSource,
    pub(super) view: View,
}

/// Why a member did not answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) result: RingAnswer,
    pub(super) reason: String,
}

impl Failure {
    pub(super) fn new(result: RingAnswer, reason: impl Into<String>) -> Self {
        Self { result, reason: reason.into() }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(RingAnswer::Invalid, reason)
    }
}

/// The health of the services of the member with this id, as its gateway answers.
pub(super) async fn services(
    gateway: SocketAddr,
    id: &str,
    token: Option<&str>,
) -> Result<MemberServices, Failure> {
    let mut gateway = Gateway::connect(gateway, token).await?;
    let Some(supervisor) = gateway.get("/v1/supervisor").await? else {
        let services = gateway.get("/services").await?;
        let services = services.ok_or_else(|| Failure::invalid("it has no /services"))?;
        return read::habitat(&services, id);
    };
    let version = read::supervisor(&supervisor, id)?;
    let services = gateway.get(SERVICES).await?;
    let services = services.ok_or_else(|| Failure::invalid("it has no /v1/services"))?;
    let services = read::services(&services)?;
    Ok(MemberServices { source: RingSource::V1, version: Some(version), services })
}

/// How the member with this id sees the members, as its gateway answers.
pub(super) async fn view(
    gateway: SocketAddr,
    id: &str,
    token: Option<&str>,
) -> Result<Seen, Failure> {
    let hidden = || {
        Failure::new(RingAnswer::Refused, "it hides its ring, by HAB_FEAT_REDACT_HTTP or a rule")
    };
    let mut gateway = Gateway::connect(gateway, token).await?;
    let Some(supervisor) = gateway.get("/v1/supervisor").await? else {
        let census = gateway.get("/census").await?.ok_or_else(hidden)?;
        read::census(&census, id)?;
        let butterfly = gateway.get("/butterfly").await?.ok_or_else(hidden)?;
        return Ok(Seen { source: RingSource::Habitat, view: read::butterfly(&butterfly)? });
    };
    read::supervisor(&supervisor, id)?;
    let (mut view, mut path) = (View::new(), MEMBERS.to_owned());
    for _ in 0..MEMBER_PAGES_MAX {
        let page = gateway.get(&path).await?.ok_or_else(hidden)?;
        match read::members(&page, &mut view)? {
            Some(cursor) => path = format!("{MEMBERS}&cursor={cursor}"),
            None => return Ok(Seen { source: RingSource::V1, view }),
        }
    }
    Err(Failure::invalid(format!("its list of members has more than {MEMBER_PAGES_MAX} pages")))
}

/// A connection to a gateway; it is closed when this is dropped.
struct Gateway<'a> {
    sender: SendRequest<Empty<Bytes>>,
    gateway: SocketAddr,
    token: Option<&'a str>,
    _driver: JoinSet<()>,
}

impl<'a> Gateway<'a> {
    async fn connect(gateway: SocketAddr, token: Option<&'a str>) -> Result<Self, Failure> {
        let unreachable = |error: &dyn std::fmt::Display| {
            let text = error.to_string();
            Failure::new(RingAnswer::Unreachable, format!("{gateway}: {}", shown(&text)))
        };
        let stream = TcpStream::connect(gateway).await.map_err(|error| unreachable(&error))?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        let mut driver = JoinSet::new();
        // Its error is that of the request, too.
        driver.spawn(async move { drop(connection.await) });
        Ok(Self { sender, gateway, token, _driver: driver })
    }

    /// The document of a path; `None` when there is none.
    async fn get(&mut self, path: &str) -> Result<Option<Bytes>, Failure> {
        let gateway = self.gateway;
        let unreachable = |error: &dyn std::fmt::Display| {
            let text = error.to_string();
            Failure::new(RingAnswer::Unreachable, format!("{gateway}: {}", shown(&text)))
        };
        let mut request = Request::get(path)
            .header(header::HOST, gateway.to_string())
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "roost-ring");
        if let Some(token) = self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::new()).map_err(|error| unreachable(&error))?;
        self.sender.ready().await.map_err(|error| unreachable(&error))?;
        let answer =
            self.sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        match status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let reason = format!("{gateway} refuses {path}: HTTP {}", status.as_u16());
                return Err(Failure::new(RingAnswer::Refused, reason));
            }
            status if status.is_redirection() => {
                return Err(Failure::invalid(format!(
                    "{gateway} answers {path} with a redirect, which is not followed"
                )));
            }
            _ => {}
        }
        let body = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
            true => Failure::invalid(format!(
                "{gateway} answers {path} with more than {BODY_BYTES_MAX} bytes"
            )),
            false => unreachable(&error),
        })?;
        match status {
            StatusCode::OK => Ok(Some(body.to_bytes())),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(Failure::invalid(format!(
                "{gateway} answers {path} with HTTP {}",
                status.as_u16()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roost_api::documents::ring::members::MemberState;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    fn ok(body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    /// A gateway that answers each request with the next of these; returns what it was sent.
    async fn stub(answers: Vec<Vec<u8>>) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut received = Vec::new();
            for answer in answers {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap_or_default();
                received.extend_from_slice(&bytes[..count]);
                // The client may have closed.
                let _ = stream.write_all(&answer).await;
            }
            String::from_utf8_lossy(&received).into_owned()
        });
        (address, served)
    }

    async fn asked(answers: Vec<Vec<u8>>) -> Result<MemberServices, Failure> {
        let (gateway, _served) = stub(answers).await;
        services(gateway, "a1", None).await
    }

    const SUPERVISOR: &str = r#"{"member_id":"a1","version":"2.1.78+roost.0.1.0"}"#;

    #[tokio::test]
    async fn a_member_answers_with_its_services() {
        let services = r#"{"items":[{"id":"db.default","state":"up","desired":"up",
            "health":"warning","why":"slow"}],"next":null}"#;
        let (gateway, served) = stub(vec![ok(SUPERVISOR), ok(services)]).await;
        let found = super::services(gateway, "a1", Some("secret")).await.expect("an answer");
        assert_eq!((found.source, found.services.len()), (RingSource::V1, 1));
        assert_eq!(found.services[0].why.as_deref(), Some("slow"));
        let sent = served.await.expect("served");
        assert_eq!(sent.matches("authorization: Bearer secret").count(), 2, "{sent}");
    }

    #[tokio::test]
    async fn a_member_of_habitat_answers_with_its_own_documents() {
        let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
        let services = r#"[{"service_group":"db.default","health_check":"Critical",
            "desired_state":"Up","process":{"state":"up"},"sys":{"member_id":"a1"}}]"#;
        let found = asked(vec![missing, ok(services)]).await.expect("an answer");
        assert_eq!((found.source, found.services.len()), (RingSource::Habitat, 1));
    }

    fn as_view<const N: usize>(members: [(&str, MemberState); N]) -> View {
        members.map(|(id, state)| (id.to_owned(), state)).into()
    }

    #[tokio::test]
    async fn the_view_of_a_member_comes_page_by_page() {
        let first = r#"{"items":[{"id":"a1","state":"alive","new":1}],"next":"0af1"}"#;
        let last = r#"{"items":[{"id":"b2","state":"confirmed"}],"next":null}"#;
        let (gateway, served) = stub(vec![ok(SUPERVISOR), ok(first), ok(last)]).await;
        let seen = view(gateway, "a1", None).await.expect("a view");
        let expected = [("a1", MemberState::Alive), ("b2", MemberState::Confirmed)];
        assert_eq!(seen, Seen { source: RingSource::V1, view: as_view(expected) });
        let sent = served.await.expect("served");
        assert!(sent.contains("GET /v1/ring/members?limit=500&cursor=0af1 HTTP/1.1"), "{sent}");
    }

    #[tokio::test]
    async fn the_view_of_a_member_of_habitat_is_its_list() {
        let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
        let census = r#"{"changed":true,"local_member_id":"a1"}"#;
        let list = r#"{"member":{"members":{},"health":{"b2":"Suspect","c3":"Departed"}}}"#;
        let (gateway, _served) = stub(vec![missing.clone(), ok(census), ok(list)]).await;
        let seen = view(gateway, "a1", None).await.expect("a view");
        let expected = [("b2", MemberState::Suspect), ("c3", MemberState::Departed)];
        assert_eq!(seen, Seen { source: RingSource::Habitat, view: as_view(expected) });
        for (answers, result) in [
            (vec![missing.clone(), missing.clone()], RingAnswer::Refused),
            (vec![missing.clone(), ok(census), missing.clone()], RingAnswer::Refused),
            (vec![missing.clone(), ok(r#"{"local_member_id":"b2"}"#)], RingAnswer::Invalid),
            (vec![missing.clone(), ok(census), ok("[0]")], RingAnswer::Invalid),
            (vec![ok(SUPERVISOR), missing], RingAnswer::Refused),
            (vec![ok(SUPERVISOR), ok(r#"{"items":[{"id":"a1"}]}"#)], RingAnswer::Invalid),
            (
                vec![ok(SUPERVISOR), ok("{\"items\":[],\"next\":\"0 HTTP/1.1\\r\\n\"}")],
                RingAnswer::Invalid,
            ),
            (
                std::iter::once(ok(SUPERVISOR))
                    .chain(vec![ok(r#"{"items":[],"next":"00"}"#); MEMBER_PAGES_MAX])
                    .collect(),
                RingAnswer::Invalid,
            ),
        ] {
            let (gateway, _served) = stub(answers).await;
            let failure = view(gateway, "a1", None).await.expect_err("no view");
            assert_eq!(failure.result, result, "{failure:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_the_answer_of_this_member_is_a_result_of_its_own() {
        let redirect =
            b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n";
        let refused = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        let huge = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
        let huge = [huge, vec![b' '; BODY_BYTES_MAX + 1]].concat();
        for (answer, result, part) in [
            (redirect.to_vec(), RingAnswer::Invalid, "redirect"),
            (refused.to_vec(), RingAnswer::Refused, "401"),
            (huge, RingAnswer::Invalid, "more than 1048576 bytes"),
            (b"\x00\xffgarbage\r\n\r\n".to_vec(), RingAnswer::Unreachable, ""),
            (ok("{"), RingAnswer::Invalid, "JSON"),
            (ok(r#"{"member_id":"b2","version":"x"}"#), RingAnswer::Invalid, "another member"),
            (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_vec(), RingAnswer::Invalid, "500"),
        ] {
            let failure = asked(vec![answer]).await.expect_err(part);
            assert_eq!(failure.result, result, "{failure:?}");
            assert!(failure.reason.contains(part), "{failure:?}");
        }
        let nowhere = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr();
        let failure = services(nowhere.expect("an address"), "a1", None).await.expect_err("none");
        assert_eq!(failure.result, RingAnswer::Unreachable);
    }

    #[tokio::test]
    async fn services_that_are_not_read_are_not_left_out_silently() {
        let first = ok(r#"{"items":[],"next":"abc"}"#);
        let failure = asked(vec![ok(SUPERVISOR), first]).await.expect_err("there are more");
        assert_eq!(failure.result, RingAnswer::Invalid);
        assert!(failure.reason.contains("more services"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_slow_answer_can_be_given_up() {
        let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec();
        let (gateway, _served) = {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let served = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                // An answer before its request would be another fault.
                let _ = stream.read(&mut [0; 4096]).await;
                stream.write_all(&begun).await.expect("sent");
                std::future::pending::<()>().await;
            });
            (address, served)
        };
        let asked = timeout(Duration::from_millis(200), services(gateway, "a1", None)).await;
        assert!(asked.is_err());
    }
}
