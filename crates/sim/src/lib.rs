//! Simulates rings: many [`roost_ring::Ring`]s, the very code that runs in a Supervisor, on one
//! heap of events ordered by time. Clocks, network and disks are replaced; a run is its scenario
//! and its seed.
//!
//! | file | holds |
//! |---|---|
//! | `scenario`, `scenarios/*.toml` | what is set up, what goes wrong, what is expected |
//! | `play` | plays a scenario and reports |
//! | `world` | the heap, the members, what happens to them step by step |
//! | `node` | one member: ring, disk, clock, whether it runs |
//! | `net` | loss, delay, duplication, reordering, partitions, one-way cuts |
//! | `fault` | what goes wrong when: crashes, pauses, cuts, lies |
//! | `liar` | what members say that lie |
//! | `check` | what must always hold, and what is counted |
//! | `watch` | how long news take to each member |
//! | `report`, `trace` | figures of a run; a line for everything that happens |

#![forbid(unsafe_code)]

pub mod check;
pub mod fault;
pub mod liar;
pub mod net;
pub mod node;
pub mod play;
pub mod report;
pub mod scenario;
mod trace;
pub mod watch;
pub mod world;

pub use fault::Fault;
pub use play::Wishes;
pub use report::Report;
pub use scenario::{SCENARIOS, Scenario};
pub use world::World;
