//! What goes wrong, or is done, at a point in time.

use std::sync::Arc;

use roost_ring::{Command, OwnService, SysInfo};

use crate::{World, liar::Lie};

/// How long a member goes on answering after it said that it leaves.
const LEAVING_MS: u64 = 3_000;

/// Something that happens to the world. Members are named by number.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// A member writes its data file.
    Save(usize),
    /// A member ends without a word; what is on its disk stays.
    Crash(usize),
    /// A member starts with what is on its disk.
    Start(usize),
    /// A member stands still for so many milliseconds; what arrives waits.
    Pause(usize, u64),
    /// A member leaves on purpose, and ends a little later.
    Leave(usize),
    /// A member that left ends for good.
    End(usize),
    /// A member is on another side of a partition from now on.
    Side(usize, u8),
    /// What the first member sends does not reach the second from now on.
    Cut(usize, usize),
    /// All partitions and cuts end.
    Heal,
    /// A member starts again with the right ring key, and with the data file it has.
    Rekey(usize),
    /// A member starts a service, or changes it.
    Publish(usize),
    /// One more member starts, which nobody knows.
    Join,
    /// A member, or somebody with the number after the last, lies.
    Lie(usize, Lie),
}

impl World {
    /// Lets a fault happen now.
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
                // for those who are on the same side from now on this is healing
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

    /// A member says goodbye and ends for good: of its own will, or because it learnt of its
    /// departure.
    pub(crate) fn leave(&mut self, node: usize) {
        if self.nodes[node].ring.is_some() && !self.nodes[node].gone {
            self.nodes[node].gone = true;
            self.plan(self.ms() + LEAVING_MS, Fault::End(node));
            self.tell(node, Command::LeaveGracefully);
        }
    }

    /// Puts five members into each of `groups` groups, which begin to elect leaders.
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
