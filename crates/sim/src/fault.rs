//! Faults and other actions at a point in time.

use std::sync::Arc;

use roost_ring::{Command, OwnService, SysInfo};

use crate::{World, liar::Lie};

/// Time that a member continues to answer after it has announced that it leaves.
const LEAVING_MS: u64 = 3_000;

/// A fault or action. Members are given by number.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// A member writes its data file.
    Save(usize),
    /// A member crashes; its disk stays.
    Crash(usize),
    /// A member starts with the state on its disk.
    Start(usize),
    /// A member is paused for this many milliseconds; its messages wait.
    Pause(usize, u64),
    /// A member leaves intentionally, and ends a little later.
    Leave(usize),
    /// A member that left ends permanently.
    End(usize),
    /// A member moves to another side of a partition.
    Side(usize, u8),
    /// Messages of the first member no longer reach the second.
    Cut(usize, usize),
    /// All partitions and cuts end.
    Heal,
    /// A member restarts with the right ring key, and with its data file.
    Rekey(usize),
    /// A member starts a service, or changes it.
    Publish(usize),
    /// One more, unknown member starts.
    Join,
    /// A member, or a stranger with the number after the last, lies.
    Lie(usize, Lie),
}

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

/// Name of a group, by number.
#[must_use]
pub fn group_name(group: usize) -> String {
    format!("group{group}.default")
}

fn service(group: usize) -> Command {
    Command::PublishService(OwnService {
        group: group_name(group),
        pkg: format!("example/group{group}/1.0.0/20250101000000"),
        cfg: "port = 1\n".into(),
        sys: SysInfo { ip: "10.0.0.1".into(), hostname: "h".into(), ..SysInfo::default() },
        pkg_incarnation: 0,
    })
}
