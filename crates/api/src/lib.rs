//! The HTTP monitoring API, port 9631: what runs on this Supervisor, how healthy it is, and
//! what it knows about its ring. Read-only; it never changes state (reference: http-api).
//!
//! The Supervisor hands in numbered, immutable [`Snapshot`]s through a `watch` channel; the
//! [`Gateway`] renders each document at most once per snapshot and format, on the first
//! request, and answers from the shared bytes. A request takes no lock that the Supervisor
//! waits for.
//!
//! [`Gateway`] has the order of calls, what they cost, and an example.
//!
//! | module | holds |
//! |---|---|
//! | [`documents`] | the documents as plain values |
//! | [`document`], `json`, `rendered` | a value and its rendered forms |
//! | [`snapshot`] | all documents of one moment |
//! | `resource`, `shape`, `openapi` | the table of resources, and the description made from it |
//! | [`gateway`] | configuration and the answer to one request |
//! | `path`, `query`, `accept`, `token` | the checked parts of a request |
//! | `admission`, `pass`, `lease`, `client` | who may read what and until when, and who asks |
//! | `version`, `watchers`, [`cursor`] | what is new to a client, waiting for it, pages |
//! | `service_list`, `configuration`, `probe` | `/v1/services`, `/v1/services/{sg}/config`, `/livez` and its like |
//! | `ring` | `/v1/ring/…` |
//! | [`live`], `chunks` | answers that are made on request, and streams |
//! | `serve`, `table`, `socket`, `stream`, `line`, `streaming` | connections: accept loop, limits, time-outs |
//! | [`tls`], [`listen`] | certificates and the port |
//! | [`metrics`] | `/metrics` |

mod accept;
mod admission;
mod answer;
mod asset;
mod chunks;
mod client;
mod configuration;
pub mod cursor;
pub mod document;
pub mod documents;
pub mod gateway;
mod held;
mod json;
mod lease;
pub mod limits;
mod line;
pub mod listen;
pub mod live;
pub mod metrics;
mod openapi;
mod openmetrics;
mod page;
mod pass;
mod path;
mod percent;
mod probe;
pub mod problem;
mod query;
mod rendered;
mod resource;
mod ring;
mod serve;
mod service_list;
mod shape;
pub mod snapshot;
mod socket;
mod stream;
mod streaming;
mod table;
pub mod tls;
mod token;
mod toml_form;
mod version;
mod watchers;

pub use accept::Media;
pub use document::{Document, Format};
pub use gateway::{Gateway, GatewayConfig};
pub use json::Json;
pub use limits::Limits;
pub use listen::{BindError, bind};
pub use live::{Ask, Live, NotLive};
pub use metrics::MetricsSource;
pub use problem::{Code, Problem};
pub use query::Query;
pub use rendered::Rendered;
pub use ring::contacts::{Contact, Contacts};
pub use roost_access::Rules;
pub use snapshot::{ServiceEntry, Snapshot};
pub use tls::{TlsConfig, TlsError};
pub use token::{Token, TokenError};
