//! Restoring the data file (reference: ring §12.3).

use std::sync::Arc;

use crate::{
    config::Stores,
    dropped::Dropped,
    ring::Ring,
    rooms::Origin,
    rumor::{ElectionKind, RumorType, Service},
    standing::Source,
    time::Now,
};

impl Ring {
    /// Restores all stores. What exceeds a limit is counted and left out.
    pub(super) fn restore(&mut self, now: Now, mut stores: Stores) {
        self.restoring = true;
        let members = std::mem::take(&mut stores.members);
        for membership in members {
            let member = &membership.member;
            let result = match member.address {
                Some(address) => {
                    self.insert(now, member, address, membership.health, Source::DataFile)
                }
                None => Err(Dropped::AddressNotIpv4),
            };
            if let Err(dropped) = result {
                self.count_drop(&dropped);
            }
        }
        for rumor in stores.into_rumors() {
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

    /// Rumors that this member knows best are sent to all. Its own record is not among them: others
    /// learn it from its pings.
    fn start_own_hot(&mut self) {
        let me = &self.me.id;
        let services = self.rumors.list::<Service>().iter().filter(|it| it.member_id == *me);
        let groups: Vec<String> = services.map(|service| service.group.clone()).collect();
        for group in groups {
            self.rumors.start_hot(Service::KIND, &group, &me.to_string());
        }
        for kind in ElectionKind::ALL {
            let groups = self.rumors.groups_with_election(kind);
            let is_mine = |group: &&Arc<str>| {
                self.rumors.election(kind, group).is_some_and(|it| it.member_id == *me)
            };
            let groups: Vec<Arc<str>> = groups.filter(is_mine).cloned().collect();
            for group in groups {
                self.rumors.start_election_hot(kind, &group);
            }
        }
    }
}
