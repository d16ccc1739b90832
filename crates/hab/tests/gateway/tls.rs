//! TLS, one-sided and mutual.

use std::fs;

use testkit::{Root, Supervisor};

use super::{Said, hab, ok, root, root_with_web};

/// Makes a key pair in the root's directory `name`; returns the directory.
fn make(root: &Root, name: &str) -> String {
    let directory = root.join(name).display().to_string();
    let output = std::process::Command::new(root.program())
        .args(["sup", "secret", "generate-tls", "--subject-alternative-name", "sup.example"])
        .arg(&directory)
        .env_clear()
        .env("FS_ROOT", root.path())
        .output()
        .expect("the program starts");
    assert_eq!(Said::from(output), Said { code: 0, stdout: String::new(), stderr: String::new() });
    directory
}

fn settings(sup: &Supervisor, lines: &[(&str, &str)]) {
    let path = sup.root().join("hab/etc/cli.toml");
    fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
    let text: String = lines.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
    fs::write(path, text).expect("a file");
}

#[test]
fn commands_go_over_tls_and_nothing_goes_past_it() {
    let root = root_with_web();
    let files = make(&root, "tls");
    let sup = root
        .supervisor()
        .args(["--ctl-server-key", &files, "--ctl-server-certificate", &files])
        .start();
    let plain = hab(&sup, &["svc", "status"]);
    assert_eq!((plain.code, plain.stdout.as_str()), (1, ""));
    assert!(plain.stderr.contains("TLS"), "{plain:?}");
    settings(
        &sup,
        &[("ctl_server_ca_certificate", &files), ("ctl_server_name_indication", "sup.example")],
    );
    ok(&sup, &["svc", "load", "--wait", "acme/web"]);
    sup.wait_up("web");

    // A name that the certificate does not contain, and a foreign certificate.
    settings(
        &sup,
        &[("ctl_server_ca_certificate", &files), ("ctl_server_name_indication", "other.example")],
    );
    assert_eq!(hab(&sup, &["svc", "status"]).code, 1);
    let other = make(&root, "other");
    settings(
        &sup,
        &[("ctl_server_ca_certificate", &other), ("ctl_server_name_indication", "sup.example")],
    );
    assert_eq!(hab(&sup, &["svc", "status"]).code, 1);
    sup.wait_up("web");
}

#[test]
fn with_mutual_tls_a_client_needs_a_certificate() {
    let root = root_with_web();
    let server = make(&root, "server");
    let client = make(&root, "client");
    let sup = root
        .supervisor()
        .args(["--ctl-server-key", &server, "--ctl-server-certificate", &server])
        .args(["--ctl-client-ca-certificate", &client])
        .start();
    let known = [
        ("ctl_server_ca_certificate", server.as_str()),
        ("ctl_server_name_indication", "sup.example"),
    ];
    settings(&sup, &known);
    let said = hab(&sup, &["svc", "status"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    let own = [("ctl_client_key", client.as_str()), ("ctl_client_certificate", client.as_str())];
    settings(&sup, &[known, own].concat());
    assert_eq!(ok(&sup, &["svc", "status"]), "No services loaded.\n");
    let stranger = make(&root, "stranger");
    let own =
        [("ctl_client_key", stranger.as_str()), ("ctl_client_certificate", stranger.as_str())];
    settings(&sup, &[known, own].concat());
    assert_eq!(hab(&sup, &["svc", "status"]).code, 1);
}

#[test]
fn tls_settings_that_make_no_sense_end_the_start() {
    let root = root();
    let files = make(&root, "tls");
    let mut sup = root.supervisor().args(["--ctl-server-key", &files]).spawn();
    assert_eq!(sup.wait_exit(), 86, "{}", sup.log());
    let missing = root.join("missing").display().to_string();
    let mut sup = root.supervisor().args(["--ctl-server-key", &missing]).spawn();
    assert_eq!(sup.wait_exit(), 2, "{}", sup.log());
}

#[test]
fn certificates_without_a_key_are_said_to_have_no_effect() {
    let root = root_with_web();
    let files = make(&root, "tls");
    let sup = root.supervisor().args(["--ctl-server-certificate", &files]).start();
    sup.wait_log(
        "hab-sup(MR): WARNING: the control gateway listens WITHOUT TLS: --ctl-server-certificate \
         needs --ctl-server-key.",
    );
    assert_eq!(ok(&sup, &["svc", "status"]), "No services loaded.\n");
}
