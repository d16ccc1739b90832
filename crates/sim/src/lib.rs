//! Simulates rings: many [`roost_ring::Ring`]s, the very code that runs in a Supervisor, on one
//! heap of events ordered by time. Clocks, network and disks are replaced; a run is its seed.
//!
//! | file | holds |
//! |---|---|
//! | `world` | the heap, the members, what happens to them step by step |
//! | `node` | one member: ring, disk, clock, whether it runs |
//! | `net` | loss, delay, duplication, reordering, partitions, one-way cuts |
//! | `fault` | what goes wrong when: crashes, pauses, cuts, lies |
//! | `check` | what must always hold, and what is counted |
//! | `scenario` | named runs and what is expected of them |
//! | `report` | figures of a run |

#![forbid(unsafe_code)]

pub mod check;
pub mod fault;
pub mod net;
pub mod node;
pub mod report;
pub mod scenario;
pub mod world;

pub use fault::Fault;
pub use report::Report;
pub use scenario::Scenario;
pub use world::World;
