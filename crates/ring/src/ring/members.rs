//! Who is in the ring and how they are: which news is taken and what follows (reference: ring §5).

use std::net::Ipv4Addr;

use crate::{
    dropped::Dropped,
    greeting::greets,
    heat::Cursor,
    id::MemberId,
    limits::PROBE_SET_MAX,
    member::{Health, Member, Membership},
    output::Event,
    ring::{Ring, recording::Former},
    standing::Source,
    table::{Entry, Place},
    time::Now,
};

/// How long a member is suspected before it counts as dead (three probe intervals).
const SUSPECT_MS: u64 = 9_300;
/// How long a dead member stays Confirmed: three days.
const CONFIRMED_MS: u64 = 259_200_000;

/// From where a record comes.
#[derive(Debug, Clone, Copy)]
struct Learnt {
    source: Source,
    /// What an unknown member got with the answer, if it was heard from directly.
    sent: Option<Cursor>,
}

impl Ring {
    /// The normal rule (reference: ring §5.2). True when the record was taken.
    pub(super) fn insert(
        &mut self,
        now: Now,
        member: &Member,
        address: Ipv4Addr,
        health: Health,
        source: Source,
    ) -> Result<bool, Dropped> {
        let from = Learnt { source, sent: None };
        self.insert_if(now, member, address, health, from, |known| {
            member.incarnation > known.incarnation
                || (member.incarnation == known.incarnation && health > known.health)
        })
    }

    /// The rule for a member that was heard from directly (reference: ring §5.4): a member
    /// that sends is alive. `sent` is what an unknown member got with the answer.
    pub(super) fn hear_from(
        &mut self,
        now: Now,
        member: &Member,
        address: Ipv4Addr,
        sent: Cursor,
    ) -> Result<(), Dropped> {
        if !self.is_from(member, address) {
            return Err(Dropped::ForeignAddress);
        }
        if member.departed {
            self.insert(now, member, address, Health::Departed, Source::Direct)?;
            return Ok(());
        }
        let from = Learnt { source: Source::Direct, sent: Some(sent) };
        self.insert_if(now, member, address, Health::Alive, from, |known| {
            member.incarnation > known.incarnation || known.health != Health::Alive
        })?;
        if let Some(place) = self.table.find(&member.id) {
            self.table.contact(place, now);
            self.table.at_mut(place).contact = true;
            self.gossip.contact(now);
        }
        Ok(())
    }

    /// False when a datagram under a ring key cannot be a sign of life of the member that has
    /// written it, because it comes from elsewhere: anybody may repeat what was recorded. A member
    /// that has moved hears that it is suspected, and its next incarnation is believed from
    /// anywhere.
    pub(super) fn is_from(&self, member: &Member, address: Ipv4Addr) -> bool {
        let known = self.table.get(&member.id).filter(|_| self.envelope.has_key());
        known.is_none_or(|it| it.address == address || member.incarnation > it.incarnation)
    }

    fn insert_if(
        &mut self,
        now: Now,
        member: &Member,
        address: Ipv4Addr,
        health: Health,
        Learnt { source, sent }: Learnt,
        accept: impl FnOnce(&Entry) -> bool,
    ) -> Result<bool, Dropped> {
        let known = self.table.get(&member.id);
        if let Some(known) = known
            && !accept(known)
        {
            if (known.incarnation, known.health) == (member.incarnation, health) {
                self.table.heard(&member.id);
            }
            return Ok(false);
        }
        let former = known.map(Former::of);
        let before = former.map(|former| former.health);
        if before.is_none() && self.table.len() >= self.config.members_max {
            return Err(Dropped::TooManyMembers);
        }
        let place = self.table.put(member, address, health);
        if before != Some(health) {
            self.table.turned(place, now, source);
        }
        self.table.update_counter += 1;
        if !self.restoring {
            self.counters.suspicions.see(before, health);
        }
        self.plan_health(now, place);
        self.member_changed(place);
        self.record_member(now, place, former, source);
        if health == Health::Departed {
            self.purge(place);
        }
        self.table.start_hot(place);
        self.counters.health = self.table.tally();
        if member.id != self.me.id && !self.restoring {
            match before {
                None => self.greet_newcomer(now, place, sent),
                Some(before) if health == Health::Alive && before != Health::Alive => {
                    self.greet_returned(place, before);
                }
                Some(_) => {}
            }
        }
        Ok(true)
    }

    fn plan_health(&mut self, now: Now, place: Place) {
        let due = match self.table.at(place).health {
            Health::Suspect => Some(now.plus_ms(self.awareness.stretch_ms(SUSPECT_MS))),
            Health::Confirmed => Some(now.plus_ms(CONFIRMED_MS)),
            Health::Alive | Health::Departed => None,
        };
        self.table.plan(place, due);
    }

    /// Decides what a member that was not in the list will be sent.
    fn greet_newcomer(&mut self, now: Now, place: Place, sent: Option<Cursor>) {
        let greeter =
            sent.is_some() || self.table.is_small() || greets(&self.me.id, &self.table, place);
        let (members, others) = if greeter {
            self.gossip.hurry(place);
            (sent.unwrap_or_default(), Cursor::default())
        } else {
            (self.table.heat.all_sent(), self.rumors.heat.all_sent())
        };
        let entry = self.table.at_mut(place);
        (entry.sent_members, entry.sent_others) = (members, others);
        // a greeter that is new itself must not leave it out
        entry.contact = greeter;
        self.table.was_away(place, &self.rumors.heat);
        self.prober.resume(now);
        self.gossip.resume(now);
    }

    /// A member talks again. What a Departed one was sent is forgotten; so it is by a few for a
    /// dead one, which may have crashed before its data file held what it was sent last.
    fn greet_returned(&mut self, place: Place, before: Health) {
        let forget = match before {
            Health::Departed => self.table.is_small() || greets(&self.me.id, &self.table, place),
            Health::Confirmed => greets(&self.me.id, &self.table, place),
            Health::Alive | Health::Suspect => false,
        };
        if forget {
            let entry = self.table.at_mut(place);
            (entry.sent_members, entry.sent_others) = (Cursor::default(), Cursor::default());
            self.gossip.hurry(place);
        }
        self.table.was_away(place, &self.rumors.heat);
    }

    /// Takes what another member reports about a member (reference: ring §5.3).
    pub(super) fn apply_membership(
        &mut self,
        now: Now,
        author: &MemberId,
        Membership { member, health }: Membership,
    ) -> Result<(), Dropped> {
        if member.id == self.me.id {
            return self.apply_own_membership(now, &member, health);
        }
        // a record without a usable address would kill the prober of a real Supervisor
        let address = member.address.ok_or(Dropped::AddressNotIpv4)?;
        if health == Health::Confirmed
            && let Some(known) = self.table.get(&member.id)
            && matches!(known.health, Health::Alive | Health::Suspect)
            && member.incarnation >= known.incarnation
        {
            let event = Event::AskingConfirmed { id: member.id.clone(), health: known.health };
            if self.prober.ask_later(member, PROBE_SET_MAX) {
                self.note(event);
            }
            return Ok(());
        }
        let source = match *author == member.id {
            true => Source::Direct,
            false => Source::News(self.table.find(author)),
        };
        self.insert(now, &member, address, health, source).map(|_| ())
    }

    fn apply_own_membership(
        &mut self,
        now: Now,
        member: &Member,
        health: Health,
    ) -> Result<(), Dropped> {
        let contradicted = self.hear_of_oneself(now, member.incarnation, health);
        let address = member.address.ok_or(Dropped::AddressNotIpv4)?;
        if self.leaving {
            return Ok(());
        }
        self.insert(now, member, address, Health::Alive, Source::Direct)?;
        if contradicted {
            self.tell_a_few();
        }
        Ok(())
    }

    /// Makes a member Departed without a change of its record (reference: ring §5.5).
    pub(super) fn force_departed(&mut self, now: Now, id: &MemberId, source: Source) {
        let Some(place) = self.table.find(id) else { return };
        let former = Former::of(self.table.at(place));
        if former.health == Health::Departed {
            // every member spreads it; a repetition must not count as news
            return;
        }
        self.table.set_health(place, Health::Departed);
        self.table.turned(place, now, source);
        self.table.plan(place, None);
        self.purge(place);
        self.table.start_hot(place);
        self.member_changed(place);
        self.record_member(now, place, Some(former), source);
    }

    /// The services of a departed member are not offered to any member until they change
    /// (reference: ring §9.3). What the member was sent is forgotten when it comes back.
    fn purge(&mut self, place: Place) {
        let id = self.table.at(place).id.to_string();
        self.rumors.cool_services_of(&id);
    }

    /// Makes those worse whose time is over (reference: ring §5.6).
    pub(super) fn expire(&mut self, now: Now) {
        let due = self.table.take_due(now);
        for place in &due {
            let place = *place;
            let former = Former::of(self.table.at(place));
            let health = match former.health {
                Health::Suspect => Health::Confirmed,
                _ => Health::Departed,
            };
            self.counters.suspicions.see(Some(former.health), health);
            self.table.set_health(place, health);
            self.table.turned(place, now, Source::Timeout);
            self.plan_health(now, place);
            if health == Health::Departed {
                self.purge(place);
            } else {
                self.note(Event::Confirmed { id: self.table.at(place).id.clone() });
            }
            self.table.start_hot(place);
            self.member_changed(place);
            self.record_member(now, place, Some(former), Source::Timeout);
        }
        self.table.update_counter += u64::from(!due.is_empty());
    }
}
