//! What a machine lacks is no failure, but it is said.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicUsize, Ordering},
};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Says, in a line that no harness captures, that the current test is skipped, why, and how many
/// were in this process.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let line = format!("SKIPPED {name}: {why}; {count} skipped here\n");
    // Nobody can be told when there is no standard error.
    let _ = io::stderr().write_all(line.as_bytes());
}
