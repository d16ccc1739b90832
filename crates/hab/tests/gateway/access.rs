//! Tokens with scopes, from the command that makes them to what the gateway answers.

use std::{
    fs::{self, Permissions},
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Command,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::Value;
use testkit::{Root, Supervisor, wait_for};

use super::{RUN, Said, WEB, root, root_with_web};

const LOGS: &str = "/v1/services/web.default/logs";
const CONFIG: &str = "/v1/services/web.default/config";
const FILE: &str = "hab/sup/default/http-tokens.toml";

/// Runs `hab sup token` without a Supervisor.
fn token(root: &Root, args: &[&str]) -> Said {
    let mut command = Command::new(root.program());
    command.args(["sup", "token"]).args(args).env_clear().env("FS_ROOT", root.path());
    command.output().expect("the program starts").into()
}

/// Makes a token and returns it.
fn made(root: &Root, name: &str, scopes: &str, expires: &str) -> String {
    let said = token(root, &["new", name, "--scopes", scopes, "--expires", expires]);
    assert_eq!(said.code, 0, "{said:?}");
    said.stdout.trim_end().to_owned()
}

fn status(sup: &Supervisor, path: &str, token: &str) -> u16 {
    let header = format!("Bearer {token}");
    sup.send("GET", path, &[("authorization", &header)]).map_or(0, |answer| answer.status())
}

fn json(sup: &Supervisor, path: &str, token: &str) -> Value {
    let header = format!("Bearer {token}");
    let answer = sup.send("GET", path, &[("authorization", &header)]).expect("an answer");
    assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    answer.json()
}

/// Conditions of a kind, as the Supervisor shows them.
fn conditions(sup: &Supervisor, token: &str, kind: &str) -> Vec<Value> {
    let document = json(sup, "/v1/supervisor", token);
    let all = document["conditions"].as_array().expect("conditions").iter();
    all.filter(|it| it["type"] == kind && it["status"] != "ok").cloned().collect()
}

/// A stream of events that was begun.
fn stream(sup: &Supervisor, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(sup.http).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let request = format!(
        "GET /v1/events/stream HTTP/1.1\r\nhost: x\r\naccept: application/x-ndjson\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut head = [0; 12];
    stream.read_exact(&mut head).expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    stream
}

/// Reads until the last chunk; false when the connection is cut before it.
fn ends(mut stream: TcpStream) -> bool {
    let mut received = Vec::new();
    let mut bytes = [0; 4096];
    while !received.ends_with(b"\r\n0\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => return false,
            Ok(read) => received.extend_from_slice(&bytes[..read]),
        }
    }
    true
}

#[test]
fn each_reader_gets_what_its_token_names_until_it_is_revoked() {
    let root = root();
    let config = "port = 1\npassword = \"open-sesame\"\n";
    root.package(WEB, &[("hooks/run", RUN), ("default.toml", config)]);
    let reader = made(&root, "reader", "read", "90d");
    assert!(reader.starts_with("roost_") && reader.len() == 49, "{reader}");
    let file = root.join(FILE);
    assert_eq!(fs::metadata(&file).expect("a file").mode() & 0o7777, 0o600);
    assert!(!root.read(FILE).contains(&reader), "only its hash is there");
    let sup = start(&root, &["acme/web"], &reader);
    sup.wait_log("The HTTP API knows 1 token and 0 certificates from");

    assert_eq!(sup.get("/v1/services").status(), 401);
    assert_eq!(sup.get("/services").text(), "");
    wait_for("the service", || {
        (status(&sup, "/v1/services/web.default", &reader) == 200).then_some(())
    });
    for (path, expected) in
        [("/livez", 200), ("/metrics", 200), (LOGS, 403), ("/services", 403), ("/v1/no", 404)]
    {
        assert_eq!(status(&sup, path, &reader), expected, "{path}");
    }
    let password = |token: &str, query: &str| {
        let document = json(&sup, &format!("{CONFIG}{query}"), token);
        let values = document["values"].as_array().expect("values").clone();
        values.into_iter().find(|it| it["key"] == "password").expect("a value")
    };
    assert_eq!(password(&reader, "?source=all")["value"], "***");

    // It is enough for the commands that ask for the state, also by identifier.
    let url = format!("http://{}", sup.http);
    for args in [
        &["svc", "why", "acme/web"][..],
        &["svc", "check", "acme/web"],
        &["svc", "stats"],
        &["svc", "history", "acme/web"],
    ] {
        let args = args.iter().copied().chain(["--url", &url, "--token", &reader]);
        let said = Said::from(sup.hab(args));
        assert!(said.code == 0 && said.stdout.contains("web.default"), "{said:?}");
    }

    // A token that is made while the Supervisor runs.
    let all = made(&root, "all", "probe,read,logs,secrets,ring", "never");
    wait_for("the new token", || (status(&sup, LOGS, &all) == 200).then_some(()));
    assert_eq!(status(&sup, "/services", &all), 200);
    let shown = password(&all, "?source=all");
    assert_eq!((&shown["value"], &shown["hash"]), (&"open-sesame".into(), &Value::Null));
    assert_eq!(shown["layers"][0]["value"], "open-sesame");
    assert_eq!(password(&all, "?secrets=hidden")["value"], "***");

    // Revoked: streams end, requests are denied, others go on.
    let open = stream(&sup, &reader);
    let said = token(&root, &["revoke", "reader", "--format", "json"]);
    assert_eq!((said.code, said.stdout.contains("\"revoked\": \"reader\"")), (0, true), "{said:?}");
    assert!(ends(open), "the stream ends in order");
    assert_eq!(status(&sup, "/v1/services", &reader), 401);
    assert_eq!(status(&sup, "/v1/services", &all), 200);
    sup.wait_log("The HTTP API denied GET /v1/services to 127.");
    assert!(!sup.log().contains(&reader) && !sup.log().contains(&all), "no token in the log");
}

#[test]
fn a_token_that_ends_soon_is_a_condition_and_ends_its_stream() {
    let root = root();
    let all = made(&root, "all", "read", "never");
    made(&root, "soon", "probe", "13d");
    made(&root, "later", "probe", "15d");
    let sup = start(&root, &[], &all);
    let noticed = conditions(&sup, &all, "token_expires");
    assert_eq!(noticed.len(), 1, "{noticed:?}");
    assert_eq!(noticed[0]["reason"], "soon");
    sup.wait_log("the token 'soon' of the HTTP API expires at ");
    let metrics = sup.send("GET", "/metrics", &[("authorization", &format!("Bearer {all}"))]);
    let metrics = metrics.expect("metrics").text();
    assert!(metrics.contains("hab_sup_conditions{condition=\"token-expires\"} 1\n"), "{metrics}");
    // Written by hand, with the hash of another tool.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let end_ms = u64::try_from(now.expect("after 1970").as_millis()).expect("small") + 3_000;
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let text = root.read(FILE)
        + &format!(
            "[[token]]\nname = \"brief\"\nsha256 = \"{hash}\"\nscopes = [\"read\"]\n\
             expires = \"{}\"\n",
            roost_ident::time::rfc3339_ms(end_ms)
        );
    fs::write(root.join(FILE), text).expect("written");
    wait_for("the token by hand", || (status(&sup, "/livez", "secret") == 200).then_some(()));
    assert!(ends(stream(&sup, "secret")));
    assert_eq!(status(&sup, "/livez", "secret"), 401);
    let said = token(&root, &["list"]);
    for part in ["brief  ", "expired", "expires soon", "never", "valid"] {
        assert!(said.stdout.contains(part), "{said:?}");
    }
    token(&root, &["revoke", "soon"]);
    sup.wait_log("The token 'soon' of the HTTP API is revoked or renewed");
}

#[test]
fn a_file_with_a_fault_leaves_access_as_it_was_and_is_a_condition() {
    let root = root();
    let all = made(&root, "all", "read", "never");
    let sup = start(&root, &[], &all);
    let file = root.join(FILE);
    let good = root.read(FILE);
    let unusable = |part: &str| {
        wait_for(part, || {
            let found = conditions(&sup, &all, "http_tokens_unusable");
            let message = found.first()?["message"].as_str()?.to_owned();
            message.contains(part).then_some(())
        });
    };
    let usable = || {
        wait_for("a file without a fault", || {
            conditions(&sup, &all, "http_tokens_unusable").is_empty().then_some(())
        });
    };
    // Moved into place, as editors do.
    let put = |text: &str, mode: u32| {
        let new = root.join("new");
        fs::write(&new, text).expect("written");
        fs::set_permissions(&new, Permissions::from_mode(mode)).expect("changed");
        fs::rename(&new, &file).expect("moved");
    };
    put(&good.replace("\"read\"", "\"admin\""), 0o600);
    unusable("http-tokens.toml:6: there is no scope 'admin'; expected probe, read");
    put(&good, 0o600);
    usable();
    put(&good, 0o644);
    unusable("its mode 0644 lets others read or change it; chmod 600 ");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
    usable();
    put("", 0o600);
    unusable("it is empty; ");
    fs::remove_file(&file).expect("removed");
    unusable("the file does not exist; 'hab sup token new' makes it");
    if chown(root.path(), None, None).is_ok() && rustix::process::geteuid().is_root() {
        put(&good, 0o600);
        chown(&file, Some(12), None).expect("given away");
        unusable("it belongs to user 12, who could grant access with it; chown 0 ");
    }
    put(&good, 0o600);
    usable();
    sup.wait_log("can be used again");
    assert_eq!(status(&sup, "/v1/supervisor", &all), 200);
}

#[test]
fn a_start_with_a_file_that_cannot_be_used_names_the_remedy() {
    let root = root();
    let start = || {
        let mut sup = with_tokens(&root).spawn();
        assert_eq!(sup.wait_exit(), 86, "{}", sup.log());
        sup.log()
    };
    assert!(start().contains("http-tokens.toml: the file does not exist; 'hab sup token new'"));
    made(&root, "a", "read", "never");
    fs::set_permissions(root.join(FILE), Permissions::from_mode(0o666)).expect("changed");
    assert!(start().contains("its mode 0666 lets others read or change it; chmod 600"));
    fs::set_permissions(root.join(FILE), Permissions::from_mode(0o600)).expect("changed");
    fs::write(root.join(FILE), "[[token]]\nname = ").expect("written");
    assert!(start().contains("http-tokens.toml:2: "));
}

#[test]
fn the_commands_refuse_what_they_cannot_do() {
    let root = root();
    made(&root, "a", "read", "never");
    for (args, code, part) in [
        (&["new", "a", "--scopes", "read", "--expires", "1d"][..], 1, "a token 'a' already"),
        (&["new", "b c", "--scopes", "read", "--expires", "1d"], 1, "cannot be the name"),
        (&["new", "b", "--scopes", "admin", "--expires", "1d"], 2, "expected probe, read"),
        (&["new", "b", "--scopes", "read", "--expires", "soon"], 2, "expected 90d"),
        (&["new", "b", "--scopes", "read", "--expires", "2020-01-01"], 2, "not in the future"),
        (&["new", "b", "--scopes", "read"], 2, "--expires"),
        (&["revoke", "b"], 1, "there is no token 'b'"),
    ] {
        let said = token(&root, args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        assert!(said.stderr.contains(part) && said.stdout.is_empty(), "{args:?}: {said:?}");
    }
    let list = token(&root, &["list", "--format", "json"]);
    let list: Value = serde_json::from_str(&list.stdout).expect("JSON");
    assert_eq!(list["tokens"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["tokens"][0]["state"], "valid");
    // The file that the Supervisor is configured with.
    root.write("hab/sup/default/config/sup.toml", "http_tokens = \"/nowhere/tokens\"\n");
    let said = token(&root, &["list"]);
    assert!(
        said.code == 1 && said.stderr.contains("/nowhere/tokens: the file does not"),
        "{said:?}"
    );
    let elsewhere = root.join("elsewhere").display().to_string();
    let said = token(&root, &["list", "--file", &elsewhere]);
    assert!(said.code == 1 && said.stderr.contains("/elsewhere: the file does not"), "{said:?}");
}

/// Certificates of one authority.
struct Authority(Issuer<'static, KeyPair>);

impl Authority {
    fn new(root: &Root) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.write("tls/ca.pem", &params.self_signed(&key).expect("a certificate").pem());
        Self(Issuer::new(params, key))
    }

    fn issue(&self, root: &Root, name: &str, address: &str) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([address.to_owned()]).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc.");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        root.write(&format!("tls/{name}.pem"), &certificate.pem());
        root.write(&format!("tls/{name}.key"), &key.serialize_pem());
    }
}

#[test]
fn a_client_certificate_reads_what_its_subject_names() {
    let root = root_with_web();
    made(&root, "a", "read", "never");
    let text = root.read(FILE)
        + "[[certificate]]\nsubject = \"O = \\\"Acme, Inc.\\\", CN = grafana\"\nscopes = [\"read\"]\n";
    fs::write(root.join(FILE), text).expect("written");
    let authority = Authority::new(&root);
    for name in ["server", "grafana", "other"] {
        authority.issue(&root, name, &testkit::own_address(0).to_string());
    }
    let at = |name: &str| root.join("tls").join(name).display().to_string();
    let port = testkit::free_ports(&[testkit::own_address(0)]);
    let sup = with_tokens(&root)
        .at(testkit::own_address(0), port)
        .args(["acme/web", "--key", &at("server.key"), "--certs", &at("server.pem")])
        .args(["--ca-certs", &at("ca.pem")])
        .spawn();
    let ask = |name: &str, command: &[&str]| -> Said {
        let url = format!("https://{}", sup.http);
        let mut args = command.to_vec();
        let (key, certs, ca) =
            (at(&format!("{name}.key")), at(&format!("{name}.pem")), at("ca.pem"));
        args.extend(["--url", &url, "--key", &key, "--certs", &certs, "--ca-certs", &ca]);
        sup.hab(args).into()
    };
    wait_for("a gateway", || (ask("grafana", &["svc", "check", "web"]).code == 0).then_some(()));
    let said = ask("grafana", &["svc", "why", "web"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = ask("other", &["events"]);
    assert!(said.code == 1 && said.stdout.is_empty(), "{said:?}");
    sup.wait_log("(certificate 'O=Acme\\, Inc., CN=other'): The request has no token.");
}

#[test]
fn other_users_need_a_token_at_the_socket() {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/curl").exists() {
        testkit::skip("needs root and curl");
        return;
    }
    let root = root();
    let all = made(&root, "all", "read", "never");
    let sup = start(&root, &[], &all);
    let socket = root.join("hab/sup/default/http.sock");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
    };
    open(root.path(), 0o755);
    let ask = |user: &str, header: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--clear-groups", "curl", "-s", "-o", "/dev/null"]);
        command.args(["-w", "%{http_code}", "-H", header, "--unix-socket"]).arg(&socket);
        let output = command.arg("http://localhost/v1/supervisor").output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(ask("0", "x: y"), "200");
    assert_eq!(ask("65534", "x: y"), "000", "its mode keeps others out");
    open(&socket, 0o666);
    assert_eq!(ask("65534", "x: y"), "401");
    assert_eq!(ask("65534", &format!("authorization: Bearer {all}")), "200");
    sup.wait_log("to user 65534 of this machine: The request has no token.");
}

/// A Supervisor with the file of its root, once it shows its services to a token.
fn start(root: &Root, args: &[&str], token: &str) -> Supervisor {
    let sup = with_tokens(root).args(args).spawn();
    wait_for("the first answer", || (status(&sup, "/v1/services", token) == 200).then_some(()));
    sup
}

fn with_tokens(root: &Root) -> testkit::Builder<'_> {
    root.supervisor().args(["--http-tokens".into(), root.join(FILE).display().to_string()])
}
