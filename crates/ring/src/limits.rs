//! Limits of what a member accepts and stores. A sane ring never reaches them; each hit is counted
//! under its [`crate::Dropped`] reason.

/// Members in the list. A newcomer beyond it is not stored.
pub const MEMBERS_MAX: usize = 16_384;
/// Length of a member id, in bytes. Real ones have 32.
pub const ID_BYTES_MAX: usize = 256;
/// Length of a group name, in bytes.
pub const GROUP_BYTES_MAX: usize = 512;
/// Size of a gossip message, in bytes. Habitat has no limit; 2 MiB configurations are known.
pub const GOSSIP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Size of a datagram, in bytes: the receive buffer of a real Supervisor.
pub const DATAGRAM_BYTES_MAX: usize = 1024;
/// Votes in an election.
pub const VOTES_MAX: usize = 4096;
/// Length of the name of a file, in bytes.
pub const FILENAME_BYTES_MAX: usize = 4096;
/// Rumors in all stores together, except members and those of this Supervisor.
pub const RUMORS_MAX: usize = 65_536;
/// Memory for these rumors, in bytes.
pub const RUMOR_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Further rumors that clients of this Supervisor applied: configurations, files, departures.
pub const CLIENT_RUMORS_MAX: usize = 4096;
/// Memory for these rumors, in bytes.
pub const CLIENT_RUMOR_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Size up to which an election counts as small, in bytes: [`VOTES_MAX`] votes of real members.
/// Larger ones do not get room reserved for this Supervisor.
pub const OWN_ELECTION_BYTES_MAX: usize = 128 * 1024;
/// Elections that wait for a suitability, per group.
pub const DEFERRED_ELECTIONS_MAX: usize = 64;
/// Members waiting for a probe of whether they are really dead.
pub const PROBE_SET_MAX: usize = 1024;
/// Outputs that wait for the caller; older messages to the network are dropped first.
pub const OUTPUTS_MAX: usize = 4096;
/// Addresses of initial peers.
pub const INITIAL_PEERS_MAX: usize = 1024;
