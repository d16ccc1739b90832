//! Butterfly, the gossip ring of Habitat 2.1, as one member's state machine: membership and
//! failure detection (SWIM), spreading of rumors, leader elections, the data file, the wire.
//!
//! No sockets, no clock, no files, no threads: the owner of a [`Ring`] reports what happened and
//! when, and carries out what comes out. The contract, with an example, is on the type.
//!
//! Parts decide, the ring acts: a part owns its state and returns what is to be done.
//!
//! | file | holds |
//! |---|---|
//! | `ring/` | the member as a whole: inputs, timers, outputs, views; one file wires in each part |
//! | `swim`, `envelope`, `names` | bytes of datagrams; encryption; names in messages |
//! | `member`, `table`, `id`, `greeting` | who is in the ring, and who informs newcomers |
//! | `standing` | since when and from whom the health of a member is known; round trips |
//! | `probe`, `awareness` | who is asked whether it is alive, and how far to trust oneself |
//! | `gossip`, `push`, `heat` | rumors: to whom, which, how often |
//! | `rumor/`, `stores`, `rooms` | one file per kind; where they are kept, and how many |
//! | `election/`, `quorum` | taking part in elections; their arithmetic |
//! | `refute`, `replay`, `double` | wrong reports, repeated datagrams, two machines with one id |
//! | `datafile` | what is kept while the member does not run |
//! | `outbox`, `view` | what comes out |
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
mod quorum;
mod record;
mod refute;
mod replay;
mod ring;
mod rooms;
pub mod rumor;
mod standing;
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
pub use quorum::Quorum;
pub use ring::Ring;
pub use roost_ident::SysInfo;
pub use rumor::{
    Departure, Election, ElectionUpdate, Rumor, RumorKind, Service, ServiceConfig, ServiceFile,
    Status,
};
pub use standing::{Contact, Source};
pub use swim::{Swim, SwimKind};
pub use time::Now;
pub use view::{Conflict, Listed, MemberList, RumorGroup, Rumors, View};
