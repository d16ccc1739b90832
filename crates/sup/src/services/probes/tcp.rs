//! Checks of a TCP port.

use roost_service::monitor::TcpTarget;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    ANSWER_BYTES_MAX,
    connect::{Lookups, connect},
    contains, first_line,
};

/// Connects, sends and compares as asked; returns what is OK or not.
pub(super) async fn check(target: &TcpTarget, lookups: &Lookups) -> Result<String, String> {
    let address = &target.address;
    let mut stream = connect(address, lookups).await?;
    if let Some(text) = &target.send {
        let sent = stream.write_all(text.as_bytes()).await;
        sent.map_err(|error| format!("cannot send to {address}: {error}"))?;
    }
    let Some(expected) = &target.expect else { return Ok(format!("connected to {address}")) };
    let (mut answer, mut piece) = (Vec::new(), [0; 4_096]);
    while answer.len() < ANSWER_BYTES_MAX {
        let read = stream.read(&mut piece).await;
        let count = read.map_err(|error| format!("cannot read from {address}: {error}"))?;
        answer.extend_from_slice(&piece[..count]);
        if contains(&answer, expected) {
            return Ok(format!("the expected answer from {address}"));
        }
        if count == 0 {
            break;
        }
    }
    Err(match first_line(&answer) {
        Some(line) => format!("not the expected answer from {address}: {line}"),
        None => format!("no answer from {address}"),
    })
}
