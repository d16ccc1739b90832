//! Intentional leaving (reference: ring §11.2).

use rand::seq::SliceRandom;

use crate::{output::Event, ring::Ring, standing::Source, swim::SwimKind, table::Place, time::Now};

/// Members that are informed directly.
const GOODBYES: usize = 10;

impl Ring {
    /// Tells the ring that this member leaves (reference: ring §11.2).
    pub(super) fn leave(&mut self, now: Now) {
        if self.leaving {
            return;
        }
        self.set_incarnation(self.me.incarnation.saturating_add(1));
        self.leaving = true;
        let me = self.me.id.clone();
        self.force_departed(now, &me, Source::Direct);
        let mut others: Vec<Place> = (0..).zip(&self.table.entries).map(|(at, _)| at).collect();
        others.retain(|place| self.table.at(*place).id != me);
        others.shuffle(&mut self.rng);
        for place in others.into_iter().take(GOODBYES) {
            let member = self.table.at(place).member();
            if let Some(to) = member.swim_addr() {
                let ack = SwimKind::Ack { from: self.own_member(), forward_to: None };
                self.say_swim(to, ack, Some(&member.id));
            }
        }
        self.note(Event::Leaving);
    }
}
