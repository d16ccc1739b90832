//! Tests of the census through its public interface.

mod contents;
mod groups;
mod laws;
mod recorded;
mod ring;
mod support;
