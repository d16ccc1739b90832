//! What is watched on disk, and where it is.

use std::path::PathBuf;

use roost_service::ServiceSpec;

/// Something on disk that is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// The spec directory.
    Specs,
    /// `user.toml` of a service.
    User(String),
    /// The user's `monitor.toml` of a service.
    Monitor(String),
    /// What a service that could not be built is made of.
    Sources(String),
    /// The plain directory of a service.
    Directory(String),
}

/// Where something lies that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The spec directory.
    Specs,
    /// `user.toml` of a service.
    UserToml(String),
    /// The user's `monitor.toml` of a service.
    Monitor(String),
    /// What a service is made of: its installed package, and the directory that stands in for it.
    Sources(Box<ServiceSpec>),
    /// A plain directory.
    Directory(PathBuf),
}
