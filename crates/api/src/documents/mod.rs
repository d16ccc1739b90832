//! The documents that the API publishes, as plain values: the exact keys, order, types and
//! spellings of Habitat 2.1.78 (reference: http-api §8 to §13).
//!
//! Each document also reads what it writes, so that tests and clients can take recorded
//! documents apart. Unknown keys are refused: a document that grows by accident is noticed.

pub mod availability;
pub mod butterfly;
pub mod census;
pub mod config;
pub mod configuration;
pub mod events;
pub mod explain;
pub mod health;
pub mod probe;
pub mod ring;
pub mod service;
pub mod stats;
pub mod summary;
pub mod supervisor;
pub mod surroundings;
pub mod v1;

pub use butterfly::Butterfly;
pub use census::Census;
pub use config::{ConfigTable, TableSource};
pub use events::EventsV1;
pub use health::HealthDocument;
pub use service::ServiceDocument;
pub use stats::{Stats, StatsList};
pub use supervisor::SupervisorV1;
pub use v1::{ServiceDocuments, ServiceHealthV1, ServiceV1};
