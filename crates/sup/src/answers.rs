//! What the HTTP gateway answers beside its snapshots: each method of [`Live`] starts the work that
//! makes one answer. The Supervisor's task is not involved, unless a method asks it.

mod lines;

use std::path::PathBuf;

use roost_api::{
    Ask, Live,
    live::{Chunks, Pending},
};

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Answers {
    /// `FS_ROOT`.
    pub(crate) root: PathBuf,
}

impl Live for Answers {
    fn lines(&self, ask: Ask) -> Pending<Chunks> {
        lines::answer(&self.root, &ask)
    }
}
