//! All services of one Supervisor as a pure state machine.
//!
//! A [`Fleet`] owns what the Supervisor knows of its services: their machines
//! ([`roost_service::Machine`]), the slow work that is under way for them, their processes and
//! hooks, what outlived the former Supervisor, the spec directory, plain directories, and what
//! templates see of the ring. It knows no clock, files, threads, sockets or environment. The shell
//! around it, `sup/src/supervisor`, brings it [`FleetEvent`]s and carries out its [`Action`]s.
//!
//! # Calling order
//!
//! - [`Fleet::new`] takes over what the launcher holds, and asks for the specs.
//! - Whatever happens goes in with [`Fleet::handle`]; a changed ring with [`Fleet::see`].
//! - [`Fleet::wake`] is called at [`Fleet::next_wake_ms`], which may change with every other call.
//! - After each of these, [`Fleet::poll`] is called until it returns nothing, and each action is
//!   carried out in order. Those that have an answer name it. Work on files may take any time: the
//!   fleet gives up on it after [`DISK_PATIENCE`], and takes its late answer as a reason to try
//!   again.
//! - [`Action::LookAround`] is answered with [`Fleet::see`] before the next event, so that a
//!   service is never started from a census that does not know its group yet.
//! - Documents are made of [`Fleet::services`], and of [`Fleet::take_touched`] which of them may
//!   look different.
//! - The Supervisor ends when [`Fleet::finished`] has a reason.
//!
//! # Time
//!
//! Every call has a [`roost_service::Now`]: a clock that never goes back, by which the fleet waits,
//! and Unix time, which it shows. Calls with the same inputs, times and [`Config::seed`] have the
//! same result.
//!
//! # Errors
//!
//! The fleet has no errors of its own, and no event is invalid. What concerns a service that is
//! gone is ignored, an answer that nothing waits for as well. What fails is a condition of one
//! service, with a line for its user, and is tried again.
//!
//! # Promises
//!
//! Never two processes of one service. What a spec file holds at last is what happens, in whatever
//! order things end. Everything ends, also when files or processes do not answer. A fleet that was
//! replaced shows what it showed before. `tests/fleet/random.rs` tries these.
//!
//! # Example
//!
//! ```
//! use roost_fleet::{Action, Config, FleetEvent, Fleet, Inheritance, Job, Listing, Release};
//! use roost_ident::{Hook, PackageIdent};
//! use roost_service::{Now, Plan, ServiceSpec, Settings};
//! use roost_template::config::Layers;
//!
//! /// What the shell reads from disk.
//! #[derive(Debug)]
//! struct Web(PackageIdent, Layers);
//!
//! impl Release for Web {
//!     type InstallHook = ();
//!     type Rights = ();
//!     fn ident(&self) -> &PackageIdent { &self.0 }
//!     fn plan(&self) -> Plan { Plan::bare(&self.0.to_string()) }
//!     fn has(&self, _: Hook) -> bool { false }
//!     fn layers(&self) -> &Layers { &self.1 }
//!     fn installs(&self) -> &[PackageIdent] { &[] }
//!     fn user_fault(&self) -> Option<&str> { None }
//!     fn user_to_keep(&self) -> Option<&str> { None }
//!     fn complaints(&self) -> &[String] { &[] }
//!     fn exports_of(&self, _: &str) -> &[String] { &[] }
//! }
//!
//! let now = Now { mono_ms: 0, unix_ms: 1_795_362_000_000 };
//! let config = Config {
//!     specs: "/hab/sup/default/specs".into(),
//!     organization: None,
//!     member_id: "0123456789abcdef0123456789abcdef".into(),
//!     settings: Settings::default(),
//!     seed: 1,
//! };
//! let mut fleet: Fleet<Web> = Fleet::new(now, config, Inheritance::default());
//! let mut jobs = |fleet: &mut Fleet<Web>| {
//!     let mut jobs = Vec::new();
//!     while let Some(action) = fleet.poll() {
//!         // The shell carries out every other action here.
//!         if let Action::Work(job) = action {
//!             jobs.push(*job);
//!         }
//!     }
//!     jobs
//! };
//! assert!(matches!(jobs(&mut fleet)[..], [Job::ReadSpecs { .. }]));
//!
//! // The directory holds one spec: the fleet wants the service read.
//! let spec = ServiceSpec::new(PackageIdent::new("acme", "web", None, None));
//! let specs = [("web".to_owned(), spec)].into();
//! fleet.handle(now, FleetEvent::Specs(Some(Listing { specs, ..Listing::default() })));
//! assert!(matches!(jobs(&mut fleet)[..], [Job::Build { look: false, .. }]));
//!
//! // The file is removed while it is read: once that has ended, the service is gone.
//! fleet.handle(now, FleetEvent::SpecsWritten);
//! assert!(matches!(jobs(&mut fleet)[..], [Job::ReadSpecs { .. }]));
//! fleet.handle(now, FleetEvent::Specs(Some(Listing::default())));
//! let ident = PackageIdent::new("acme", "web", Some("1"), Some("20250101000000"));
//! let result = Ok(Box::new(Web(ident, Layers::default())));
//! fleet.handle(now, FleetEvent::Built { service: "web".into(), result, look: false });
//! assert!(fleet.services().next().is_none());
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`Fleet`] | its parts, and what each event does, one file per concern |
//! | [`FleetEvent`], [`Action`], [`Release`] | what goes in, what comes out, what a service is made of |
//! | [`Service`] | one loaded service |
//! | `job`, `hook`, `stored`, `watched`, `shutdown` | what actions and events are made of |
//! | `course` | start, life and end of the whole |
//! | `spec_folder`, [`Listing`] | when specs are read, and what was read |
//! | `processes`, `orphans`, `survivors` | whose process a number is; what is stopped; what is taken back |
//! | `work` | slow work under way, and the patience with it |
//! | `context`, `configuration` | what templates see of the ring, and of the configuration |
//! | `directories` | plain directories that are followed |
//! | [`Governor`] | the share of the Supervisor's task that changes of the ring get |
//! | [`Heard`] | advice that was logged |

mod action;
mod configuration;
mod context;
mod course;
mod directories;
mod event;
mod fleet;
mod governor;
mod heard;
mod hook;
mod job;
mod orphans;
mod processes;
mod release;
mod service;
mod shutdown;
mod spec_folder;
mod specs;
mod stored;
mod survivors;
mod watched;
mod work;

pub use action::{Action, Line, RingAction};
pub use course::Ending;
pub use event::{Applied, Change, FleetEvent, InstallReady, Staged, UserLayer, WrittenFile};
pub use fleet::{Config, Fleet, Glance};
pub use governor::Governor;
pub use heard::Heard;
pub use hook::{HookOutput, HookRun, HookSource, ProbeRun};
pub use job::{Blueprint, Job, Scope};
pub use release::Release;
pub use service::Service;
pub use shutdown::{Left, Shutdown};
pub use specs::{Followed, Listing};
pub use stored::{Rewrite, Stored};
pub use survivors::{Held, HeldEnd, Inheritance, Kept};
pub use watched::{Place, Watched};
pub use work::DISK_PATIENCE;
