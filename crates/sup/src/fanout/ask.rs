//! The requests to one gateway: plain GETs on one connection, without redirects.
//!
//! They read `/v1/supervisor` and `/v1/services`, or `/services` of Habitat. None of these asks
//! other members, so no loop can form.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use roost_api::documents::ring::health::{RingAnswer, RingServiceHealth, RingSource};
use roost_text::shown;
use tokio::net::TcpStream;

use super::read;

/// Longest answer that is read; 32 of them are in memory at most.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// Services of one member that are read.
const SERVICES: &str = "/v1/services?limit=1000";

/// What a member answered.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) source: RingSource,
    pub(super) version: Option<String>,
    pub(super) services: Vec<RingServiceHealth>,
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

/// Asks the gateway of the member with this id.
pub(super) async fn member(
    gateway: SocketAddr,
    id: &str,
    token: Option<&str>,
) -> Result<Told, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| {
        Failure::new(RingAnswer::Unreachable, format!("{gateway}: {}", shown(&error.to_string())))
    };
    let stream = TcpStream::connect(gateway).await.map_err(|error| unreachable(&error))?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    let conversation = async {
        let mut gateway = Gateway { sender: &mut sender, gateway, token };
        let Some(supervisor) = gateway.get("/v1/supervisor").await? else {
            let services = gateway.get("/services").await?;
            let services = services.ok_or_else(|| Failure::invalid("it has no /services"))?;
            return read::habitat(&services, id);
        };
        let version = read::supervisor(&supervisor, id)?;
        let services = gateway.get(SERVICES).await?;
        let services = services.ok_or_else(|| Failure::invalid("it has no /v1/services"))?;
        let services = read::services(&services)?;
        Ok(Told { source: RingSource::V1, version: Some(version), services })
    };
    tokio::pin!(conversation);
    tokio::select! {
        told = &mut conversation => told,
        // What arrived before the end is still read.
        _ = connection => conversation.await,
    }
}

struct Gateway<'a> {
    sender: &'a mut SendRequest<Empty<Bytes>>,
    gateway: SocketAddr,
    token: Option<&'a str>,
}

impl Gateway<'_> {
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

    async fn asked(answers: Vec<Vec<u8>>) -> Result<Told, Failure> {
        let (gateway, _served) = stub(answers).await;
        member(gateway, "a1", None).await
    }

    const SUPERVISOR: &str = r#"{"member_id":"a1","version":"2.1.78+roost.0.1.0"}"#;

    #[tokio::test]
    async fn a_member_answers_with_its_services() {
        let services = r#"{"items":[{"id":"db.default","state":"up","desired":"up",
            "health":"warning","why":"slow"}],"next":null}"#;
        let (gateway, served) = stub(vec![ok(SUPERVISOR), ok(services)]).await;
        let told = member(gateway, "a1", Some("secret")).await.expect("an answer");
        assert_eq!((told.source, told.services.len()), (RingSource::V1, 1));
        assert_eq!(told.services[0].why.as_deref(), Some("slow"));
        let sent = served.await.expect("served");
        assert_eq!(sent.matches("authorization: Bearer secret").count(), 2, "{sent}");
    }

    #[tokio::test]
    async fn a_member_of_habitat_answers_with_its_own_documents() {
        let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
        let services = r#"[{"service_group":"db.default","health_check":"Critical",
            "desired_state":"Up","process":{"state":"up"},"sys":{"member_id":"a1"}}]"#;
        let told = asked(vec![missing, ok(services)]).await.expect("an answer");
        assert_eq!((told.source, told.services.len()), (RingSource::Habitat, 1));
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
        let failure = member(nowhere.expect("an address"), "a1", None).await.expect_err("none");
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
        let asked = timeout(Duration::from_millis(200), member(gateway, "a1", None)).await;
        assert!(asked.is_err());
    }
}
