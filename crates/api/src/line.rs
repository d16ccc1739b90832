//! The connection that a request came on, as the request sees it.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::{client::Client, stream::Activity, table::Seat};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Cancelled when the connection has to end.
    pub(crate) leave: CancellationToken,
    /// Closes the connection when its bytes wait too long while others need the memory.
    pub(crate) close: CancellationToken,
    pub(crate) client: Arc<Client>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) seat: Arc<Seat>,
}

/// A request whose answer waits for something to happen, while it waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    activity: Arc<Activity>,
    seat: Arc<Seat>,
    _permit: OwnedSemaphorePermit,
}

impl Waiting {
    pub(crate) fn begin(line: &Line, permit: OwnedSemaphorePermit) -> Self {
        line.activity.begin_waiting();
        line.seat.begin_waiting();
        let (activity, seat) = (Arc::clone(&line.activity), Arc::clone(&line.seat));
        Self { activity, seat, _permit: permit }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.activity.end_waiting();
        self.seat.end_waiting();
    }
}
