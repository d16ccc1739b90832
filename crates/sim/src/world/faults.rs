//! Lets faults happen.

use std::sync::Arc;

use roost_ring::Command;

use super::World;
use crate::fault::{Fault, group_name, service};

/// Time that a member continues to answer after it has announced that it leaves.
const LEAVING_MS: u64 = 3_000;

impl World {
    /// Applies a fault now.
    pub(crate) fn apply(&mut self, fault: Fault) {
        self.trace(|| format!("FAULT {fault:?}"));
        match fault {
            Fault::Save(node) => self.save(node),
            Fault::Crash(node) => {
                self.nodes[node].ring = None;
                self.watch_death(node);
            }
            Fault::Start(node) => {
                if self.nodes[node].ring.is_none() && !self.nodes[node].gone {
                    self.start(node, &[0, 1, 2], false);
                }
            }
            Fault::Pause(node, ms) => self.nodes[node].paused_until = self.now.plus_ms(ms),
            Fault::Leave(node) => self.leave(node),
            Fault::End(node) => self.nodes[node].ring = None,
            Fault::Side(node, side) => {
                // for members on the same side this is a heal
                self.healed_at = self.now;
                self.net.put_on_side(node, side);
            }
            Fault::Cut(from, to) => self.net.cut(from, to),
            Fault::Heal => self.heal(),
            Fault::Rekey(node) => {
                self.nodes[node].ring = None;
                self.nodes[node].wrong_key = false;
                self.start(node, &[0, 1, 2], false);
            }
            Fault::Publish(node) => {
                self.watch_rumor(node);
                self.tell(node, service(0));
            }
            Fault::Join => {
                let newcomer = self.add_member();
                self.start(newcomer, &[0], true);
            }
            Fault::Lie(by, lie) => self.lie(by, lie),
        }
    }

    fn save(&mut self, node: usize) {
        if let Some(ring) = &self.nodes[node].ring {
            self.nodes[node].disk.stores = Arc::new(ring.stores());
        }
    }

    /// A member announces that it leaves, and ends permanently: intentionally, or because it learnt
    /// of its departure.
    pub(crate) fn leave(&mut self, node: usize) {
        if self.nodes[node].ring.is_some() && !self.nodes[node].gone {
            self.nodes[node].gone = true;
            self.plan(self.ms() + LEAVING_MS, Fault::End(node));
            self.tell(node, Command::LeaveGracefully);
        }
    }

    /// Puts five members into each of `groups` groups, which start to elect leaders.
    pub fn start_groups(&mut self, groups: usize) {
        self.groups = groups;
        let members = self.nodes.len();
        for group in 0..groups {
            for place in 0..5.min(members) {
                let node = (group * 5 + place * 7) % members;
                self.tell(node, service(group));
                let start = Command::StartElection { group: group_name(group), suitability: 0 };
                self.tell(node, start);
            }
        }
    }
}
