//! Tests of the census through its public face.

mod laws;
mod recorded;
mod ring;
