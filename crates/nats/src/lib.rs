//! The event stream of Habitat: what happens to services, sent to a NATS server (reference:
//! event-stream).
//!
//! | module | holds |
//! |---|---|
//! | [`address`] | the value of `--event-stream-url` |
//! | [`announcer`] | which events follow from what happens to a service; pure |
//! | [`payload`] | the bytes of events |
//! | [`buffer`] | events that wait for the server, bounded |
//! | [`link`](mod@link) | the connection |
//!
//! The Supervisor calls the [`announcer::Announcer`] for each change of a service, pushes the
//! resulting events into the [`buffer::Buffer`] and never waits. A task runs [`link::run`], which
//! takes them out and publishes them. Without a connection the buffer keeps the latest events and
//! counts those that it drops.

pub mod address;
pub mod announcer;
pub mod buffer;
pub mod link;
pub mod payload;
