//! The `pkg` and `origin key` commands compared with the output of the real program.

mod building;
mod images;
mod recorded;
mod replay;
mod supervised;
mod torture;
