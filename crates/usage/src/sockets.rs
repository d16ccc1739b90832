//! Addresses that a network namespace listens on.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
};

use procfs::{
    FromBufReadSI, current_system_info,
    net::{TcpNetEntries, UdpNetEntries},
};

use crate::SOCKETS_MAX;

/// What is spoken on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP, of either version of IP.
    Tcp,
    /// UDP, of either version of IP.
    Udp,
}

/// An address that a process takes connections or datagrams on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listening {
    /// The protocol.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
}

/// Column `st` of a TCP socket that listens, and of a UDP socket that takes datagrams of all.
const LISTENS: &str = "0A";
const UNCONNECTED: &str = "07";
/// Longest line of these tables.
const LINE_BYTES_MAX: u64 = 512;

/// All such sockets in the network namespace of a process, by inode; `directory` is the process's
/// in `/proc`. `None` when the tables cannot be read.
pub(crate) fn all(directory: &Path) -> Option<BTreeMap<u64, Listening>> {
    let mut found = BTreeMap::new();
    let open = |name: &str| File::open(directory.join("net").join(name)).map(BufReader::new);
    for name in ["tcp", "tcp6"] {
        // A kernel without IPv6 has no table of it.
        let Ok(table) = open(name) else { continue };
        let lines = select(table, LISTENS, true).ok()?;
        let entries = TcpNetEntries::from_buf_read(lines.as_slice(), current_system_info()).ok()?;
        let listening = entries.0.iter().map(|entry| {
            let address = entry.local_address;
            (entry.inode, Listening { protocol: Protocol::Tcp, address })
        });
        found.extend(listening);
    }
    for name in ["udp", "udp6"] {
        let Ok(table) = open(name) else { continue };
        let lines = select(table, UNCONNECTED, false).ok()?;
        let entries = UdpNetEntries::from_buf_read(lines.as_slice(), current_system_info()).ok()?;
        let listening = entries.0.iter().map(|entry| {
            let address = entry.local_address;
            (entry.inode, Listening { protocol: Protocol::Udp, address })
        });
        found.extend(listening);
    }
    directory.join("net").exists().then_some(found)
}

/// The head of a table and its lines in a state. The kernel lists TCP sockets that listen before
/// all connections, of which there may be a million: `first` ends at the first other line.
fn select(mut table: impl BufRead, state: &str, first: bool) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    for number in 0..=SOCKETS_MAX {
        line.clear();
        if table.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let is_in_state = text.split_ascii_whitespace().nth(3) == Some(state);
        if number == 0 || is_in_state {
            kept.extend_from_slice(&line);
        } else if first {
            break;
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1111 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 2222 1 0 20 4 30 10 -1
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3333 1 0 100 0 0 10 0
";

    #[test]
    fn reading_ends_where_connections_begin() {
        let kept = select(TABLE.as_bytes(), LISTENS, true).expect("a table");
        assert_eq!(String::from_utf8(kept).expect("text").lines().count(), 2);
        let kept = select(TABLE.as_bytes(), LISTENS, false).expect("a table");
        assert_eq!(String::from_utf8(kept).expect("text").lines().count(), 3);
    }

    #[test]
    fn sockets_of_this_process_are_found_and_connections_are_not() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = tcp.local_addr().expect("an address");
        let stream = TcpStream::connect(address).expect("a connection");
        let found = all(Path::new("/proc/self")).expect("tables");
        let listening = |address| found.values().find(|it| it.address == address).copied();
        let expected = Some(Listening { protocol: Protocol::Tcp, address });
        assert_eq!(listening(address), expected);
        let address = udp.local_addr().expect("an address");
        assert_eq!(listening(address), Some(Listening { protocol: Protocol::Udp, address }));
        assert_eq!(listening(stream.local_addr().expect("an address")), None);
    }

    #[test]
    fn a_process_that_ended_has_no_tables() {
        assert_eq!(all(Path::new("/proc/4294967295")), None);
    }
}
