//! What goes wrong, or is asked for, at a point in time.

use roost_ring::Command;

/// Something that happens to the world.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A member writes its data file.
    Save(usize),
    /// A member ends without a word; what is on its disk stays.
    Crash(usize),
    /// A member starts, with what is on its disk, or without.
    Start {
        /// The member.
        node: usize,
        /// Its initial peers.
        peers: Vec<usize>,
        /// Its disk is empty.
        cold: bool,
    },
    /// A member stands still; what arrives waits.
    Pause {
        /// The member.
        node: usize,
        /// For how long.
        ms: u64,
    },
    /// A member is on another side of a partition from now on.
    Side {
        /// The member.
        node: usize,
        /// Its side.
        side: u8,
    },
    /// What one member sends does not reach the other from now on.
    Cut {
        /// The sender.
        from: usize,
        /// Whom it does not reach.
        to: usize,
    },
    /// All partitions and cuts end.
    Heal,
    /// The share of datagrams that get lost changes.
    Loss(f64),
    /// A member is told something.
    Tell {
        /// The member.
        node: usize,
        /// What.
        command: Command,
    },
    /// Somebody says that a member is Suspect or Confirmed.
    Lie {
        /// Who hears it.
        to: usize,
        /// Whom it is about.
        about: usize,
        /// It says Confirmed, otherwise Suspect.
        confirmed: bool,
    },
}
