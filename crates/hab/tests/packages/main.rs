//! The `pkg` and `origin key` commands against what the real program printed.

mod building;
mod recorded;
mod replay;
mod torture;
