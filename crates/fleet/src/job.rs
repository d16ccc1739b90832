//! Slow work, done beside the fleet.

use std::{path::PathBuf, sync::Arc};

use roost_census::Content;
use roost_ident::{GroupFile, PackageIdent};
use roost_service::ServiceSpec;
use serde_json::Value;

use crate::{release::Release, specs::Followed};

/// What is read of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// Its spec.
    pub spec: ServiceSpec,
    /// The release of a process that was taken back, or that was checked.
    pub pin: Option<String>,
    /// Only that release is acceptable.
    pub exact: bool,
    /// The plain directory that its releases are staged from.
    pub directory: Option<PathBuf>,
    /// False to only look: no directory is made, nothing is changed on disk.
    pub prepare: bool,
    /// Only for its last hook: its spec is gone, and with it what it was bound to.
    pub for_end: bool,
}

impl Blueprint {
    /// What is read of a service with this spec, in general.
    pub(crate) fn of(spec: &ServiceSpec) -> Self {
        Self {
            spec: spec.clone(),
            pin: None,
            exact: false,
            directory: None,
            prepare: true,
            for_end: false,
        }
    }
}

/// What templates see beside the package and the Supervisor.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// `cfg`.
    pub cfg: Value,
    /// `svc`.
    pub svc: Value,
    /// `bind`.
    pub bind: Value,
}

/// Slow work, done beside the fleet.
#[derive(Debug)]
pub enum Job<R: Release> {
    /// Read the spec directory, and these services by name. Answer: `Specs`.
    ReadSpecs {
        /// Services that are known to the fleet.
        known: Vec<String>,
    },
    /// Read a service. Answer: `Built`.
    Build {
        /// What is read.
        blueprint: Blueprint,
        /// What a command has read of it just before, if one has.
        read: Option<Box<R>>,
        /// It is read for the documents alone.
        look: bool,
    },
    /// Read what the service ran from before. Answer: `Built`.
    BuildFormer {
        /// What is read when nothing is known of it any more.
        blueprint: Blueprint,
        /// What the service ran from, if that is still known.
        ran: Option<Arc<R>>,
        /// The last good layer of `user.toml`.
        user: Option<toml::Table>,
    },
    /// Read what would replace that which a service runs from. Answer: `CandidateBuilt`.
    Check {
        /// What is read.
        blueprint: Blueprint,
    },
    /// Parse what a candidate would see of the ring. Answer: `CandidateBuilt` with the same
    /// release.
    ReadForCandidate {
        /// The service.
        service: String,
        /// What would replace that which it runs from.
        release: Box<R>,
        /// What is to be parsed.
        contents: Vec<Arc<Content>>,
    },
    /// Render all templates of a candidate without a change on disk. Answer: `CandidateChecked`.
    CheckRendering {
        /// The service.
        service: String,
        /// What would replace that which it runs from.
        release: Box<R>,
        /// What its templates see; `None` when the census does not know it yet.
        scope: Option<Scope>,
    },
    /// Render hooks and configuration. Answer: `Rendered`.
    Render {
        /// The service.
        service: String,
        /// What it is made of.
        release: Arc<R>,
        /// What its templates see.
        scope: Scope,
        /// Write nothing when one template fails.
        whole: bool,
    },
    /// Render the install hook of a package. Answer: `InstallReady`.
    PrepareInstall {
        /// The service that it is installed for.
        service: String,
        /// The package.
        package: PackageIdent,
    },
    /// Read `user.toml`. Answer: `UserLayer`.
    ReadUserLayer {
        /// The service.
        service: String,
    },
    /// Write gossiped files. Answer: `FilesWritten`.
    WriteFiles {
        /// The service.
        service: String,
        /// What it is made of.
        release: Arc<R>,
        /// The files.
        files: Vec<GroupFile>,
        /// They were there before the service started.
        initial: bool,
    },
    /// Make a release of a plain directory. Answer: `Staged`.
    Stage {
        /// The directory.
        followed: Followed<R::Rights>,
        /// Releases that must stay.
        keep: Vec<PackageIdent>,
    },
    /// Parse what services see of the ring. Answer: [`crate::Fleet::see`] with
    /// [`crate::Glance::Contents`].
    ReadContents(Vec<Arc<Content>>),
}
