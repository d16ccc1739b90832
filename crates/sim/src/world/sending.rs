//! What members send each other, on its way through the network.

use std::net::SocketAddr;

use bytes::Bytes;
use roost_ring::{Command, Input, Now};

use super::{Happening, World};
use crate::{liar::Message, node::number_of};

/// Timeout of a connection that cannot be made.
const PUSH_TIMEOUT_US: u64 = 500_000;
impl World {
    fn member_at(&self, address: SocketAddr) -> Option<usize> {
        number_of(address).filter(|number| *number < self.nodes.len())
    }

    pub(super) fn send(&mut self, from: usize, to: SocketAddr, bytes: &Bytes) {
        self.nodes[from].sent_bytes += bytes.len() as u64;
        self.trace(|| self.tell_datagram(from, to, bytes));
        let Some(to) = self.member_at(to) else { return };
        self.record(from, || Message::Datagram(bytes.clone()));
        let key = Some(self.nodes[from].wrong_key);
        for delay in self.net.arrivals(from, to, &mut self.random).into_iter().flatten() {
            let at = Now(self.now.0 + delay);
            self.put(at, Happening::Datagram { from, to, bytes: bytes.clone(), key });
        }
    }

    /// A forged datagram arrives.
    pub(crate) fn deliver_datagram(&mut self, from: usize, to: usize, bytes: Bytes) {
        self.put(self.now, Happening::Datagram { from, to, bytes, key: None });
    }

    /// Forged rumors arrive.
    pub(crate) fn deliver_gossip(&mut self, to: usize, messages: Vec<Bytes>) {
        self.put(self.now, Happening::Gossip { to, messages, key: None });
    }

    pub(super) fn push(&mut self, from: usize, push: u64, to: SocketAddr, messages: Vec<Bytes>) {
        let bytes: usize = messages.iter().map(Bytes::len).sum();
        let count = messages.len();
        let running = self.member_at(to).filter(|to| self.nodes[*to].ring.is_some());
        let reached = running.filter(|to| self.net.connects(from, *to));
        self.trace(|| self.tell_push(from, to, &messages, reached.is_some()));
        let took_us = if let Some(to) = reached {
            self.nodes[from].sent_bytes += bytes as u64;
            for message in &messages {
                self.record(from, || Message::Gossip(message.clone()));
            }
            // round trip for the connection, one way for the content
            let took_us = 3 * self.net.latency_us(&mut self.random);
            let key = Some(self.nodes[from].wrong_key);
            self.put(Now(self.now.0 + took_us), Happening::Gossip { to, messages, key });
            took_us
        } else {
            PUSH_TIMEOUT_US
        };
        let sent = if reached.is_some() { count } else { 0 };
        let ended = Happening::PushEnded { node: from, push, sent };
        self.put(Now(self.now.0 + took_us), ended);
    }

    /// Sends a command to a member.
    pub fn tell(&mut self, number: usize, command: Command) {
        let node = &mut self.nodes[number];
        let local = node.local(self.now);
        if let Some(ring) = &mut node.ring {
            if let Err(dropped) = ring.handle(local, Input::Command(command)) {
                *self.dropped.entry(dropped.reason()).or_default() += 1;
            }
            self.after_step(number);
        }
    }
}
