//! Measures how long news take.

use roost_ring::Health;

use super::World;
use crate::{fault::group_name, node::id_of};

impl World {
    /// Ends the current measurement.
    pub fn end_watch(&mut self) {
        let running = self.nodes.iter().filter(|node| node.ring.is_some()).count();
        let watch = &mut self.watch;
        if watch.service.take().is_some() {
            watch.missed += running.saturating_sub(watch.knew.len());
        }
        if watch.death.take().is_some() {
            watch.missed += running.saturating_sub(watch.confirmed.len());
        }
        watch.rumor_us.extend(std::mem::take(&mut watch.knew).into_values());
        watch.suspected_us.extend(std::mem::take(&mut watch.suspected).into_values());
        watch.confirmed_us.extend(std::mem::take(&mut watch.confirmed).into_values());
        watch.since = self.now;
    }

    /// A member is about to publish its service in the first group.
    pub(crate) fn watch_rumor(&mut self, owner: usize) {
        if self.watch.rumors {
            self.end_watch();
            let ring = self.nodes[owner].ring.as_ref();
            let known = ring.and_then(|ring| ring.service(&group_name(0), &id_of(owner)));
            self.watch.service = Some((owner, known.map_or(1, |known| known.incarnation + 1)));
        }
    }

    /// A member has just died.
    pub(crate) fn watch_death(&mut self, dead: usize) {
        if self.watch.deaths {
            self.end_watch();
            self.watch.death = Some(dead);
        }
    }

    /// Records when a member learns of the measured news.
    pub(crate) fn measure(&mut self, number: usize) {
        let Some(ring) = &self.nodes[number].ring else { return };
        let watch = &mut self.watch;
        let after = self.now.micros_since(watch.since);
        if let Some((owner, incarnation)) = watch.service
            && ring
                .service(&group_name(0), &id_of(owner))
                .is_some_and(|service| service.incarnation >= incarnation)
        {
            watch.knew.entry(number).or_insert(after);
        }
        if let Some(dead) = watch.death {
            let health = ring.health_of(&id_of(dead));
            if health >= Some(Health::Suspect) {
                watch.suspected.entry(number).or_insert(after);
            }
            if health >= Some(Health::Confirmed) {
                watch.confirmed.entry(number).or_insert(after);
            }
        }
    }
}
