//! The only place that converts state into documents of the API; one file per document.

pub(crate) mod butterfly;
pub(crate) mod census;
pub(crate) mod checks;
pub(crate) mod configuration;
pub(crate) mod entries;
pub(crate) mod explanation;
pub(crate) mod ring;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod supervisor;
mod surroundings;
pub(crate) mod usage;
pub(crate) mod v1;
