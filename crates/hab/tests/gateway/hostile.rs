//! Clients that are hostile, or vanish.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use super::{frame, handshake, holds, ok, root_with_web, secret, talk, wait_gone};

#[test]
fn wrong_half_and_endless_handshakes_get_nowhere() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    assert!(holds(&talk(sup.ctl, &handshake("wrong")), "secret key mismatch"));
    assert!(holds(&talk(sup.ctl, &handshake("")), "secret key mismatch"));
    // Without a handshake, the server does nothing and sends nothing.
    assert_eq!(talk(sup.ctl, &frame(1, "SupRestart", b"")), b"");
    assert_eq!(talk(sup.ctl, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"), b"");
    // The server does not wait for a frame that exceeds the limit of a handshake.
    let announced = [&0x809f_ffff_u32.to_be_bytes()[..], &[0; 4], b"Handshake"].concat();
    assert_eq!(talk(sup.ctl, &announced), b"");
    // The server waits a limited time for half a handshake, without blocking others.
    let mut half = TcpStream::connect(sup.ctl).expect("a connection");
    half.write_all(&handshake(&secret(&sup))[..10]).expect("sent");
    ok(&sup, &["svc", "status"]);
    half.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
    let mut rest = Vec::new();
    half.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"");
    assert_eq!(sup.wait_up("web"), pid);
}

#[test]
fn the_longest_frame_is_read_and_refused() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    let bytes = [handshake(&secret(&sup)), frame(1, "SvcLoad", &vec![0xff; 1_048_575])].concat();
    let answer = talk(sup.ctl, &bytes);
    assert!(holds(&answer, "NetOk"), "the handshake is answered");
    assert!(!holds(&answer, "NetErr"), "a body that is none is not");
    // A configuration of a megabyte is a legal frame.
    let mut body = vec![0x0a, 0x07, 0x0a, 0x01, b'a', 0x12, 0x02, b'b', b'c', 0x12];
    let size = 1_000_000_u32;
    body.extend([0xc0, 0x84, 0x3d]);
    body.extend(std::iter::repeat_n(b' ', usize::try_from(size).expect("small")));
    body.extend([0x18, 1]);
    let bytes = [handshake(&secret(&sup)), frame(1, "SvcSetCfg", &body)].concat();
    assert!(holds(&talk(sup.ctl, &bytes), "Configuration too large."));
    ok(&sup, &["svc", "status"]);
}

#[test]
fn thousands_of_silent_connections_keep_nobody_out() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let descriptors = || {
        let pid = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero();
        std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
    };
    let before = descriptors();
    let mut held = Vec::new();
    for number in 0..5_000 {
        let Ok(stream) = TcpStream::connect(sup.ctl) else { continue };
        // Half of them stay.
        if number % 2 == 0 && held.len() < 400 {
            held.push(stream);
        }
    }
    // Connections closed for others end a moment later.
    testkit::wait_for("few descriptors", || (descriptors() < before + 200).then_some(()));
    ok(&sup, &["svc", "status"]);
    let health = sup.get("/services/web/default/health");
    assert_eq!(health.json()["status"], "OK");
    drop(held);
    testkit::wait_for("the end of the connections", || (descriptors() <= before + 4).then_some(()));
    assert_eq!(sup.wait_up("web"), pid);
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_a_load_leaves_a_loaded_service() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    let ident = b"\x0a\x0b\x0a\x04acme\x12\x03web";
    let mut stream = TcpStream::connect(sup.ctl).expect("a connection");
    stream.write_all(&handshake(&secret(&sup))).expect("sent");
    stream.write_all(&frame(1, "SvcLoad", ident)).expect("sent");
    stream.shutdown(Shutdown::Both).expect("gone");
    drop(stream);
    sup.wait_up("web");
    ok(&sup, &["svc", "unload", "--wait", "acme/web"]);
    wait_gone(&sup, "web.default");
}

#[test]
fn two_clients_at_once_leave_a_service_that_one_of_them_wanted() {
    let root = root_with_web();
    let sup = root.supervisor().start();
    let ctl = sup.ctl.to_string();
    let spawn = |args: &[&str]| {
        let args = args.iter().copied().chain(["-r", &ctl]);
        let mut command = sup.command(args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("it starts")
    };
    for round in 0..5 {
        let loads: Vec<_> = (0..4).map(|_| spawn(&["svc", "load", "acme/web"])).collect();
        let codes: Vec<_> = loads
            .into_iter()
            .map(|child| child.wait_with_output().expect("it ends").status.code())
            .collect();
        let won = codes.iter().filter(|code| **code == Some(0)).count();
        assert_eq!(won, 1, "round {round}: one loads, the others hear that it is loaded");
        sup.wait_up("web");
        let both = [spawn(&["svc", "stop", "acme/web"]), spawn(&["svc", "start", "acme/web"])];
        for child in both {
            assert!(child.wait_with_output().expect("it ends").status.success());
        }
        let wanted = sup.wait_json("/services/web/default", |service| {
            let up = service["process"]["state"] == "up";
            up == (service["desired_state"] == "Up")
        });
        println!("round {round}: desired {}", wanted["desired_state"]);
        ok(&sup, &["svc", "unload", "--wait", "acme/web"]);
    }
    assert!(root.processes().len() <= 2, "launcher and Supervisor");
}
