//! The census: the combined state of the ring's rumors. Service groups, their members, leaders,
//! binds, and the template values `svc` and `bind`.
//!
//! Pure: the caller passes a view of the rumor stores ([`Input`]), the census keeps the persistent
//! state (groups and members are never removed, a leader is kept during a re-election) and answers
//! queries (reference: http-api §12, ring §15.1, templates §3, services §11.1).
//!
//! | module | holds |
//! |---|---|
//! | [`input`] | the view of the rumor stores |
//! | [`census`] | [`Census`]: update, groups, the state visible to a service |
//! | [`group`], [`member`] | the state of groups and members |
//! | [`advice`] | warnings about groups whose elections cannot work as expected |
//! | [`bind`] | whether a group satisfies a bind |
//!
//! ```
//! use roost_census::{Census, Input, ServiceFact};
//! use roost_ident::SysInfo;
//!
//! let group = "web.default".parse().expect("a group");
//! let mut census = Census::new("me");
//! let sys = SysInfo::default();
//! let service = ServiceFact {
//!     member_id: "me",
//!     group: &group,
//!     incarnation: 1,
//!     pkg_incarnation: 0,
//!     pkg: "acme/web/1.0.0/20250101000000",
//!     cfg: b"port = 80",
//!     sys: &sys,
//! };
//! let input = Input { services: vec![service], ..Input::default() };
//! let refused = || roost_census::Closed::Refused("no keys".into());
//! let update = census.update(&input, &mut |_| Err(refused()));
//! assert!(update.changed);
//! let svc = census.svc_value(&group).expect("the own rumor is in");
//! assert_eq!(svc["me"]["cfg"]["port"], 80);
//! ```

pub mod advice;
pub mod bind;
mod boxes;
pub mod census;
mod content;
pub mod group;
pub mod input;
mod known;
mod measure;
pub mod member;
mod reading;
mod rebuild;
mod view;

pub use advice::Advice;
pub use bind::Bind;
pub use boxes::{Boxes, Opened};
pub use census::{Census, Sight, Update};
pub use group::{Group, GroupConfig};
pub use input::{ConfigFact, Counters, ElectionFact, FileFact, Input, MemberFact, ServiceFact};
pub use member::{Member, Standing};
pub use reading::Content;
pub use rebuild::{Closed, Decrypt};
