//! What the HTTP gateway answers beside its snapshots: each method of [`Live`] starts the work that
//! makes one answer. The Supervisor's task is not involved, unless a method asks it.

use roost_api::Live;

/// What the answers are made from.
#[derive(Debug)]
pub(crate) struct Answers;

impl Live for Answers {}
