//! Binds: what a service needs of another group, and whether the group provides it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use roost_text::{
    name::{self, NameError, NameKind},
    shown,
};
use serde::{Deserialize, Serialize};

use crate::group::{ServiceGroup, ServiceGroupError};

/// A bind: the name a package uses for a service it needs, and the group that provides it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceBind {
    /// Name of the bind in the package's `BINDS` or `BINDS_OPTIONAL`.
    pub name: String,
    /// The group that provides it.
    pub group: ServiceGroup,
}

/// Text that is not a bind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// It does not have the form of a bind.
    #[error(
        "Invalid binding '{}', must be of the form <NAME>:<SERVICE_GROUP> where <NAME> is a service \
         name, and <SERVICE_GROUP> is a valid service group",
        shown(.0)
    )]
    Form(String),
    /// A part of it is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl ServiceBind {
    /// Builds a bind from its parts.
    ///
    /// # Errors
    /// When the name is not valid.
    pub fn new(name: &str, group: ServiceGroup) -> Result<Self, NameError> {
        name::check(NameKind::Bind, name)?;
        Ok(Self { name: name.into(), group })
    }
}

impl FromStr for ServiceBind {
    type Err = BindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || BindError::Form(text.into());
        let (name, group) = text.split_once(':').ok_or_else(invalid)?;
        if group.contains(':') {
            return Err(invalid());
        }
        if name.is_empty() {
            return Err(invalid());
        }
        match group.parse() {
            Ok(group) => Ok(Self::new(name, group)?),
            Err(ServiceGroupError::Name(error)) => Err(error.into()),
            Err(ServiceGroupError::Form(_)) => Err(invalid()),
        }
    }
}

impl TryFrom<String> for ServiceBind {
    type Error = BindError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceBind> for String {
    fn from(bind: ServiceBind) -> Self {
        bind.to_string()
    }
}

impl fmt::Display for ServiceBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.group)
    }
}

/// Whether a group satisfies a bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindState {
    /// The group satisfies it.
    Satisfied,
    /// The census does not have the group.
    Absent,
    /// No member of the group is alive or suspect.
    Inactive,
    /// The leader of the group, or without one its first active member, does not export these.
    MissingExports(BTreeSet<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_have_exactly_one_colon_and_their_parts_are_names() {
        let bind: ServiceBind = "db:postgres.default@acme".parse().expect("a bind");
        assert_eq!((bind.name.as_str(), bind.group.service()), ("db", "postgres"));
        assert_eq!(bind.to_string(), "db:postgres.default@acme");
        for text in [
            "db",
            "db:",
            "db:postgres",
            "a:b:c.d",
            "db:x.y:z",
            "d\tb:pg.default",
            ":pg.default",
            "db:pg.de\nfault",
        ] {
            assert!(text.parse::<ServiceBind>().is_err(), "{text:?}");
        }
    }
}
