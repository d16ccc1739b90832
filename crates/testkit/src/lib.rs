//! Support for tests that start the real program: temporary roots, packages from literals,
//! Supervisors with separate addresses, and reliable clean-up.
//!
//! ```no_run
//! let root = testkit::Root::new("/path/to/hab");
//! root.package("acme/web/1.0/20250101000000", &[("hooks/run", "#!/bin/sh\nexec sleep 1000\n")]);
//! let sup = root.supervisor().args(["acme/web"]).start();
//! sup.wait_json("/services/web/default", |service| service["process"]["state"] == "up");
//! ```

mod chromium;
mod disk;
pub mod events;
mod http;
mod lease;
mod network;
mod python;
mod root;
mod run;
mod skip;
mod supervisor;

pub use chromium::{Chromium, Page};
pub use disk::Disk;
pub use http::{Answer, request};
pub use lease::Lease;
pub use network::Network;
pub use python::{peer_script, python_with};
pub use root::Root;
pub use run::{Ended, run};
pub use skip::skip;
pub use supervisor::{Builder, Supervisor, free_ports, own_address};

use std::time::{Duration, Instant};

/// Time limit of a condition on a busy machine. No test depends on speed; only a failing one waits
/// this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `look` finds something.
///
/// # Panics
/// When it does not within [`PATIENCE`]; the message is `what`.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
