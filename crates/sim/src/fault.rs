//! Faults and other actions at a point in time.

use roost_ring::{Command, OwnService, SysInfo};

use crate::liar::Lie;

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

/// Name of a group, by number.
#[must_use]
pub fn group_name(group: usize) -> String {
    format!("group{group}.default")
}

/// The service that a member publishes in a group.
pub(crate) fn service(group: usize) -> Command {
    Command::PublishService(OwnService {
        group: group_name(group),
        pkg: format!("example/group{group}/1.0.0/20250101000000"),
        cfg: "port = 1\n".into(),
        sys: SysInfo { ip: "10.0.0.1".into(), hostname: "h".into(), ..SysInfo::default() },
        pkg_incarnation: 0,
    })
}
