//! The example services with the real programs: start, health, a change of configuration that
//! the program itself confirms, death and restart, a failing check, a clean stop.
//!
//! A missing program is reported on standard error (`SKIPPED …`), and its test passes.

mod common;
mod hello;
mod metrics;
mod monitoring_files;
mod nginx;
mod postgresql;
mod prometheus;
mod redis;
mod scenarios;
