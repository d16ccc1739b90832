//! `hab sup debug-bundle`: complete, private, without secrets, whatever the Supervisor does.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use rustix::process::{Signal, kill_process};
use testkit::Root;

use super::{RUN, WEB, root};

const SECRET: &str = "open-sesame";
/// Documents about the Supervisor, its ring and its environment.
const PATHS: [&str; 12] = [
    "/",
    "/api",
    "/v1/supervisor",
    "/v1/services",
    "/v1/services/web.default",
    "/v1/events?limit=1000",
    "/v1/ring/members",
    "/v1/ring/groups",
    "/census",
    "/butterfly",
    "/metrics",
    "/livez?verbose=true",
];

fn bundle(root: &Root, name: &str, timeout: &str) -> Output {
    let mut command = Command::new(root.program());
    command.args(["sup", "debug-bundle", "--timeout", timeout, "-o"]).arg(root.join(name));
    command.env_clear().env("FS_ROOT", root.path()).env("HAB_CTL_SECRET", SECRET);
    command.output().expect("the program starts")
}

/// The contents of an archive: of one part, or of all.
fn content(root: &Root, name: &str, part: Option<&str>) -> String {
    let mut tar = Command::new("tar");
    tar.arg("-xzOf").arg(root.join(name)).args(part.map(|part| format!("hab-debug/{part}")));
    let output = tar.output().expect("tar");
    assert!(output.status.success(), "{part:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_bundle_is_private_and_complete_and_holds_no_secrets_also_without_a_supervisor() {
    let root = root();
    let environment = "#!/bin/sh\necho a line of web\nexec sleep 100000\n";
    root.package(WEB, &[("hooks/run", environment), ("default.toml", "password = \"\"\n")]);
    root.package("acme/idle/1.0.0/20250101000000", &[("hooks/run", RUN)]);
    root.write("hab/user/web/config/user.toml", &format!("password = \"{SECRET}1\"\n"));
    root.spec("web", &format!("ident = \"acme/web\"\nsvc_encrypted_password = \"{SECRET}2\"\n"));
    root.spec("idle", "ident = \"acme/idle\"\ndesired_state = \"down\"\n");
    root.write("hab/sup/default/CTL_SECRET", &format!("{SECRET}3"));
    // A key whose text in base64 is found again, on one line and as the parsed key.
    let ring_key = "c2VjcmV0LXJpbmcta2V5LW9mLTMyLWJ5dGVzLWxvbmc=";
    let event_stream = format!("nats://me:{SECRET}7@127.0.0.1:1");
    let sup = root
        .supervisor()
        .args(["--event-stream-url", &event_stream, "--event-stream-application", "shop"])
        .args(["--event-stream-environment", "live"])
        .env("HAB_AUTOMATE_AUTH_TOKEN", &format!("{SECRET}8"))
        .env("HAB_RING_KEY", &format!("SYM-SEC-1\nhome-20250101000000\n\n{ring_key}"))
        .env("HAB_SUP_GATEWAY_AUTH_TOKEN", &format!("{SECRET}4"))
        .env("HAB_WEB", &format!("key = \"{SECRET}5\""))
        .env("DATABASE_URL", &format!("{SECRET}6"))
        .start();
    let lines = root.join("hab/sup/default/logs/web.default/current");
    testkit::wait_for("the line", || {
        std::fs::read_to_string(&lines).is_ok_and(|it| it.contains("a line of web")).then_some(())
    });
    let output = bundle(&root, "whole.tar.gz", "10");
    assert!(output.status.success(), "{output:?}");
    let mode = std::fs::metadata(root.join("whole.tar.gz")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let all = content(&root, "whole.tar.gz", None);
    let secrets = [SECRET, ring_key];
    let is_clean = |text: &str| !secrets.iter().any(|secret| text.contains(secret));
    assert!(is_clean(&all), "a secret is in it");
    sup.wait_log("The event stream does not reach");
    assert!(is_clean(&sup.log()), "a secret is in the log: {}", sup.log());
    let bearer = format!("Bearer {SECRET}4");
    for path in PATHS {
        let answer = sup.send("GET", path, &[("Authorization", &bearer)]).expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        assert!(is_clean(&answer.text()), "a secret is in {path}");
    }
    let manifest = content(&root, "whole.tar.gz", Some("MANIFEST"));
    for part in [
        "api/supervisor.json",
        "api/events.json",
        "api/metrics.txt",
        "api/web.default/explain.json",
        "api/web.default/stats.json",
        "api/web.default/config-keys.txt",
        "lines/web.default.txt",
        "specs.txt",
        "processes.txt",
        "machine.txt",
        "disk.txt",
    ] {
        assert!(manifest.contains(&format!("  {part} (")), "{part}: {manifest}");
    }
    assert!(
        content(&root, "whole.tar.gz", Some("lines/web.default.txt")).contains("a line of web")
    );
    let keys = content(&root, "whole.tar.gz", Some("api/web.default/config-keys.txt"));
    assert_eq!(keys, "password from user\nkey from environment\n");
    assert!(content(&root, "whole.tar.gz", Some("processes.txt")).contains("Name:\thab-sup"));
    assert!(!bundle(&root, "whole.tar.gz", "10").status.success(), "it replaces nothing");

    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    kill_process(supervisor, Signal::STOP).expect("it lives");
    assert!(bundle(&root, "hung.tar.gz", "1").status.success());
    let manifest = content(&root, "hung.tar.gz", Some("MANIFEST"));
    assert!(manifest.contains("Missing, and why:\n  api: "), "{manifest}");
    assert!(content(&root, "hung.tar.gz", Some("processes.txt")).contains("Name:\thab-sup"));

    drop(sup);
    root.lose_power();
    let output = bundle(&root, "dead.tar.gz", "1");
    assert!(output.status.success(), "{output:?}");
    let manifest = content(&root, "dead.tar.gz", Some("MANIFEST"));
    assert!(manifest.contains("  processes.txt: the launcher (process "), "{manifest}");
    assert!(manifest.contains("  lines/web.default.txt ("), "{manifest}");
    assert!(is_clean(&content(&root, "dead.tar.gz", None)));
}
