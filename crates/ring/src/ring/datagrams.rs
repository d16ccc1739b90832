//! Datagrams: answers to them, and updates from them (reference: ring §4).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;

use crate::{
    counters::SwimType,
    dropped::Dropped,
    heat::Cursor,
    id::MemberId,
    limits::DATAGRAM_BYTES_MAX,
    member::{Health, Member, Membership},
    output::Event,
    ring::Ring,
    standing::Source,
    swim::{Swim, SwimKind},
    time::Now,
};

/// Hot member rumors sent along with a message, besides the receiver's own membership.
const RIDERS_MAX: usize = 5;

impl Ring {
    /// Takes a datagram.
    pub(super) fn receive_datagram(
        &mut self,
        now: Now,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        if bytes.len() > DATAGRAM_BYTES_MAX {
            self.counters.swim_unwrap_failed.add(bytes.len());
            return Err(Dropped::TooLong);
        }
        let IpAddr::V4(ip) = source.ip().to_canonical() else {
            return Err(Dropped::AddressNotIpv4);
        };
        let (payload, nonce) = self
            .envelope
            .open(bytes)
            .inspect_err(|_| self.counters.swim_unwrap_failed.add(bytes.len()))?;
        if nonce.is_some_and(|nonce| !self.replays.is_new(nonce)) {
            return Err(Dropped::Replayed);
        }
        let (size, opened) = (bytes.len(), payload.len());
        let Swim { kind, memberships } = Swim::decode(payload)
            .inspect_err(|_| self.counters.swim_undecodable.add_opened(size, opened))?;
        let swim_type = type_of(&kind);
        self.counters.swim_received.entry(swim_type).or_default().add_opened(size, opened);
        if let Some(sender) = self.sender(&kind) {
            self.notice_double(now, sender, source);
        }
        match kind {
            SwimKind::Ping { from, forward_to } => {
                self.receive_ping(now, source, ip, from, forward_to, memberships)
            }
            SwimKind::Ack { from, forward_to } => {
                self.receive_ack(now, ip, from, forward_to, memberships)
            }
            SwimKind::PingReq { from, target } => {
                self.receive_pingreq(now, ip, from, &target.id, memberships)
            }
            SwimKind::ProbePing { from } => self.receive_probeping(now, source, ip, &from),
        }
    }

    /// The author of the datagram: not the member whose answer was forwarded.
    fn sender<'a>(&self, kind: &'a SwimKind) -> Option<&'a Member> {
        match kind {
            SwimKind::Ack { forward_to: Some(asker), .. } if asker.id == self.me.id => None,
            SwimKind::Ping { from, .. }
            | SwimKind::Ack { from, .. }
            | SwimKind::PingReq { from, .. }
            | SwimKind::ProbePing { from } => Some(from),
        }
    }

    fn receive_ping(
        &mut self,
        now: Now,
        source: SocketAddr,
        ip: Ipv4Addr,
        mut from: Member,
        forward_to: Option<Member>,
        memberships: Vec<Membership>,
    ) -> Result<(), Dropped> {
        // first the answer, so that on first contact it does not mention the sender
        let ack = SwimKind::Ack { from: self.own_member(), forward_to };
        let sent = self.say_swim(source, ack, Some(&from.id));
        from.address = Some(ip);
        let applied = self.apply_memberships(now, &from.id, memberships);
        self.hear_from(now, &from, ip, sent)?;
        applied
    }

    fn receive_ack(
        &mut self,
        now: Now,
        ip: Ipv4Addr,
        mut from: Member,
        forward_to: Option<Member>,
        memberships: Vec<Membership>,
    ) -> Result<(), Dropped> {
        let address = match &forward_to {
            Some(asker) if asker.id != self.me.id => {
                let to = asker.swim_addr();
                let id = asker.id.clone();
                from.address = Some(ip);
                let kind = SwimKind::Ack { from, forward_to };
                return self.relay(to, &id, &Swim { kind, memberships });
            }
            // the relay has filled in the address
            Some(_) => from.address,
            None => Some(ip),
        };
        let applied = self.apply_memberships(now, &from.id, memberships);
        if address.is_none_or(|address| self.is_from(&from, address)) {
            self.probe_answered(now, &from.id);
        }
        let address = address.ok_or(Dropped::AddressNotIpv4)?;
        from.address = Some(address);
        self.hear_from(now, &from, address, Cursor::default())?;
        applied
    }

    /// Forwards an answer unchanged to the member that asked for it.
    fn relay(&mut self, to: Option<SocketAddr>, id: &MemberId, ack: &Swim) -> Result<(), Dropped> {
        let Some(to) = to else {
            self.note(Event::AckAbandoned { id: id.clone() });
            return Err(Dropped::AddressNotIpv4);
        };
        self.send_swim(to, SwimType::Ack, ack.encode());
        Ok(())
    }

    fn receive_pingreq(
        &mut self,
        now: Now,
        ip: Ipv4Addr,
        mut from: Member,
        target: &MemberId,
        memberships: Vec<Membership>,
    ) -> Result<(), Dropped> {
        // Habitat drops these although their sender counts them as sent
        let applied = self.apply_memberships(now, &from.id, memberships);
        let to = self.table.get(target).and_then(|target| target.member().swim_addr());
        let to = to.ok_or(Dropped::UnknownTarget)?;
        from.address = Some(ip);
        let ping = SwimKind::Ping { from: self.own_member(), forward_to: Some(from) };
        self.say_swim(to, ping, Some(target));
        applied
    }

    fn receive_probeping(
        &mut self,
        now: Now,
        source: SocketAddr,
        ip: Ipv4Addr,
        from: &Member,
    ) -> Result<(), Dropped> {
        self.answer_doubt(now);
        let ack = SwimKind::Ack { from: self.own_member(), forward_to: None };
        self.say_swim(source, ack, Some(&from.id));
        let health = if from.departed { Health::Departed } else { Health::Alive };
        self.insert(now, from, ip, health, Source::Direct).map(|_| ())
    }

    /// Applies all valid memberships; returns the error of the first invalid one.
    fn apply_memberships(
        &mut self,
        now: Now,
        author: &MemberId,
        memberships: Vec<Membership>,
    ) -> Result<(), Dropped> {
        let mut result = Ok(());
        for membership in memberships {
            let applied = self.apply_membership(now, author, membership);
            result = result.and(applied);
        }
        result
    }

    /// Sends a message with the memberships that belong to it (reference: ring §4.2) and counts
    /// them as sent to `towards`. Tells what that one has been sent now.
    pub(super) fn say_swim(
        &mut self,
        to: SocketAddr,
        kind: SwimKind,
        towards: Option<&MemberId>,
    ) -> Cursor {
        let ((swim_type, payload), sent) = self.compose(kind, towards);
        self.send_swim(to, swim_type, payload);
        sent
    }

    /// The encoded message with memberships for `towards`, and what that one has been sent then.
    pub(super) fn compose(
        &mut self,
        kind: SwimKind,
        towards: Option<&MemberId>,
    ) -> ((SwimType, Vec<u8>), Cursor) {
        let swim_type = type_of(&kind);
        let place = towards.and_then(|id| self.table.find(id));
        let entry = place.map(|place| self.table.at(place));
        let before = entry.map_or_else(Cursor::default, |entry| entry.sent_members);
        let hot: Vec<_> =
            self.table.heat.hot(before, self.config.share_limit).take(RIDERS_MAX).collect();
        let own = entry.map(crate::table::Entry::membership);
        let cools = entry.is_some_and(|entry| !entry.is_persistent_and_confirmed());
        let mut swim = Swim { kind, memberships: own.into_iter().collect() };
        let fixed = swim.memberships.len();
        swim.memberships.extend(hot.iter().map(|hot| self.table.at(hot.rumor).membership()));
        let bytes_max = DATAGRAM_BYTES_MAX - self.envelope.overhead_bytes();
        let mut bytes = swim.encode();
        while bytes.len() > bytes_max && swim.memberships.pop().is_some() {
            bytes = swim.encode();
        }
        let sent = swim.memberships.len().saturating_sub(fixed);
        let after = hot[..sent].last().map_or(before, |hot| hot.after);
        if let Some(place) = place
            && cools
        {
            self.table.at_mut(place).sent_members = after;
        }
        ((swim_type, bytes), after)
    }

    pub(super) fn send_swim(&mut self, to: SocketAddr, swim_type: SwimType, payload: Vec<u8>) {
        let bytes: Bytes = self.envelope.wrap(payload, &mut self.rng);
        // a PROBEPING counts as ping (reference: ring §15.3)
        let counted = if swim_type == SwimType::ProbePing { SwimType::Ping } else { swim_type };
        self.send(to, bytes, counted);
    }
}

const fn type_of(kind: &SwimKind) -> SwimType {
    match kind {
        SwimKind::Ping { .. } => SwimType::Ping,
        SwimKind::Ack { .. } => SwimType::Ack,
        SwimKind::PingReq { .. } => SwimType::PingReq,
        SwimKind::ProbePing { .. } => SwimType::ProbePing,
    }
}
