//! Black-box tests over temporary roots.

mod packages;
mod service_dir;
mod staging;
mod support;
