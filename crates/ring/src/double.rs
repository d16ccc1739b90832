//! Two machines with one member id: a copy of a disk or of a virtual machine was started. Their
//! incarnations may be equal, so what counts is from where they are heard: a member that moved
//! is heard from its new place only, two machines from both by turns. In a large ring a member
//! hears another one seldom, so it does not wait for that: it pings both places, and two machines
//! answer.

use std::net::{IpAddr, SocketAddr};

use crate::{
    counters::SwimType,
    id::MemberId,
    member::Member,
    output::Event,
    ring::Ring,
    swim::{Swim, SwimKind},
    time::Now,
};

/// Turns from one place to the other within [`TURNS_MS`] that one machine does not take. A late
/// datagram from a place that was left makes two.
const TURNS: u32 = 4;
const TURNS_MS: u64 = 60_000;
/// From one line about an id to the next.
const SAID_MS: u64 = 600_000;
/// How often both places are pinged within [`TURNS_MS`]: answers can get lost.
const ASKS_MAX: u32 = 4;
/// Ids that are watched at a time. Only those heard from two places are.
const WATCHED_MAX: usize = 64;
/// From one look at a sender with the own id to the next.
const OWN_ID_MS: u64 = 10_000;

/// Ids that were heard from more than one place.
#[derive(Debug, Default)]
pub(crate) struct Doubles {
    watched: Vec<Watched>,
    own_id_at: Option<Now>,
}

#[derive(Debug)]
struct Watched {
    id: MemberId,
    /// Where it was heard from last.
    last: SocketAddr,
    turns: u32,
    asks: u32,
    since: Now,
    said: Option<Now>,
}

impl Watched {
    /// True when both places may be pinged once more.
    fn may_ask(&mut self) -> bool {
        let may = self.asks < ASKS_MAX;
        self.asks += u32::from(may);
        may
    }

    fn is_over(&self, now: Now) -> bool {
        let is_said = self.said.is_some_and(|said| said.plus_ms(SAID_MS) > now);
        self.since.plus_ms(TURNS_MS) <= now && !is_said
    }
}

/// What follows when a member is heard from a place.
#[derive(Debug)]
enum Heard {
    Nothing,
    /// There may be two: this other place is to be pinged, and the one it was heard from.
    Ask(SocketAddr),
    /// There are two, the other one here.
    Copied(SocketAddr),
}

impl Doubles {
    /// A member was heard from a place; `known` is where it is in the list.
    fn hear(&mut self, now: Now, id: &MemberId, from: SocketAddr, known: SocketAddr) -> Heard {
        let Some(watched) = self.watched.iter_mut().find(|watched| watched.id == *id) else {
            if from != known {
                self.watched.retain(|watched| !watched.is_over(now));
                if self.watched.len() < WATCHED_MAX {
                    let (id, last, since) = (id.clone(), from, now);
                    let watched = Watched { id, last, turns: 1, asks: 1, since, said: None };
                    self.watched.push(watched);
                    return Heard::Ask(known);
                }
            }
            return Heard::Nothing;
        };
        if watched.since.plus_ms(TURNS_MS) <= now {
            (watched.turns, watched.asks, watched.since) = (0, 0, now);
        }
        if watched.last == from {
            return Heard::Nothing;
        }
        let other = std::mem::replace(&mut watched.last, from);
        watched.turns += 1;
        let is_said = watched.said.is_some_and(|said| said.plus_ms(SAID_MS) > now);
        if is_said {
            return Heard::Nothing;
        }
        if watched.turns < TURNS {
            return if watched.may_ask() { Heard::Ask(other) } else { Heard::Nothing };
        }
        watched.said = Some(now);
        Heard::Copied(other)
    }

    /// True when it is time to look at a sender that has the own id.
    fn own_id_is_due(&mut self, now: Now) -> bool {
        let is_due = self.own_id_at.is_none_or(|at| at.plus_ms(OWN_ID_MS) <= now);
        if is_due {
            self.own_id_at = Some(now);
        }
        is_due
    }
}

impl Ring {
    /// A datagram came from `source`, and `member` has written it.
    pub(crate) fn notice_double(&mut self, now: Now, member: &Member, source: SocketAddr) {
        if member.id == self.me.id {
            // It may be this member itself, which has its own address among the initial peers:
            // only the caller knows the addresses of the machine.
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
                // Without memberships: it is no longer than what asked for it, whoever that was.
                for place in [other, from] {
                    let kind = SwimKind::Ping { from: self.own_member(), forward_to: None };
                    let ping = Swim { kind, memberships: Vec::new() };
                    self.send_swim(place, SwimType::Ping, ping.encode());
                }
            }
            Heard::Copied(other) => {
                // in an order of their own, so that the line is the same each time
                let (one, other) = (from.min(other), from.max(other));
                self.note(Event::Copied { id: member.id.clone(), one, other });
            }
        }
    }
}
