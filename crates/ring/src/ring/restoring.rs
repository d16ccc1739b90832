//! What the data file brings back (reference: ring §12.3).

use crate::{
    config::Stores,
    dropped::Dropped,
    ring::Ring,
    rooms::Origin,
    rumor::{Departure, ElectionKind, Rumor, RumorKind},
    time::Now,
};

impl Ring {
    /// Puts everything into the stores. What does not fit is counted and left out.
    pub(crate) fn restore(&mut self, now: Now, stores: Stores) {
        self.restoring = true;
        let Stores {
            members,
            services,
            service_configs,
            service_files,
            elections,
            update_elections,
            departures,
        } = stores;
        for membership in members {
            let member = &membership.member;
            let result = match member.address {
                Some(address) => self.insert(now, member, address, membership.health),
                None => Err(Dropped::AddressNotIpv4),
            };
            if let Err(dropped) = result {
                self.count_drop(&dropped);
            }
        }
        let rumors = services
            .into_iter()
            .map(Rumor::Service)
            .chain(service_configs.into_iter().map(Rumor::ServiceConfig))
            .chain(service_files.into_iter().map(Rumor::ServiceFile))
            .chain(elections.into_iter().map(Rumor::Election))
            .chain(update_elections.into_iter().map(Rumor::ElectionUpdate))
            .chain(departures.into_iter().map(|id| Rumor::Departure(Departure { member_id: id })));
        for rumor in rumors {
            if let Err(dropped) = self.receive_rumor(now, Origin::DataFile, rumor) {
                self.count_drop(&dropped);
            }
        }
        self.restoring = false;
        if self.table.entries.iter().any(|entry| entry.id != self.me.id) {
            self.prober.resume(now);
            self.gossip.resume(now);
        }
        if !self.table.is_small() {
            self.gossip.is_at_home();
            self.table.forget_old_news(&self.rumors.heat, |_| true);
            self.start_own_hot();
        }
    }

    /// What this member alone is sure to know best is new to everybody. Its record is not among
    /// that: others learn it from its pings.
    fn start_own_hot(&mut self) {
        let me = &self.me.id;
        let services = self.rumors.services.iter().filter(|service| service.member_id == *me);
        let groups: Vec<String> = services.map(|service| service.group.clone()).collect();
        for group in groups {
            self.rumors.start_hot(RumorKind::Service, &group, &self.me.id.to_string());
        }
        for kind in ElectionKind::ALL {
            let elections = self.rumors.elections_of(kind).iter();
            let elections = elections.filter(|election| election.member_id == self.me.id);
            let groups: Vec<String> = elections.map(|election| election.group.clone()).collect();
            for group in groups {
                self.rumors.start_election_hot(kind, &group);
            }
        }
    }
}
