//! What the HTTP gateway answers beside its snapshots: each method of [`Live`] starts the work that
//! makes one answer. The Supervisor's task is not involved, unless a method asks it.

mod lines;

use std::path::PathBuf;

use roost_api::{
    Ask, Live,
    live::{Chunks, Pending, Reply},
};
use roost_journal::Record;

use crate::history::{self, View};

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Answers {
    /// `FS_ROOT`.
    pub(crate) root: PathBuf,
    /// What happened.
    pub(crate) record: Record,
    /// How events are shown.
    pub(crate) view: View,
}

impl Live for Answers {
    fn lines(&self, ask: Ask) -> Pending<Chunks> {
        lines::answer(&self.root, &ask)
    }

    fn events(&self, ask: Ask) -> Pending<Reply> {
        history::page(&self.record, self.view, &ask)
    }

    fn event_stream(&self, ask: Ask) -> Pending<Chunks> {
        history::stream(&self.record, self.view, &ask)
    }
}
