//! The machine of one service, driven by simulated callers.

mod candidates;
mod health;
mod limits;
mod monitored;
mod random;
mod recorded;
mod renderings;
mod reports;
mod starts;
mod stops;
mod support;
mod survivors;
mod why;
mod wishes;
