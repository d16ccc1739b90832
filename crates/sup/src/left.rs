//! What still runs when the launcher is gone.

use std::{
    thread,
    time::{Duration, Instant},
};

use roost_fleet::Left;
use roost_launch::group;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// Stops process groups without a launcher, which is gone: the signal and the patience of each,
/// then KILL.
pub(crate) fn stop_without_launcher(left: &[Left]) {
    let began = Instant::now();
    let mut groups: Vec<(u32, Duration)> = Vec::new();
    for Left { pid, shutdown } in left {
        let asked = group::signal(*pid, shutdown.signal)
            // No signal of this system.
            .or_else(|_| group::signal(*pid, SIGTERM));
        if asked.is_ok() {
            groups.push((*pid, Duration::from_millis(shutdown.timeout_ms)));
        }
    }
    while !groups.is_empty() {
        groups.retain(|(group, patience)| {
            let lives = group::has_living(*group);
            if lives && began.elapsed() >= *patience {
                // One that is gone is stopped.
                let _ = group::signal(*group, SIGKILL);
                return false;
            }
            lives
        });
        thread::sleep(Duration::from_millis(5));
    }
}
