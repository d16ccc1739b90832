//! Conditions that follow from the options of a start: ports that strangers reach.

use std::net::SocketAddr;

use crate::{
    conditions::{Conditions, Kind},
    config::{RingKeySource, SupConfig},
};

/// Notes what is open to every host that reaches a port. The HTTP gateway notes its own.
pub(crate) fn note(
    config: &SupConfig,
    control: &SocketAddr,
    gossip: &SocketAddr,
    conditions: &Conditions,
) {
    if !control.ip().is_loopback() && config.ctl.tls_key.is_none() {
        let text = format!(
            "the control gateway on {control} takes its secret and commands without encryption; \
             give --ctl-server-key and --ctl-server-certificate, or listen on 127.0.0.1"
        );
        conditions.note(Kind::InsecureListen, "control", &text);
    }
    if !gossip.ip().is_loopback() && config.ring.key == RingKeySource::None {
        let text = format!(
            "every host that reaches {gossip} can take part in the ring and read its gossip; give \
             --ring, or listen on 127.0.0.1"
        );
        conditions.note(Kind::RingKeyMissing, "gossip", &text);
    }
}
