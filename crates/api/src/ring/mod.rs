//! `/v1/ring/…`: what is selected of the ring's documents.

pub(crate) mod contacts;
pub(crate) mod groups;
pub(crate) mod members;
pub(crate) mod targets;
