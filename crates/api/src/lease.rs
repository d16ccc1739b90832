//! The end of a pass: its token expires or is revoked, or its certificate ends. Streams and
//! requests that wait end with it.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use roost_access::{Rules, Scope};
use tokio::{sync::watch, time::sleep};

use crate::pass::{Pass, unix_ms};

/// Completes when the pass ends.
pub(crate) type Lease = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The clock may be set meanwhile: after this time the pass is compared with it again.
const CLOCK_CHECK: Duration = Duration::from_secs(30);

pub(crate) fn of(pass: Pass, mut rules: watch::Receiver<Arc<Rules>>, needed: Scope) -> Lease {
    Box::pin(async move {
        loop {
            let now_ms = unix_ms();
            let Some(until_ms) = pass.until_ms(&rules.borrow_and_update(), needed, now_ms) else {
                return;
            };
            let left = Duration::from_millis(until_ms - now_ms).min(CLOCK_CHECK);
            tokio::select! {
                changed = rules.changed() => if changed.is_err() {
                    // The rules stay as they are.
                    sleep(left).await;
                },
                () = sleep(left) => {}
            }
        }
    })
}

/// Waits for the end of a lease, if there is one. It is `None` afterwards.
pub(crate) async fn ended(lease: &mut Option<Lease>) {
    match lease {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
    *lease = None;
}
