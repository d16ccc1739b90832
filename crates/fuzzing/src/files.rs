//! Files that an operator writes for the Supervisor.

use roost_sup::decoders;

/// Reads the text as a file with peers.
pub fn peers(data: &[u8]) {
    let peers = decoders::peers(&String::from_utf8_lossy(data));
    assert!(peers.len() <= 10_000);
}
