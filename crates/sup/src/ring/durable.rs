//! A change that a client sees as done is on disk: configurations, uploaded files, departures.
//!
//! The data file is written with the change before the ring has it, so that a failing disk gives a
//! refusal and not a rumor that is lost at the next start. Changes that arrive during a write share
//! the next one.

use std::io;

use roost_ring::{Command, Dropped, Input, Now, Ring, Stores};
use tokio::sync::{mpsc, oneshot};

use super::disk::Disk;
use crate::vital;

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The ring refuses it.
    #[error("The ring takes nothing more, and nothing has changed: {0}")]
    Ring(#[from] Dropped),
    /// The disk refuses it.
    #[error(
        "It cannot be stored, so it is not spread: {0}. Repeat it when the disk of the Supervisor \
         takes it"
    )]
    Disk(io::Error),
    /// Too many changes wait for the disk.
    #[error("{CHANGES_MAX} changes wait for the disk of the Supervisor; nothing has changed")]
    Busy,
}

/// Receiver of the result.
pub(super) type Answer = oneshot::Sender<Result<(), Refused>>;

/// A change and the receiver of its result.
type Change = (Box<Command>, Answer);

/// Most changes waiting for the disk. The control gateway has fewer pending requests.
const CHANGES_MAX: usize = 1024;

/// Changes on their way to the disk and then into the ring.
#[derive(Debug)]
pub(super) struct Durable {
    waiting: Vec<Change>,
    /// Changes of the current write.
    writing: Option<Vec<Change>>,
    results: (mpsc::Sender<io::Result<()>>, mpsc::Receiver<io::Result<()>>),
}

impl Durable {
    pub(super) fn new() -> Self {
        // One write at a time.
        Self { waiting: Vec::new(), writing: None, results: mpsc::channel(1) }
    }

    pub(super) const fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// The result of the current write.
    pub(super) async fn written(&mut self) -> Option<io::Result<()>> {
        self.results.1.recv().await
    }

    /// Takes a change.
    pub(super) fn add(&mut self, command: Box<Command>, answer: Answer) {
        if self.waiting.len() < CHANGES_MAX {
            self.waiting.push((command, answer));
        } else {
            // The requester may be gone.
            let _ = answer.send(Err(Refused::Busy));
        }
    }

    /// Writes the waiting changes, unless a write is in progress.
    pub(super) fn write(&mut self, now: Now, ring: &Ring, disk: &Disk) {
        if self.is_writing() || self.waiting.is_empty() {
            return;
        }
        let (stores, changes) = after(now, ring, std::mem::take(&mut self.waiting));
        if changes.is_empty() {
            return;
        }
        self.writing = Some(changes);
        let write = disk.write_stores_now(&stores);
        let results = self.results.0.clone();
        vital::spawn("changes to the disk", async move {
            // The task is gone only when the process is ending.
            let _ = results.send(write.await).await;
        });
    }

    /// The write has ended: applies its changes to the ring.
    pub(super) fn apply(&mut self, now: Now, ring: &mut Ring, result: &io::Result<()>) {
        for (command, answer) in self.writing.take().into_iter().flatten() {
            let result = match result {
                Ok(()) => ring.handle(now, Input::Command(*command)).map_err(Refused::Ring),
                Err(error) => Err(Refused::Disk(io::Error::new(error.kind(), error.to_string()))),
            };
            // The requester may be gone.
            let _ = answer.send(result);
        }
    }
}

/// Content of the data file including these changes. Changes that the ring refuses are answered and
/// left out.
fn after(now: Now, ring: &Ring, changes: Vec<Change>) -> (Stores, Vec<Change>) {
    let mut trial = ring.trial(now);
    let mut taken = Vec::new();
    for (command, answer) in changes {
        match trial.handle(now, Input::Command((*command).clone())) {
            Ok(()) => taken.push((command, answer)),
            // The requester may be gone.
            Err(dropped) => drop(answer.send(Err(dropped.into()))),
        }
    }
    (trial.stores(), taken)
}
