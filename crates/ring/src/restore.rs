//! What the data file brings back (reference: ring §12.3).

use crate::{
    Departure, Dropped, MemberId, Now, Ring, Rumor, RumorKind, Stores, membership::SMALL_RING_MAX,
    rooms::Origin, rumor::ELECTION_ID,
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
            self.prober.somebody_there(now);
            self.gossiper.somebody_there(now);
        }
        if self.table.len() > SMALL_RING_MAX {
            self.gossiper.is_at_home();
            self.forget_old_news(|_| true);
            self.start_own_hot();
        }
    }

    /// What this member alone is sure to know best is new to everybody. Its record is not among
    /// that: others learn it from its pings.
    fn start_own_hot(&mut self) {
        let me = self.me.id.clone();
        let mut own: Vec<(RumorKind, String, String)> = Vec::new();
        let is_mine = |id: &MemberId| *id == me;
        for service in self.rumors.services.iter().filter(|service| is_mine(&service.member_id)) {
            own.push((RumorKind::Service, service.group.clone(), me.to_string()));
        }
        for kind in [RumorKind::Election, RumorKind::ElectionUpdate] {
            let elections = self.rumors.elections_of(kind).iter();
            for election in elections.filter(|election| is_mine(&election.member_id)) {
                own.push((kind, election.group.clone(), ELECTION_ID.into()));
            }
        }
        for (kind, key, id) in own {
            self.start_hot(kind, &key, &id);
        }
    }
}
