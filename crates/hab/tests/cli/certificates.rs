//! Certificates that TLS cannot use: a message with the file, the right exit code, no panic.
//! `v1.crt.pem` is of X.509 version 1, as `openssl x509 -req` without extensions makes it.

use std::path::Path;

use super::Place;

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    path.display().to_string()
}

const WHY: &str = "v1.crt.pem cannot be used: the certificate is of X.509 version 1";

#[test]
fn a_client_certificate_of_version_1_is_named_by_svc_check() {
    let (certificate, key) = (fixture("v1.crt.pem"), fixture("v1.key.pem"));
    let ended = Place::new().hab(&[
        "svc",
        "check",
        "--url",
        "https://127.0.0.1:1",
        "--ca-certs",
        &certificate,
        "--certs",
        &certificate,
        "--key",
        &key,
        "web",
    ]);
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""), "{}", ended.stdout);
    assert!(ended.stdout.contains(WHY), "{}", ended.stdout);
}

#[test]
fn a_certificate_of_version_1_ends_the_start_of_a_supervisor() {
    let (certificate, key) = (fixture("v1.crt.pem"), fixture("v1.key.pem"));
    let place = Place::new();
    let control = ["--ctl-server-key", &key, "--ctl-server-certificate", &certificate];
    let ended = place.hab(&[["sup", "run"].as_slice(), &control].concat());
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(ended.stderr.contains(WHY), "{}", ended.stderr);
    let http = ["--key", &key, "--certs", &certificate];
    let ended = place.hab(&[["sup", "run"].as_slice(), &http].concat());
    assert_eq!(ended.code, 86, "{}", ended.stdout);
    assert!(ended.stdout.contains("X.509 version 1"), "{}", ended.stdout);
}
