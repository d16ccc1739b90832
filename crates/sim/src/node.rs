//! One simulated member.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use roost_ring::{Config, Me, MemberId, Now, Ring, Stores};

/// Port of every member; addresses tell them apart.
pub const PORT: u16 = 9638;
const FIRST_ADDRESS: u32 = u32::from_be_bytes([10, 0, 0, 1]);

/// The id of a member. Numbers are scattered so that the order of ids is random.
#[must_use]
pub fn id_of(number: usize) -> MemberId {
    let scattered = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    MemberId::from_bits(scattered)
}

/// The address of a member.
#[must_use]
pub fn addr_of(number: usize) -> SocketAddr {
    let offset = u32::try_from(number).expect("simulated rings are small");
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from(FIRST_ADDRESS + offset)), PORT)
}

/// The member with this address.
#[must_use]
pub fn number_of(addr: SocketAddr) -> Option<usize> {
    let IpAddr::V4(ip) = addr.ip() else { return None };
    u32::from(ip).checked_sub(FIRST_ADDRESS).and_then(|offset| usize::try_from(offset).ok())
}

/// The state on a member's disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Written at each change, before others hear of it.
    pub incarnation: u64,
    /// The data file as of its last write.
    pub stores: Arc<Stores>,
}

/// A member, running or not.
#[derive(Debug)]
pub struct Node {
    /// `None` while it does not run.
    pub ring: Option<Ring>,
    /// Its state for the next start.
    pub disk: Disk,
    /// Its clock runs faster by this many millionths.
    pub drift_ppm: i64,
    /// It is paused until then.
    pub paused_until: Now,
    /// Time of its next wake-up in the heap.
    pub wake_at: Now,
    /// The highest incarnation it ever had.
    pub incarnation: u64,
    /// It is a permanent peer.
    pub permanent: bool,
    /// It left, or was departed manually, and does not come back.
    pub gone: bool,
    /// It has a wrong ring key.
    pub wrong_key: bool,
    /// The result of its suitability hook.
    pub suitability: u64,
    /// Time of the last change of its member list.
    pub changed_at: Now,
    /// Messages it received and bytes it sent.
    pub received: u64,
    /// Bytes it sent, datagrams and rumors.
    pub sent_bytes: u64,
}

impl Node {
    /// A member that does not run yet.
    #[must_use]
    pub fn new(number: usize) -> Self {
        Self {
            ring: None,
            disk: Disk::default(),
            drift_ppm: 0,
            paused_until: Now(0),
            wake_at: Now::NEVER,
            incarnation: 0,
            permanent: false,
            gone: false,
            wrong_key: false,
            suitability: number as u64 % 7,
            changed_at: Now(0),
            received: 0,
            sent_bytes: 0,
        }
    }

    /// Starts it with the state on its disk; `cold` ignores the data file.
    pub fn start(&mut self, number: usize, config: Config, seed: u64, now: Now, cold: bool) {
        let me = Me {
            id: id_of(number),
            incarnation: self.disk.incarnation,
            port: PORT,
            permanent: self.permanent,
        };
        let restored = if cold { None } else { Some((*self.disk.stores).clone()) };
        self.ring = Some(Ring::new(config, me, restored, seed, self.local(now)));
        self.paused_until = now;
    }

    /// The reading of its clock.
    #[must_use]
    pub fn local(&self, now: Now) -> Now {
        let drift = i128::from(now.0) * i128::from(self.drift_ppm) / 1_000_000;
        Now(u64::try_from(i128::from(now.0) + drift).unwrap_or(0))
    }

    /// The time when its clock reads `local`.
    #[must_use]
    pub fn global(&self, local: Now) -> Now {
        if local == Now::NEVER {
            return local;
        }
        let global = i128::from(local.0) * 1_000_000 / (1_000_000 + i128::from(self.drift_ppm));
        // one microsecond more ensures that the clock shows it
        Now(u64::try_from(global + 1).unwrap_or(u64::MAX))
    }
}
