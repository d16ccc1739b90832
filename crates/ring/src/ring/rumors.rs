//! Processing of received rumors (reference: ring §8).

use std::sync::Arc;

use super::Ring;
use crate::{
    dropped::Dropped,
    id::MemberId,
    input::OwnService,
    limits::GOSSIP_BYTES_MAX,
    member::Health,
    rooms::Origin,
    rumor::{
        DEPARTURE_KEY, Departure, ElectionKind, Rumor, RumorKind, SERVICE_CONFIG_ID, Service,
        checked_group,
    },
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
            Rumor::Member(_, membership) => return self.apply_membership(now, membership),
            Rumor::Service(service) => self.take_service(origin, service)?,
            Rumor::ServiceConfig(config) => {
                let group = config.group.clone();
                let old = self.rumors.service_configs.get(&group, SERVICE_CONFIG_ID);
                let news = old.is_none_or(|old| old.yields_to(&config));
                let same = old.is_some_and(|old| old.incarnation == config.incarnation);
                if news {
                    self.rumors.put_service_config(origin, config)?;
                    self.start_hot(kind, &group, SERVICE_CONFIG_ID);
                } else if same {
                    self.rumors.heard(kind, &group, SERVICE_CONFIG_ID);
                }
                news
            }
            Rumor::ServiceFile(file) => {
                let (group, name) = (file.group.clone(), file.filename.clone());
                let old = self.rumors.service_files.get(&group, &name);
                let news = old.is_none_or(|old| old.yields_to(&file));
                let same = old.is_some_and(|old| old.incarnation == file.incarnation);
                if news {
                    self.rumors.put_service_file(origin, file)?;
                    self.start_hot(kind, &group, &name);
                } else if same {
                    self.rumors.heard(kind, &group, &name);
                }
                news
            }
            Rumor::Election(election) => {
                self.receive_election(now, ElectionKind::Leader, election)?
            }
            Rumor::ElectionUpdate(election) => {
                self.receive_election(now, ElectionKind::Update, election)?
            }
            Rumor::Departure(departure) => self.take_departure(origin, departure)?,
        };
        if news {
            self.changed();
            self.elections.look();
        }
        *self.counters.rumors_ignored.entry(kind).or_default() += u64::from(!news);
        Ok(())
    }

    /// Stores a service (reference: ring §8.2).
    fn take_service(&mut self, origin: Origin, service: Service) -> Result<bool, Dropped> {
        let (group, member_id) = (service.group.clone(), service.member_id.clone());
        let id = member_id.to_string();
        let old: Option<&Arc<Service>> = self.rumors.services.get(&group, &id);
        if let Some(old) = old
            && !old.yields_to(&service)
        {
            if old.incarnation == service.incarnation {
                self.rumors.heard(RumorKind::Service, &group, &id);
            }
            return Ok(false);
        }
        let new_member = old.is_none();
        let known_group = self.rumors.services.list.contains_key(group.as_str());
        self.rumors.put_service(origin, service)?;
        self.start_hot(RumorKind::Service, &group, &id);
        if new_member {
            // elections with this candidate were withheld
            self.announce_candidate(&group, &member_id);
        }
        if new_member && known_group && !self.restoring && !self.has_quorum(&group) {
            self.replace_dead_member(&group);
        }
        Ok(true)
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
    fn replace_dead_member(&mut self, group: &str) {
        let dead = self
            .rumors
            .population(group)
            .filter(|id| self.health_of(id) == Some(Health::Confirmed))
            .min()
            .cloned();
        if let Some(dead) = dead {
            self.force_departed(&dead);
        }
    }

    /// Receives a manual departure (reference: ring §8.6).
    fn take_departure(&mut self, origin: Origin, departure: Departure) -> Result<bool, Dropped> {
        let id = departure.member_id.clone();
        if id == self.me.id {
            self.learn_own_departure();
        }
        self.force_departed(&id);
        let id_text = id.to_string();
        if self.rumors.departures.get(DEPARTURE_KEY, &id_text).is_some() {
            self.rumors.heard(RumorKind::Departure, DEPARTURE_KEY, &id_text);
            return Ok(false);
        }
        self.rumors.put_departure(origin, departure)?;
        self.start_hot(RumorKind::Departure, DEPARTURE_KEY, &id_text);
        Ok(true)
    }

    /// Publishes a service of this member.
    pub(super) fn publish_service(
        &mut self,
        now: Now,
        OwnService { group, pkg, cfg, sys, pkg_incarnation }: OwnService,
    ) -> Result<(), Dropped> {
        let group = checked_group(Some(group))?;
        let member_id = self.me.id.clone();
        let old = self.rumors.services.get(&group, &member_id.to_string());
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
        self.receive_rumor(now, Origin::Own, Rumor::Service(service))
    }
}
