//! Initial peers of members.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use super::{first, health_of, joining, root, wait_converged, wait_health};

#[test]
fn peers_are_found_through_a_file_that_is_written_later() {
    let (root_a, root_b) = (root(), root());
    let a = first(&root_a, &[]);
    let file = root_b.join("peers.txt");
    let b = first(&root_b, &["--peer-watch-file", &file.display().to_string()]);
    root_b.write("peers.txt", &format!("\nno such host at all\n{}\n", a.gossip));
    wait_converged(&[&a, &b]);
    b.wait_log("hab-sup(PW): Failed to resolve peer: no such host at all");
}

#[test]
fn halves_that_gave_each_other_up_meet_again_when_one_is_permanent() {
    let (root_a, root_b) = (root(), root());
    let a = first(&root_a, &["--permanent-peer"]);
    let b = joining(&root_b, &a, &[]);
    wait_converged(&[&a, &b]);
    let (id_a, id_b) = (a.member_id(), b.member_id());
    let known = b.get("/butterfly").json()["member"]["members"][&id_a].clone();
    assert_eq!(known["persistent"], true);

    // To the others, a paused machine looks like one behind a network partition.
    let stopped = [a.launcher_pid(), a.supervisor_pid().expect("a Supervisor")];
    for pid in stopped {
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it lives");
    }
    wait_health(&b, &id_a, "Confirmed");
    for pid in stopped {
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("it lives");
    }
    wait_converged(&[&a, &b]);
    assert_eq!(health_of(&a, &id_b), "Alive");
}

#[test]
fn local_gossip_mode_listens_on_the_second_loopback_address() {
    let address = SocketAddr::from(([127, 0, 0, 2], 9638));
    if UdpSocket::bind(address).is_err() {
        // Another test on this machine may use the same.
        return;
    }
    let root = root();
    let sup = root.supervisor().without_gossip_address().args(["--local-gossip-mode"]).start();
    sup.wait_log("Starting gossip-listener on 127.0.0.2:9638");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    stranger.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    // A PING without its membership (reference: ring §19.1).
    let id = b"0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let mut ping = vec![0x1a, 0x38, 0x08, 0x01, 0x12, 0x34, 0x0a, 0x32, 0x0a, 0x20];
    ping.extend_from_slice(id);
    ping.extend_from_slice(&[0x10, 3, 0x1a, 0, 0x20, 0xa6, 0x4b, 0x28, 0xa6, 0x4b]);
    ping.extend_from_slice(&[0x30, 0, 0x38, 0, 0x40, 0]);
    stranger.send_to(&ping, address).expect("sent");
    let mut answer = [0; 2048];
    let (size, from) = stranger.recv_from(&mut answer).expect("an answer");
    assert_eq!(from, address);
    assert!(answer[..size].windows(2).any(|pair| pair == [0x08, 0x02]), "an ACK");
    wait_health(&sup, "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "Alive");
}

#[test]
fn a_peer_that_cannot_be_resolved_keeps_nothing_from_running() {
    let (root_a, root_b) = (super::installed(), root());
    let b = first(&root_b, &[]);
    let gossip = b.gossip.to_string();
    let a = first(&root_a, &["acme/db", "--peer", "db-1.invalid", "--peer", &gossip]);
    a.wait_up("db");
    wait_converged(&[&a, &b]);
    a.wait_log("hab-sup(PW): Failed to resolve peer: db-1.invalid:9638 (");
    let unresolved = "hab_sup_conditions{condition=\"peer-unresolved\"}";
    testkit::wait_for("the condition", || (super::metric(&a, unresolved) == 1.0).then_some(()));
}

#[test]
fn a_file_with_peers_is_read_again_until_every_line_can_be_used() {
    let (root_a, root_b) = (root(), root());
    let a = first(&root_a, &[]);
    let file = root_b.join("peers.txt");
    std::fs::create_dir(&file).expect("a directory");
    let b = first(&root_b, &["--peer-watch-file", &file.display().to_string()]);
    b.wait_log("peers.txt: is not a regular file but a directory");
    std::fs::remove_dir(&file).expect("a directory");
    root_b.write("peers.txt", &format!("{}\n", a.gossip));
    wait_converged(&[&a, &b]);
    b.wait_log("can be read again");
}
