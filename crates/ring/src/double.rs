//! Detection of two machines with one member id, after a disk or a virtual machine was copied.
//! Their incarnations may be equal, so the source addresses decide: a member that moved sends only
//! from its new address, two machines alternate. In a large ring a member rarely hears from a
//! particular other one, so it does not wait for that: it pings both addresses, and two machines
//! answer.

use std::net::SocketAddr;

use crate::{id::MemberId, time::Now};

/// Number of changes between two addresses within [`TURNS_MS`] that one machine cannot cause. A
/// late datagram from an old address causes two.
const TURNS: u32 = 4;
const TURNS_MS: u64 = 60_000;
/// Least pause between two log lines about an id.
const SAID_MS: u64 = 600_000;
/// How often both addresses are pinged within [`TURNS_MS`]: answers can get lost.
const ASKS_MAX: u32 = 4;
/// Most ids that are tracked at a time. Only those with two addresses are.
const WATCHED_MAX: usize = 64;
/// Least pause between two checks of a sender with the own id.
const OWN_ID_MS: u64 = 10_000;

/// Ids that were seen with more than one address.
#[derive(Debug, Default)]
pub(crate) struct Doubles {
    watched: Vec<Watched>,
    own_id_at: Option<Now>,
}

#[derive(Debug)]
struct Watched {
    id: MemberId,
    /// The last source address.
    last: SocketAddr,
    turns: u32,
    asks: u32,
    since: Now,
    said: Option<Now>,
}

impl Watched {
    /// True when both addresses may be pinged once more.
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

/// Result of a datagram from a member at an address.
#[derive(Debug)]
pub(crate) enum Heard {
    Nothing,
    /// There may be two machines: ping this other address and the current one.
    Ask(SocketAddr),
    /// There are two machines, the other one at this address.
    Copied(SocketAddr),
}

impl Doubles {
    /// A member was heard from a place; `known` is where it is in the list.
    pub(crate) fn hear(
        &mut self,
        now: Now,
        id: &MemberId,
        from: SocketAddr,
        known: SocketAddr,
    ) -> Heard {
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
    pub(crate) fn own_id_is_due(&mut self, now: Now) -> bool {
        let is_due = self.own_id_at.is_none_or(|at| at.plus_ms(OWN_ID_MS) <= now);
        if is_due {
            self.own_id_at = Some(now);
        }
        is_due
    }
}
