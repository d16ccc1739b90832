//! The machine of one service, driven by simulated callers.

mod life;
mod random;
mod recorded;
mod support;
