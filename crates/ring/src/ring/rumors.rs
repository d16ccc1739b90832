//! Processing of received rumors (reference: ring §8).

use super::Ring;
use crate::{
    dropped::Dropped,
    id::MemberId,
    input::OwnService,
    limits::GOSSIP_BYTES_MAX,
    member::Health,
    names::checked_group,
    rooms::Origin,
    rumor::{Departure, ElectionKind, ElectionUpdate, Rumor, Service},
    standing::Source,
    stores::{Stored, Taken},
    time::Now,
};

impl Ring {
    /// Receives a gossip message.
    pub(super) fn receive_gossip(&mut self, now: Now, bytes: &[u8]) -> Result<(), Dropped> {
        if bytes.len() > GOSSIP_BYTES_MAX {
            self.counters.gossip_unwrap_failed.add(bytes.len());
            return Err(Dropped::TooLong);
        }
        let payload = self
            .envelope
            .unwrap(bytes)
            .inspect_err(|_| self.counters.gossip_unwrap_failed.add(bytes.len()))?;
        let (size, opened) = (bytes.len(), payload.len());
        let rumor = Rumor::decode(payload)
            .inspect_err(|_| self.counters.gossip_undecodable.add_opened(size, opened))?;
        self.counters.gossip_received.entry(rumor.kind()).or_default().add_opened(size, opened);
        self.receive_rumor(now, Origin::Ring, rumor)
    }

    /// Receives a rumor from any origin.
    pub(super) fn receive_rumor(
        &mut self,
        now: Now,
        origin: Origin,
        rumor: Rumor,
    ) -> Result<(), Dropped> {
        let kind = rumor.kind();
        let news = match rumor {
            Rumor::Member(author, membership) => {
                return self.apply_membership(now, &MemberId::new(&author), membership);
            }
            Rumor::Service(service) => self.take_service(now, origin, service)?,
            Rumor::ServiceConfig(config) => self.take(origin, config)?,
            Rumor::ServiceFile(file) => self.take(origin, file)?,
            Rumor::Election(election) => {
                self.receive_election(now, ElectionKind::Leader, election)?
            }
            Rumor::ElectionUpdate(ElectionUpdate(election)) => {
                self.receive_election(now, ElectionKind::Update, election)?
            }
            Rumor::Departure(departure) => self.take_departure(now, origin, departure)?,
        };
        if news {
            self.changed();
            self.elections.look();
        }
        *self.counters.rumors_ignored.entry(kind).or_default() += u64::from(!news);
        Ok(())
    }

    /// Takes a rumor from which nothing else follows. True when it is news.
    fn take<T: Stored>(&mut self, origin: Origin, rumor: T) -> Result<bool, Dropped> {
        Ok(self.rumors.take(origin, rumor)? != Taken::Ignored)
    }

    /// Takes a service (reference: ring §8.2).
    fn take_service(
        &mut self,
        now: Now,
        origin: Origin,
        service: Service,
    ) -> Result<bool, Dropped> {
        let (group, member_id) = (service.group.clone(), service.member_id.clone());
        let is_known = self.rumors.list::<Service>().list.contains_key(group.as_str());
        let taken = self.rumors.take(origin, service)?;
        if taken == Taken::First {
            // elections that name it were withheld
            self.announce_candidate(&group, &member_id);
            if is_known && !self.restoring && !self.has_quorum(&group) {
                self.replace_dead_member(now, &group);
            }
        }
        Ok(taken != Taken::Ignored)
    }

    /// Elections must reach others after the service of their candidate.
    fn announce_candidate(&mut self, group: &str, candidate: &MemberId) {
        for kind in ElectionKind::ALL {
            let election = self.rumors.election(kind, group);
            if election.is_some_and(|election| election.member_id == *candidate) {
                self.rumors.start_election_hot(kind, group);
            }
        }
    }

    /// A group without quorum got a new member, which replaces a dead one.
    fn replace_dead_member(&mut self, now: Now, group: &str) {
        let dead = self
            .rumors
            .population(group)
            .filter(|id| self.health_of(id) == Some(Health::Confirmed))
            .min()
            .cloned();
        if let Some(dead) = dead {
            self.force_departed(now, &dead, Source::Replaced);
        }
    }

    /// Receives a manual departure (reference: ring §8.6).
    fn take_departure(
        &mut self,
        now: Now,
        origin: Origin,
        departure: Departure,
    ) -> Result<bool, Dropped> {
        let id = departure.member_id.clone();
        if id == self.me.id {
            self.learn_own_departure();
        }
        self.force_departed(now, &id, Source::Command);
        self.take(origin, departure)
    }

    /// Publishes a service of this member.
    pub(super) fn publish_service(
        &mut self,
        now: Now,
        OwnService { group, pkg, cfg, sys, pkg_incarnation }: OwnService,
    ) -> Result<(), Dropped> {
        let group = checked_group(Some(group))?;
        let member_id = self.me.id.clone();
        let old = self.rumors.get::<Service>(&group, &member_id.to_string());
        let service = Service {
            incarnation: old.map_or(1, |old| old.incarnation.saturating_add(1)),
            pkg_incarnation: old.map_or(0, |old| old.pkg_incarnation).max(pkg_incarnation),
            initialized: false,
            member_id,
            group,
            pkg,
            cfg,
            sys,
        };
        let group = service.group.clone();
        self.receive_rumor(now, Origin::Own, Rumor::Service(service))?;
        self.rumors.add_own_group(group);
        Ok(())
    }
}
