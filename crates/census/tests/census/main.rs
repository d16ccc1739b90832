//! Tests of the census through its public interface.

mod laws;
mod recorded;
mod ring;
