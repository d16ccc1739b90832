//! The dashboard: files for browsers, embedded in the program, and the page that loads them.
//!
//! | module | holds |
//! |---|---|
//! | `files` | the files under names with their checksums, so that caches may keep them for good |
//! | `page` | the page: services as a table without JavaScript, and what loads the dashboard |
//!
//! The dashboard itself is in `app/`: modules that browsers load as they are, without a build step.
//! What it uses of others is in `vendor/`, listed in `vendor.toml`. It reads nothing but the HTTP
//! API. This crate knows neither the API nor its documents.

mod files;
mod page;

pub use files::{Asset, assets};
pub use page::{POLICY, Page, Row};
