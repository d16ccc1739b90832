//! Names and words shared by every part of Roost: package identifiers, service groups, binds,
//! and the enumerations that appear in documents, specs and messages, each with its spellings.
//!
//! A leaf: plain values, no input or output, no clock. Facts are those of Habitat 2.1.78.
//!
//! | module | holds |
//! |---|---|
//! | [`package`] | `origin/name/version/release`, fuzzy match, ordering of releases |
//! | [`sys`] | addresses of a Supervisor |
//! | [`target`] | the platform a package was built for |
//! | [`applied`] | configurations and files for a group |
//! | [`bind`] | binds `name:service.group`, and whether a group satisfies one |
//! | [`group`] | service groups `service.group@org` |
//! | [`hook`] | names of hooks |
//! | [`options`] | options of a service, and their defaults |
//! | [`time`] | points in time as text: RFC 3339, release stamps |
//! | [`words`] | enumerations and their spellings in specs, documents and metafiles |

pub mod applied;
pub mod bind;
pub mod group;
pub mod hook;
pub mod options;
pub mod package;
pub mod sys;
pub mod target;
pub mod time;
pub mod version;
pub mod words;

pub use applied::{GroupFile, ServiceConfig, ServiceFile};
pub use bind::{BindError, BindState, ServiceBind};
pub use group::{ServiceGroup, ServiceGroupError};
pub use hook::Hook;
pub use options::ServiceOptions;
pub use package::{PackageIdent, PackageIdentError};
pub use sys::SysInfo;
pub use target::{PackageTarget, PackageTargetError};
pub use words::{
    BindingMode, DesiredState, ElectionStatus, HealthStatus, MemberHealth, ProcessState,
    ReasonCode, ServiceState, ShutdownSignal, TerminationReason, Topology, UnknownWord,
    UpdateCondition, UpdateStrategy,
};
