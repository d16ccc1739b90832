//! Tests without their prerequisites are skipped, and reported.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicUsize, Ordering},
};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Reports, outside of the harness's capture, that the current test is skipped, why, and how many
/// were skipped in this process.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    let line = format!("SKIPPED {name}: {why}; {count} skipped here\n");
    // A failure of standard error cannot be reported.
    let _ = io::stderr().write_all(line.as_bytes());
}
