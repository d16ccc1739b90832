//! The dashboard in a real browser (Debian's chromium), against real Supervisors. Skipped where
//! there is no browser.
//!
//! `UPDATE_PICTURES=1 cargo test -p hab --test browser looks` writes the pictures of the
//! documentation; the pictures of each run are in `target/tmp/pictures`.

mod access;
mod input;
mod live;
mod looks;
mod many;

use std::{fs, path::PathBuf};

use serde_json::Value;
use testkit::{Page, Root, Supervisor};

/// A root for the program under test.
fn root() -> Root {
    Root::new(env!("CARGO_BIN_EXE_hab"))
}

/// A service that runs until it is stopped.
const RUN: &str = "#!/bin/sh\nexec sleep 100000\n";

/// Loads a service with these files besides its `run` hook.
fn service(root: &Root, name: &str, run: &str, files: &[(&str, &str)]) {
    let ident = format!("acme/{name}/1.4.2/20250101000000");
    let files: Vec<_> = [("hooks/run", run)].into_iter().chain(files.iter().copied()).collect();
    root.package(&ident, &files);
    root.spec(name, &format!("ident = \"acme/{name}\"\n"));
}

/// A root with a service that is well, one whose check is critical, one that ends, one that warns
/// and one that is stopped.
fn shop() -> Root {
    let root = root();
    let print = "#!/bin/sh\nn=0\nwhile :; do n=$((n+1)); echo \"GET /orders/$n 200 in $((n % 90)) ms\"\n\
         [ $((n % 7)) = 0 ] && echo \"slow: /orders/$n\" >&2\nsleep 1\ndone\n";
    let config =
        "port = 8080\nworkers = 4\n\n[database]\nhost = \"db.internal\"\npassword = \"hunter2\"\n";
    let ok = "#!/bin/sh\necho '200 OK in 3 ms'\n";
    service(&root, "web", print, &[("hooks/health-check", ok), ("default.toml", config)]);
    root.write("hab/user/web/config/user.toml", "workers = 8\n");
    let full = "#!/bin/sh\necho 'could not connect: too many clients already' >&2\nexit 2\n";
    service(&root, "db", RUN, &[("hooks/health-check", full)]);
    let tight = "#!/bin/sh\necho 'evicting keys: 91 % of memory used'\nexit 1\n";
    service(&root, "cache", RUN, &[("hooks/health-check", tight)]);
    let crash = "#!/bin/sh\necho 'connecting to queue.internal:5672'\n\
         echo 'Traceback (most recent call last):' >&2\n\
         echo 'ConnectionRefusedError: [Errno 111] Connection refused' >&2\nexit 1\n";
    service(&root, "worker", crash, &[]);
    service(&root, "mailer", RUN, &[]);
    root.spec("mailer", "ident = \"acme/mailer\"\ndesired_state = \"down\"\n");
    root
}

/// Waits until the services of the shop are as they stay.
fn wait_settled(sup: &Supervisor) {
    sup.wait_json("/v1/services", |list| {
        let is = |name: &str, key: &str, word: &str| {
            let mut items = list["items"].as_array().into_iter().flatten();
            items.any(|item| item["id"] == format!("{name}.default") && item[key] == word)
        };
        is("web", "health", "ok")
            && is("db", "health", "critical")
            && is("cache", "health", "warning")
            && is("worker", "state", "backing_off")
            && is("mailer", "state", "down")
    });
}

/// The address of a page of a Supervisor.
fn address(sup: &Supervisor, place: &str) -> String {
    format!("http://{}/{place}", sup.http)
}

/// Opens a page and waits until it is up to date.
fn open(page: &Page<'_>, sup: &Supervisor, place: &str) {
    page.open("about:blank");
    page.open(&address(sup, place));
    page.wait("document.querySelector('.link.fine') && document.querySelector('main h1')");
}

/// The texts of what a selector finds.
fn texts(page: &Page<'_>, selector: &str) -> Vec<String> {
    let script =
        format!("[...document.querySelectorAll({selector:?})].map((it) => it.textContent.trim())");
    serde_json::from_value(page.value(&script)).expect("a list of texts")
}

/// Expects that a page complained about nothing and asked nothing of anyone else.
fn assert_content(page: &Page<'_>, sup: &Supervisor) {
    assert_eq!(page.complaints(), Vec::<String>::new());
    let own = address(sup, "");
    let others = page.requested().into_iter();
    let others: Vec<_> = others.filter(|it| !it.starts_with(&own) && it != "about:blank").collect();
    assert_eq!(others, Vec::<String>::new());
}

/// Where the pictures of this run go.
fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&folder).expect("a folder for pictures");
    folder
}

/// The identifiers of the services that the API lists.
fn listed(sup: &Supervisor) -> Vec<Value> {
    let list = sup.get("/v1/services?limit=1000").json();
    list["items"].as_array().expect("a list").clone()
}
