//! The socket of the HTTP gateway for tools on the same machine.

use std::{fs, os::unix::fs::MetadataExt};

use testkit::{Supervisor, wait_for};

use super::{Said, root, root_with_web};

const SOCKET: &str = "hab/sup/default/http.sock";

fn check(sup: &Supervisor) -> Said {
    Said::from(sup.hab(["svc", "check", "web"]))
}

#[test]
fn commands_ask_the_supervisor_of_this_root_without_a_token() {
    let root = root_with_web();
    let sup =
        root.supervisor().args(["acme/web"]).env("HAB_SUP_GATEWAY_AUTH_TOKEN", "sekret").start();
    let socket = root.join(SOCKET);
    let found = fs::metadata(&socket).expect("a socket");
    assert_eq!(found.mode() & 0o7777, 0o600);
    wait_for("the check is OK", || (check(&sup).code == 0).then_some(()));
    let said = check(&sup);
    assert_eq!(said.stdout, "OK: web.default - checked\n", "{said:?}");
    assert_eq!(sup.get("/services").status(), 401, "the port still needs the token");

    // The next Supervisor replaces the socket that the former one left.
    let former = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(former, rustix::process::Signal::KILL).expect("killed");
    wait_for("another socket", || {
        let is_new = fs::metadata(&socket).is_ok_and(|now| now.ino() != found.ino());
        (is_new && check(&sup).code == 0).then_some(())
    });
    let names = fs::read_dir(root.join("hab/sup/default")).expect("a directory");
    let names: Vec<_> = names.map(|it| it.expect("an entry").file_name()).collect();
    assert_eq!(names.iter().filter(|name| name.to_string_lossy().contains(".sock")).count(), 1);
}

#[test]
fn without_a_supervisor_of_this_root_no_other_one_is_asked() {
    let root = root_with_web();
    let mut sup = root.supervisor().start();
    assert_eq!(sup.stop(), 0);
    let said = check(&sup);
    assert_eq!(said.code, 3, "{said:?}");
    let start = "UNKNOWN: web.default - no Supervisor answers at ";
    assert!(said.stdout.starts_with(start) && said.stdout.contains(SOCKET), "{said:?}");
}

#[test]
fn a_file_in_the_place_of_the_socket_costs_the_supervisor_nothing() {
    let root = root();
    root.write(SOCKET, "kept");
    let sup = root.supervisor().start();
    sup.wait_log("commands on this machine need --url");
    assert_eq!(sup.get("/services").text(), "[]");
    assert_eq!(root.read(SOCKET), "kept");
}
