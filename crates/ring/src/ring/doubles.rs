//! Actions of the member when two machines seem to use one id.

use std::net::{IpAddr, SocketAddr};

use super::Ring;
use crate::{
    counters::SwimType,
    double::Heard,
    member::Member,
    output::Event,
    swim::{Swim, SwimKind},
    time::Now,
};

impl Ring {
    /// A datagram from `member` came from `source`.
    pub(super) fn notice_double(&mut self, now: Now, member: &Member, source: SocketAddr) {
        if member.id == self.me.id {
            // It may be this member itself, if its own address is among the initial peers: only the
            // caller knows the addresses of the machine.
            if self.doubles.own_id_is_due(now) {
                self.note(Event::OwnIdHeard { from: source });
            }
            return;
        }
        let Some(known) = self.table.get(&member.id) else { return };
        let known = SocketAddr::new(IpAddr::V4(known.address), known.swim_port);
        let from = SocketAddr::new(source.ip().to_canonical(), member.swim_port);
        match self.doubles.hear(now, &member.id, from, known) {
            Heard::Nothing => {}
            Heard::Ask(other) => {
                // Without memberships: the answer must not be longer than the datagram that
                // triggered it.
                for place in [other, from] {
                    let kind = SwimKind::Ping { from: self.own_member(), forward_to: None };
                    let ping = Swim { kind, memberships: Vec::new() };
                    self.send_swim(place, SwimType::Ping, ping.encode());
                }
            }
            Heard::Copied(other) => {
                // in sorted order, so that the log line is always the same
                let (one, other) = (from.min(other), from.max(other));
                self.note(Event::Copied { id: member.id.clone(), one, other });
            }
        }
    }
}
