//! Checks of `monitor.toml` by HTTPS.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rcgen::{CertificateParams, CertifiedKey, DnType, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use testkit::Root;

use crate::root_with_web;

const HEALTH: &str = "/services/web/default/health";

/// A certificate for `localhost` that is its own authority, with this subject.
fn certificate(subject: &str) -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, subject);
    let signing_key = KeyPair::generate().expect("a key");
    let cert = params.self_signed(&signing_key).expect("a certificate");
    CertifiedKey { cert, signing_key }
}

fn pem(root: &Root, name: &str, certificate: &CertifiedKey<KeyPair>) -> String {
    root.write(name, &certificate.cert.pem());
    root.join(name).display().to_string()
}

/// A server that does this with each connection.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    port
}

/// A server by HTTPS, and the names that clients asked for.
fn https(certificate: &CertifiedKey<KeyPair>) -> (u16, Arc<Mutex<Vec<Option<String>>>>) {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(roost_tls::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .expect("an identity");
    let (config, names) = (Arc::new(config), Arc::<Mutex<Vec<_>>>::default());
    let noted = Arc::clone(&names);
    let port = serve(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut stream = StreamOwned::new(connection, stream);
        // A client that trusts another certificate leaves.
        if stream.read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {
            let name = stream.conn.server_name().map(str::to_owned);
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
        }
    });
    (port, names)
}

fn check(name: &str, url: &str, keys: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nhttp = \"{url}\"\n{keys}\n")
}

/// The line of a check.
fn line<'a>(health: &'a Value, name: &str) -> &'a str {
    let lines = health["stdout"].as_str().unwrap_or_default().lines();
    let prefix = format!("{name}: ");
    lines.filter_map(|line| line.strip_prefix(&prefix)).next().unwrap_or_default()
}

#[test]
fn an_https_check_trusts_only_what_it_is_to_trust_and_waits_for_nothing() {
    let (known, of_system, unknown) =
        (certificate("known"), certificate("of the system"), certificate("unknown"));
    let ((known_port, names), (system_port, _), (unknown_port, _)) =
        (https(&known), https(&of_system), https(&unknown));
    let kept = Mutex::new(Vec::new());
    let silent = serve(move |stream| kept.lock().expect("no panic").push(stream));
    let plain = serve(|mut stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")));
    let root = root_with_web(&[]);
    let ca = pem(&root, "ca.pem", &known);
    root.write("none.pem", "nothing\n");
    let ca_file = format!("ca_file = \"{ca}\"");
    let checks = [
        check("known", &format!("https://localhost:{known_port}/x"), &ca_file),
        check("address", &format!("https://127.0.0.1:{known_port}/"), &ca_file),
        check("system", &format!("https://localhost:{system_port}/"), ""),
        check("unknown", &format!("https://localhost:{unknown_port}/"), ""),
        check("any", &format!("https://localhost:{unknown_port}/"), "insecure_skip_verify = true"),
        check("silent", &format!("https://localhost:{silent}/"), "timeout_s = 1"),
        check("plain", &format!("https://localhost:{plain}/"), ""),
        check("nofile", &format!("https://localhost:{known_port}/"), "ca_file = \"/nowhere/x\""),
        check(
            "nopem",
            &format!("https://localhost:{known_port}/"),
            &format!("ca_file = \"{}\"", root.join("none.pem").display()),
        ),
    ];
    root.write("hab/user/web/monitor.toml", &checks.concat());
    let store = pem(&root, "store.pem", &of_system);
    let sup = root.supervisor().args(["acme/web"]).env("SSL_CERT_FILE", &store).start();
    let health = sup.wait_json(HEALTH, |health| health["status"] == "CRITICAL");
    for (name, expected) in [
        ("known", format!("200 from https://localhost:{known_port}/x")),
        (
            "address",
            format!(
                "no answer from https://127.0.0.1:{known_port}/: the certificate is for localhost, \
                 and not for 127.0.0.1"
            ),
        ),
        ("system", format!("200 from https://localhost:{system_port}/")),
        (
            "unknown",
            format!(
                "no answer from https://localhost:{unknown_port}/: the certificate does not come from \
                 one of the given authorities"
            ),
        ),
        ("any", format!("200 from https://localhost:{unknown_port}/ (certificate not verified)")),
        ("silent", format!("no answer within 1 s from https://localhost:{silent}/")),
        (
            "plain",
            format!(
                "no answer from https://localhost:{plain}/: the other side does not speak TLS correctly"
            ),
        ),
        (
            "nofile",
            format!(
                "no answer from https://localhost:{known_port}/: ca_file /nowhere/x: it does not exist"
            ),
        ),
        (
            "nopem",
            format!(
                "no answer from https://localhost:{known_port}/: ca_file {}: it holds no certificate",
                root.join("none.pem").display()
            ),
        ),
    ] {
        assert_eq!(line(&health, name), expected, "{health:#}");
    }
    // An address is not sent as a name.
    let names = names.lock().expect("no panic").clone();
    assert!(names.iter().all(|name| name.as_deref() == Some("localhost")), "{names:?}");

    // A renewed certificate counts with the next check, and an error in the file is named.
    root.write("hab/user/web/monitor.toml", &checks[0]);
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
    let wrong = check("known", "http://localhost/", &ca_file);
    root.write("hab/user/web/monitor.toml", &wrong);
    let fault = "hab/user/web/monitor.toml:4: 'ca_file' belongs to an https:// URL; remove it";
    let health = sup.wait_json(HEALTH, |health| {
        health["stderr"].as_str().is_some_and(|text| text.contains(fault))
    });
    assert_eq!(health["status"], json!("OK"), "the former checks go on");
}
