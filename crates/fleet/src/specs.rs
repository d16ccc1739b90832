//! What the spec directory holds, as the shell reads it.

use std::{collections::BTreeMap, path::PathBuf};

use roost_ident::PackageIdent;
use roost_service::ServiceSpec;

use crate::{release::Release, stored::Rewrite};

/// What the spec directory holds.
#[derive(Debug)]
pub struct Listing<R: Release> {
    /// Specs by the name of their package.
    pub specs: BTreeMap<String, ServiceSpec>,
    /// A line for the user for each file that cannot be used, by path.
    pub complaints: BTreeMap<PathBuf, String>,
    /// Packages whose file exists but cannot be used.
    pub unusable: Vec<String>,
    /// Plain directories that are followed.
    pub followed: Vec<Followed<R::Rights>>,
    /// A line for each file about a plain directory that cannot be used.
    pub followed_complaints: Vec<String>,
    /// Files whose text is not the full form of what they hold, with that form.
    pub rewrites: Vec<Rewrite>,
    /// The release that a service ran from last, by the name of its package.
    pub formers: BTreeMap<String, String>,
}

// Derived, it would ask the same of the release.
impl<R: Release> Default for Listing<R> {
    fn default() -> Self {
        Self {
            specs: BTreeMap::new(),
            complaints: BTreeMap::new(),
            unusable: Vec::new(),
            followed: Vec::new(),
            followed_complaints: Vec::new(),
            rewrites: Vec::new(),
            formers: BTreeMap::new(),
        }
    }
}

impl<R: Release> Listing<R> {
    /// True when nothing is wanted of a service. A file that cannot be used names no wish: its
    /// service goes on as it was.
    pub(crate) fn is_unloaded(&self, service: &str) -> bool {
        !self.specs.contains_key(service) && !self.is_unusable(service)
    }

    pub(crate) fn is_unusable(&self, service: &str) -> bool {
        self.unusable.iter().any(|unusable| unusable == service)
    }

    /// The spec of the service that a service group is of.
    pub(crate) fn spec_of(&self, group: &str) -> Option<&ServiceSpec> {
        self.specs.get(service_of(group))
    }
}

/// The service that a service group is of.
pub(crate) fn service_of(group: &str) -> &str {
    group.split_once('.').map_or(group, |(service, _)| service)
}

/// A plain directory, and what an operator agreed to by loading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed<P> {
    /// The service, which is the name of its package.
    pub service: String,
    /// Origin of its package.
    pub origin: String,
    /// The directory, as the operator named it.
    pub path: PathBuf,
    /// What else was agreed to.
    pub rights: P,
    /// The release that it stood for when it was staged last.
    pub release: Option<PackageIdent>,
}
