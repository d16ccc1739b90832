//! A change that a client sees as done is on disk: configurations, uploaded files, departures.
//!
//! The data file is written with the change before the ring has it, so that a failing disk gives a
//! refusal and not a rumor that is lost at the next start. Changes that arrive during a write share
//! the next one.

use std::io;

use roost_ctl::reply::{ErrorCode, Failure};
use roost_fleet::{Applied, FleetEvent};
use roost_ring::{Command, Dropped, Input, Now, Ring, Stores};
use tokio::sync::{mpsc, oneshot};

use super::{
    disk::Disk,
    record::{Made, Record},
};
use crate::{audit::Audit, supervisor::event::Event, vital};

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
enum Refused {
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

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::Ring(_) | Refused::Busy => ErrorCode::Internal,
            Refused::Disk(_) => ErrorCode::Io,
        };
        Self::new(code, refused.to_string())
    }
}

/// A change that a client asks for.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) command: Box<Command>,
    /// What is recorded of the request.
    pub(super) audit: Option<Audit>,
    /// Receiver of the result.
    pub(super) answer: oneshot::Sender<Made>,
}

impl Change {
    fn refuse(self, record: &mut Record, refused: Refused) {
        let made = record.make(self.audit, |_| Err(refused.into()));
        // The requester may be gone.
        let _ = self.answer.send(made);
    }
}

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
    pub(super) fn add(&mut self, change: Change, record: &mut Record) {
        if self.waiting.len() < CHANGES_MAX {
            self.waiting.push(change);
        } else {
            change.refuse(record, Refused::Busy);
        }
    }

    /// Writes the waiting changes, unless a write is in progress.
    pub(super) fn write(&mut self, now: Now, ring: &Ring, disk: &Disk, record: &mut Record) {
        if self.is_writing() || self.waiting.is_empty() {
            return;
        }
        let (stores, changes) = after(now, ring, std::mem::take(&mut self.waiting), record);
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

    /// The write has ended: applies its changes to the ring. What a configuration or a file
    /// follows from is sent before the ring shows it.
    pub(super) fn apply(
        &mut self,
        now: Now,
        ring: &mut Ring,
        result: &io::Result<()>,
        record: &mut Record,
        send: impl Fn(Event),
    ) {
        for change in self.writing.take().into_iter().flatten() {
            if let Err(error) = result {
                let error = io::Error::new(error.kind(), error.to_string());
                change.refuse(record, Refused::Disk(error));
                continue;
            }
            let Change { command, audit, answer } = change;
            let applied = applied(&command);
            let made = record.make(audit, |cause| {
                let input = Input::Command(*command);
                Ok(ring.handle_because(now, cause, input).map_err(Refused::Ring)?)
            });
            if let Some((what, version)) = applied.filter(|_| made.result.is_ok()) {
                let cause = made.request.into();
                send(Event::Fleet(FleetEvent::Applied { what, version, cause }));
            }
            // The requester may be gone.
            let _ = answer.send(made);
        }
    }
}

/// What a client gives to the ring that services follow, and its version.
fn applied(command: &Command) -> Option<(Applied, u64)> {
    match command {
        Command::SetServiceConfig { group, incarnation, .. } => {
            Some((Applied { group: group.clone(), file: None }, *incarnation))
        }
        Command::SetServiceFile { group, filename, incarnation, .. } => {
            Some((Applied { group: group.clone(), file: Some(filename.clone()) }, *incarnation))
        }
        _ => None,
    }
}

/// Content of the data file including these changes. Changes that the ring refuses are answered and
/// left out.
fn after(
    now: Now,
    ring: &Ring,
    changes: Vec<Change>,
    record: &mut Record,
) -> (Stores, Vec<Change>) {
    let mut trial = ring.trial(now);
    let mut taken = Vec::new();
    for change in changes {
        match trial.handle(now, Input::Command((*change.command).clone())) {
            Ok(()) => taken.push(change),
            Err(dropped) => change.refuse(record, dropped.into()),
        }
    }
    (trial.stores(), taken)
}
