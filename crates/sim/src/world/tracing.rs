//! Trace of a run: a line per message and event, for people.

use std::{io::Write, net::SocketAddr};

use bytes::Bytes;
use roost_ring::{Envelope, Event, Member, MemberId, Rumor, Swim, SwimKind};

use super::World;
use crate::node::number_of;

/// Length of generated ids.
const ID_CHARS: usize = 32;

impl World {
    /// Writes a line when tracing: seconds since the start, and the event.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.tracing {
            let at = self.now.0 as f64 / 1e6;
            // the reader may have closed the pipe
            let _ = writeln!(std::io::stdout().lock(), "{at:>11.6}  {}", line());
        }
    }

    /// A member's name for people: its number.
    fn name_of(&self, id: &MemberId) -> String {
        self.number_of_id(id).map_or_else(|| format!("stranger {id}"), |n| n.to_string())
    }

    fn place(&self, address: SocketAddr) -> String {
        number_of(address)
            .filter(|number| *number < self.nodes.len())
            .map_or_else(|| address.to_string(), |number| number.to_string())
    }

    /// An event of a member, with numbers in place of ids.
    pub(crate) fn tell_event(&self, number: usize, event: &Event) -> String {
        let text = event.to_string();
        let words = text.split(' ').map(|word| {
            let id: String = word.chars().take_while(char::is_ascii_alphanumeric).collect();
            match self.number_of_id(&MemberId::new(&id)) {
                Some(known) if id.len() == ID_CHARS => word.replacen(&id, &known.to_string(), 1),
                _ => word.into(),
            }
        });
        format!("{number}: {}", words.collect::<Vec<_>>().join(" "))
    }

    /// A datagram: sender, receiver, and its news about others.
    pub(crate) fn tell_datagram(&self, from: usize, to: SocketAddr, bytes: &Bytes) -> String {
        let head = format!("{from} -> {}  ", self.place(to));
        let swim = Envelope::new(self.key_of(from)).unwrap(bytes).and_then(Swim::decode);
        let Ok(Swim { kind, memberships }) = swim else { return head + "not readable" };
        let for_whom = |forward_to: &Option<Member>| {
            forward_to
                .as_ref()
                .map_or_else(String::new, |m| format!(" for {}", self.name_of(&m.id)))
        };
        let what = match &kind {
            SwimKind::Ping { forward_to, .. } => format!("PING{}", for_whom(forward_to)),
            SwimKind::Ack { forward_to, .. } => format!("ACK{}", for_whom(forward_to)),
            SwimKind::PingReq { target, .. } => format!("PINGREQ of {}", self.name_of(&target.id)),
            SwimKind::ProbePing { .. } => "PROBEPING".into(),
        };
        let news = memberships.iter().map(|news| {
            let (member, health) = (&news.member, news.health);
            format!("{} {health:?} in {}", self.name_of(&member.id), member.incarnation)
        });
        let news: Vec<String> = news.collect();
        let incarnation = kind.from().incarnation;
        format!("{head}{what}, own incarnation {incarnation} [{}]", news.join(", "))
    }

    /// A push of rumors: receiver, rumors, and whether it arrives.
    pub(crate) fn tell_push(
        &self,
        from: usize,
        to: SocketAddr,
        messages: &[Bytes],
        arrives: bool,
    ) -> String {
        let envelope = Envelope::new(self.key_of(from));
        let rumors =
            messages.iter().map(|message| match envelope.unwrap(message).and_then(Rumor::decode) {
                Ok(Rumor::Member(_, news)) => {
                    let (id, incarnation) = (&news.member.id, news.member.incarnation);
                    format!("{} {:?} in {incarnation}", self.name_of(id), news.health)
                }
                Ok(Rumor::Election(e)) => {
                    let who = self.name_of(&e.member_id);
                    format!("{} term {} {:?} {who}", e.group, e.term, e.status)
                }
                Ok(rumor) => rumor.kind().as_str().into(),
                Err(_) => "not readable".into(),
            });
        let rumors: Vec<String> = rumors.collect();
        let outcome = if arrives { "" } else { "  does not arrive" };
        format!("{from} => {}  rumors [{}]{outcome}", self.place(to), rumors.join(", "))
    }
}
