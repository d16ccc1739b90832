//! Who may read what of the HTTP API: scopes, and the file that grants them to tokens and to
//! certificates of clients (`hab sup run --http-tokens FILE`, [access](../../../docs/access.md)).
//!
//! A file holds hashes of tokens, never tokens. [`read`] refuses one that others can change or
//! read, and one with any fault: a rule that is not understood must not be dropped silently.
//! [`change`] rewrites it for `hab sup token`, and keeps what people wrote by hand.

mod edit;
mod fault;
mod form;
mod rules;
mod scope;
mod store;

pub use edit::{NewToken, added, removed};
pub use fault::Fault;
pub use rules::{CertificateRule, Rules, TokenRule, digest_of};
pub use scope::{Scope, Scopes, UnknownScope};
pub use store::{change, read, read_to_show};

/// Longest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most tokens in a file, and most certificates. Each request compares all of them.
pub const ENTRIES_MAX: usize = 1000;
/// Longest name of a token, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest token that a request may carry, in bytes.
pub const TOKEN_BYTES_MAX: usize = 512;
/// A token whose end is this near is reported, in milliseconds: 14 days.
pub const NOTICE_MS: u64 = 14 * 24 * 3600 * 1000;
