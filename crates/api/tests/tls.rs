//! TLS: which files are accepted, which handshakes.

mod common;

use std::{fs, path::Path, sync::Arc};

use common::{config, receive, start};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use roost_api::{GatewayConfig, Snapshot, TlsConfig, TlsError};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority, a certificate of `localhost` it signed, and one of a client.
struct Papers {
    folder: tempfile::TempDir,
    authority: CertificateDer<'static>,
    client: (CertificateDer<'static>, Vec<u8>),
}

impl Papers {
    fn new() -> Self {
        let authority_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).expect("a certificate");
        let issuer = Issuer::new(params, authority_key);
        let issue = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
            (params.signed_by(&key, &issuer).expect("a certificate"), key)
        };
        let (server, server_key) = issue("localhost");
        let (client, client_key) = issue("client");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: String| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("key.pem", server_key.serialize_pem());
        write("cert.pem", server.pem());
        write("ca.pem", authority.pem());
        write("other-key.pem", client_key.serialize_pem());
        write("two-keys.pem", client_key.serialize_pem() + &server_key.serialize_pem());
        write("empty.pem", String::new());
        write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n".into());
        Self {
            authority: authority.der().clone(),
            client: (client.der().clone(), client_key.serialize_der()),
            folder,
        }
    }

    fn load(&self, key: &str, cert: &str, ca: Option<&str>) -> Result<TlsConfig, TlsError> {
        let path = |name: &str| self.folder.path().join(name);
        let ca = ca.map(path);
        TlsConfig::load(&path(key), &path(cert), ca.as_deref())
    }

    async fn connect(
        &self,
        server: &common::Server,
        with_certificate: bool,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut client = if with_certificate {
            let key = PrivateKeyDer::try_from(self.client.1.clone()).expect("a key");
            builder.with_client_auth_cert(vec![self.client.0.clone()], key).expect("a client")
        } else {
            builder.with_no_client_auth()
        };
        client.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        let tcp = TcpStream::connect(server.address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(client)).connect(name, tcp).await
    }
}

fn serve(tls: TlsConfig) -> common::Server {
    start(GatewayConfig { tls: Some(tls), ..config() }, Some(Snapshot::empty(1, "m")))
}

#[test]
fn bad_files_are_told_in_habitats_words() {
    let papers = Papers::new();
    let said = |key: &str, cert: &str, ca: Option<&str>| {
        let error = papers.load(key, cert, ca).expect_err("refused").to_string();
        error.replace(papers.folder.path().to_str().expect("UTF-8"), "")
    };
    assert_eq!(said("missing.pem", "cert.pem", None), "Invalid key file: /missing.pem");
    assert_eq!(said("empty.pem", "cert.pem", None), "Invalid key file: /empty.pem");
    assert_eq!(said("cert.pem", "cert.pem", None), "Invalid key file: /cert.pem");
    assert_eq!(said("other-key.pem", "cert.pem", None), "Invalid key file: /other-key.pem");
    assert_eq!(said("key.pem", "empty.pem", None), "Invalid cert file: /empty.pem");
    assert_eq!(said("key.pem", "broken.pem", None), "Invalid cert file: /broken.pem");
    assert_eq!(said("key.pem", "key.pem", None), "Invalid cert file: /key.pem");
    assert_eq!(said("key.pem", "cert.pem", Some("empty.pem")), "Invalid cert file: /empty.pem");
    let endless = TlsConfig::load(Path::new("/dev/zero"), Path::new("/dev/zero"), None);
    assert!(matches!(endless, Err(TlsError::Key { .. })));
}

#[tokio::test]
async fn alpn_chooses_http2_and_http1_works_too() {
    let papers = Papers::new();
    let server = serve(papers.load("two-keys.pem", "cert.pem", None).expect("the last key counts"));
    let stream = papers.connect(&server, false, &[b"h2", b"http/1.1"]).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut stream = papers.connect(&server, false, &[]).await.expect("a handshake");
    stream.write_all(b"GET /services HTTP/1.1\r\n\r\n").await.expect("sent");
    let answer = receive(&mut stream, false).await;
    assert_eq!((answer.status(), answer.body.as_str()), (200, "[]"));
}

#[tokio::test]
async fn http2_requests_are_answered() {
    let papers = Papers::new();
    let server = serve(papers.load("key.pem", "cert.pem", None).expect("files"));
    let stream = papers.connect(&server, false, &[b"h2"]).await.expect("a handshake");
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.expect("a connection");
    tokio::spawn(connection);
    for (method, path, status, length) in [
        ("GET", "/services", 200, "2"),
        ("HEAD", "/butterfly", 200, "472"),
        ("GET", "/nope", 404, "0"),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"))
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-length"], length, "{path}");
        assert!(answer.headers().contains_key("date"));
    }
}

#[tokio::test]
async fn with_an_authority_a_client_needs_a_certificate() {
    let papers = Papers::new();
    let server = serve(papers.load("key.pem", "cert.pem", Some("ca.pem")).expect("files"));
    let mut stream = papers.connect(&server, true, &[]).await.expect("a handshake");
    stream.write_all(b"GET /services HTTP/1.1\r\n\r\n").await.expect("sent");
    assert_eq!(receive(&mut stream, false).await.status(), 200);
    // With TLS 1.3 the client learns of the refusal only when it reads.
    let refused = match papers.connect(&server, false, &[]).await {
        Err(_) => true,
        Ok(mut stream) => {
            let _ = stream.write_all(b"GET /services HTTP/1.1\r\n\r\n").await;
            tokio::io::AsyncReadExt::read_u8(&mut stream).await.is_err()
        }
    };
    assert!(refused);
}

#[tokio::test]
async fn plain_http_on_the_tls_port_gets_no_http_answer() {
    let papers = Papers::new();
    let server = serve(papers.load("key.pem", "cert.pem", None).expect("files"));
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(b"GET /services HTTP/1.1\r\n\r\n").await.expect("sent");
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
}
