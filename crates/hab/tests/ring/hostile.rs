//! Garbage and floods on the ring's port.

use std::{
    io::{Read, Write},
    net::{TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use testkit::Supervisor;

use super::{first, installed, joining, metric, wait_converged};

/// Memory in use by the Supervisor's process, in bytes.
fn memory_bytes(sup: &Supervisor) -> u64 {
    let pid = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

/// Cheap noise that is different each time.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 56).to_le_bytes()[0];
        }
    }
}

#[test]
fn garbage_and_floods_do_not_disturb_a_ring() {
    let (root_a, root_b) = (installed(), installed());
    let a = first(&root_a, &["acme/db"]);
    let b = joining(&root_b, &a, &["acme/web", "--bind", "db:db.default"]);
    wait_converged(&[&a, &b]);
    let pid = b.wait_up("web");
    let supervisor = a.supervisor_pid();
    let before = memory_bytes(&a);

    let mut noise = Noise(7);
    let udp = UdpSocket::bind((a.gossip.ip(), 0)).expect("a socket");
    let started = Instant::now();
    let mut sent = 0_u32;
    while started.elapsed() < Duration::from_secs(3) {
        let mut datagram = [0; 1400];
        noise.fill(&mut datagram);
        let size = usize::from(u16::from_le_bytes([datagram[0], datagram[1]])) % datagram.len();
        sent += u32::from(udp.send_to(&datagram[..size], a.gossip).is_ok());
    }
    // Silent connections, half a greeting, noise, or an endless frame.
    let greeting: Vec<u8> =
        [&[0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1][..], b"NULL", &[0; 48]].concat();
    let ready = [&[4, 26, 5][..], b"READY", &[11], b"Socket-Type", &[0, 0, 0, 4], b"PUSH"].concat();
    let mut endless = vec![2];
    endless.extend_from_slice(&u64::MAX.to_be_bytes());
    let mut held = Vec::new();
    for round in 0..400 {
        let Ok(mut stream) = TcpStream::connect(a.gossip) else { continue };
        let mut bytes = vec![0; 300];
        noise.fill(&mut bytes);
        let bytes = match round % 5 {
            0 => Vec::new(),
            1 => greeting[..20].to_vec(),
            2 => bytes,
            3 => [&greeting[..], &ready, &endless].concat(),
            _ => [&greeting[..], &ready, &[0, 200], &bytes[..200]].concat(),
        };
        // The other side may have closed already.
        let _ = stream.write_all(&bytes);
        held.push(stream);
    }
    println!("{sent} datagrams, {} connections", held.len());
    testkit::wait_for("counted drops", || {
        let text = a.get("/metrics").text();
        let dropped = text.lines().filter(|l| l.starts_with("hab_butterfly_dropped_total{"));
        let total: f64 = dropped.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        (total > 100.0).then_some(())
    });
    // The server closed the connection with the endless frame immediately.
    let endless = &mut held[3];
    endless.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    let mut rest = Vec::new();
    let _ = endless.read_to_end(&mut rest);

    wait_converged(&[&a, &b]);
    assert_eq!(a.supervisor_pid(), supervisor);
    assert_eq!(b.wait_up("web"), pid);
    let line = format!("Dropped a message of the ring from {}:", a.gossip.ip());
    assert_eq!(a.log().matches(&line).count(), 1, "{}", a.log());
    let after = memory_bytes(&a);
    println!("memory {before} before, {after} after");
    assert!(after < before + 8 * 1024 * 1024, "memory {before} before, {after} after");

    // Gossip continues while the connections exist.
    let config = root_a.join("new.toml");
    std::fs::write(&config, "port = 7001\n").expect("a file");
    super::hab(&a, &["config", "apply", "db.default", "1", &config.display().to_string()]);
    let expected = format!("{}:7001 ", a.gossip.ip());
    testkit::wait_for("the new port at the other member", || {
        (root_b.read("hab/svc/web/config/db.txt") == expected).then_some(())
    });
    assert!(metric(&a, "hab_butterfly_incarnation_number") < 3.0);
    drop(held);
}
