//! Foreign text: its safe display, and the rule for names.
//!
//! All text that the Supervisor does not write itself is foreign: names and addresses from the
//! ring, requests, file contents, output of services. Before it reaches a log, a terminal, a metric
//! label or a file name, it passes one of the functions here.
//!
//! | text | function |
//! |---|---|
//! | a name or value within a message | [`shown`] |
//! | the text of one log line, or a line that a service printed | [`append_line`] |
//! | a block of several lines that a command prints | [`block`] |
//! | a name at its entry point | [`name::check`] |
//!
//! A leaf: no dependencies, no input or output.

pub mod name;
mod show;

pub use name::{NameError, NameKind};
pub use show::{SHOWN_BYTES_MAX, append_line, block, is_unprintable, shown};
