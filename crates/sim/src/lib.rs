//! Simulates rings: many [`roost_ring::Ring`]s, the same code as in a Supervisor, on one heap of
//! events ordered by time. Clocks, network and disks are replaced; a run is determined by its
//! scenario and its seed.
//!
//! | file | holds |
//! |---|---|
//! | `scenario`, `scenarios/*.toml` | setup, faults and expectations |
//! | `play` | plays a scenario and reports |
//! | `world/` | the heap, the members, their steps; what faults and lies do, what is checked |
//! | `node` | one member: ring, disk, clock, whether it runs |
//! | `net` | loss, delay, duplication, reordering, partitions, one-way cuts |
//! | `fault` | faults: crashes, pauses, cuts, lies |
//! | `liar` | messages of liars |
//! | `check` | invariants and counters |
//! | `watch` | time until each member learns of news |
//! | `report` | figures of a run |

#![forbid(unsafe_code)]

pub mod check;
pub mod fault;
pub mod liar;
pub mod net;
pub mod node;
pub mod play;
pub mod report;
pub mod scenario;
pub mod watch;
pub mod world;

pub use fault::Fault;
pub use play::Wishes;
pub use report::Report;
pub use scenario::{SCENARIOS, Scenario};
pub use world::World;
