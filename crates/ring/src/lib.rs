//! Butterfly, the gossip ring of Habitat 2.1, as one member's state machine: membership and
//! failure detection (SWIM), spreading of rumors, leader elections, the data file, the wire.
//!
//! No sockets, no clock, no files, no threads: the owner of a [`Ring`] feeds in what happened
//! and when, and does what comes out.
//!
//! ```
//! use roost_ring::{Command, Config, Input, Me, MemberId, Now, Output, OwnService, Ring, SysInfo};
//!
//! # fn send(_: std::net::SocketAddr, _: &[u8]) {}
//! # fn write_to_disk(_: u64) {}
//! let me = Me { id: MemberId::from_bits(7), incarnation: 0, port: 9638, permanent: false };
//! let config =
//!     Config { initial_peers: vec!["10.0.0.1:9638".parse()?], ..Config::default() };
//! let mut now = Now(0);
//! let mut ring = Ring::new(config, me, None, 42, now);
//! let service = OwnService {
//!     group: "web.default".into(),
//!     pkg: "acme/web/1.0.0/20250101000000".into(),
//!     cfg: "port = 80\n".into(),
//!     sys: SysInfo { ip: "10.0.0.2".into(), hostname: "web-1".into(), ..SysInfo::default() },
//!     pkg_incarnation: 0,
//! };
//! ring.handle(now, Input::Command(Command::PublishService(service)))?;
//! assert_eq!(ring.view().services.len(), 1);
//! for _ in 0..3 {
//!     now = ring.next_wake(); // sleep until then, or until something arrives
//!     ring.wake(now);
//!     while let Some(output) = ring.poll() {
//!         match output {
//!             Output::Send { to, bytes } => send(to, &bytes),
//!             Output::PersistIncarnation(incarnation) => {
//!                 write_to_disk(incarnation);
//!                 ring.handle(now, Input::IncarnationStored(incarnation))?;
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `ring` | the member as a whole: inputs, timers, outputs, views |
//! | `converse`, `swim`, `envelope` | datagrams: what is answered; their bytes; their encryption |
//! | `membership`, `member`, `table`, `id` | who is in the ring and how they are |
//! | `probe`, `awareness` | who is asked whether it is alive, and how far to trust oneself |
//! | `gossip`, `heat`, `stores`, `rumor` | rumors: to whom, how often, where kept, one file per kind |
//! | `election` | taking part in elections |
//! | `leave`, `restore`, `datafile` | going, coming back, the file in between |
//! | `replay`, `double` | repeated datagrams, two machines with one id |
//! | `limits`, `dropped`, `counters` | what is refused, why, and how often |

#![forbid(unsafe_code)]

mod awareness;
mod config;
mod counters;
pub mod datafile;
mod double;
mod dropped;
mod election;
mod envelope;
mod gossip;
mod greeting;
mod heat;
mod id;
mod input;
pub mod limits;
mod member;
mod names;
mod outbox;
mod output;
mod probe;
mod push;
mod refute;
mod replay;
mod ring;
mod rooms;
pub mod rumor;
mod stores;
mod swim;
mod table;
mod time;
mod view;

pub use config::{Config, Me, SHARE_LIMIT, Stores};
pub use counters::{Counters, HealthTally, Suspicions, SwimType, Tally};
pub use dropped::Dropped;
pub use envelope::Envelope;
pub use id::MemberId;
pub use input::{Command, Input, OwnService};
pub use member::{Health, Member, Membership};
pub use output::{Duration, Event, Output};
pub use ring::Ring;
pub use rumor::{
    Departure, Election, ElectionUpdate, Rumor, RumorKind, Service, ServiceConfig, ServiceFile,
    Status, SysInfo,
};
pub use swim::{Swim, SwimKind};
pub use time::Now;
pub use view::{MemberList, RumorGroup, Rumors, View};
