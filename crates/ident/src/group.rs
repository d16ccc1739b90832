//! Service groups: `service.group[@organization]`.

use std::{fmt, str::FromStr};

use roost_text::{
    name::{self, NameError, NameKind},
    shown,
};
use serde::{Deserialize, Serialize};

/// A group of services that run the same package for the same purpose. Stored as its text, the key
/// of every rumor and document; parts are views into it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceGroup(String);

/// Text that is not a service group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceGroupError {
    /// It does not have the form of a service group.
    #[error(
        "Invalid service group: {}. A valid service group string is in the form service.group \
         (example: redis.production)",
        shown(.0)
    )]
    Form(String),
    /// A part of it is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Checks the parts of a group: besides the rule for names, they must not contain separators.
fn check(
    text: &str,
    service: &str,
    group: &str,
    organization: Option<&str>,
) -> Result<(), ServiceGroupError> {
    let parts = [(NameKind::Service, service), (NameKind::Group, group)];
    let organization = organization.map(|organization| (NameKind::Organization, organization));
    for (kind, part) in parts.into_iter().chain(organization) {
        if part.is_empty() || part.contains(['#', '@', '.']) {
            return Err(ServiceGroupError::Form(text.into()));
        }
        name::check(kind, part)?;
    }
    Ok(())
}

impl ServiceGroup {
    /// Builds a group from its parts.
    ///
    /// # Errors
    /// When a part is empty, contains `.`, `@` or `#`, or is not a valid name
    /// ([`roost_text::name`]).
    pub fn new(
        service: &str,
        group: &str,
        organization: Option<&str>,
    ) -> Result<Self, ServiceGroupError> {
        let text = match organization {
            Some(organization) => format!("{service}.{group}@{organization}"),
            None => format!("{service}.{group}"),
        };
        check(&text, service, group, organization)?;
        Ok(Self(text))
    }

    /// The text form, `service.group[@organization]`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the service, which is the name of its package.
    #[must_use]
    pub fn service(&self) -> &str {
        self.0.split_once('.').map_or("", |(service, _)| service)
    }

    /// Name of the group, `default` unless the user chose another.
    #[must_use]
    pub fn group(&self) -> &str {
        let group = self.0.split_once('.').map_or("", |(_, group)| group);
        group.split_once('@').map_or(group, |(group, _)| group)
    }

    /// The organization, when the Supervisor was started with one.
    #[must_use]
    pub fn organization(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, organization)| organization)
    }
}

impl FromStr for ServiceGroup {
    type Err = ServiceGroupError;

    /// Accepts a legacy prefix `application.environment#` and drops it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || ServiceGroupError::Form(text.into());
        let group = match text.split_once('#') {
            Some((prefix, group)) if !prefix.is_empty() && !prefix.contains('@') => group,
            Some(_) => return Err(invalid()),
            None => text,
        };
        let (parts, organization) = match group.split_once('@') {
            Some((parts, organization)) => (parts, Some(organization)),
            None => (group, None),
        };
        let (service, name) = parts.split_once('.').ok_or_else(invalid)?;
        check(text, service, name, organization)?;
        Ok(Self(group.into()))
    }
}

impl TryFrom<String> for ServiceGroup {
    type Error = ServiceGroupError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServiceGroup> for String {
    fn from(group: ServiceGroup) -> Self {
        group.0
    }
}

impl fmt::Display for ServiceGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_two_parts_and_an_optional_organization() {
        let group: ServiceGroup = "redis.default@acme".parse().expect("a group");
        assert_eq!(
            (group.service(), group.group(), group.organization()),
            ("redis", "default", Some("acme"))
        );
        let group: ServiceGroup = "shop.prod#redis.default".parse().expect("a legacy group");
        assert_eq!((group.as_str(), group.organization()), ("redis.default", None));
        for text in
            ["redis", "redis.default@", "a.b.c", "#x.y", "a.b@c.d", "", ".", "a.", "x@y#a.b"]
        {
            assert!(text.parse::<ServiceGroup>().is_err(), "{text}");
        }
    }

    #[test]
    fn parts_with_separators_are_refused() {
        assert!(ServiceGroup::new("we.b", "default", None).is_err());
        assert!(ServiceGroup::new("web", "default", Some("a@b")).is_err());
        assert!(ServiceGroup::new("web", "", None).is_err());
        let group = ServiceGroup::new("web x", "default", Some("acme")).expect("a group");
        assert_eq!(group.as_str(), "web x.default@acme");
    }

    #[test]
    fn parts_are_names_and_the_message_can_be_printed() {
        for text in ["we\tb.default", "web.de\nfault", "web.default@a/b", " web.default", "..x.y"] {
            assert!(text.parse::<ServiceGroup>().is_err(), "{text:?}");
        }
        let error = ServiceGroup::new("web", "x\ty", None).expect_err("a tab");
        assert!(error.to_string().starts_with(r"Invalid group name 'x\ty': a name has"), "{error}");
        let error = "a\u{1b}b".parse::<ServiceGroup>().expect_err("no group");
        assert!(error.to_string().contains(r"a\u{1b}b"), "{error}");
        let long = format!("web.{}", "x".repeat(129));
        assert!(long.parse::<ServiceGroup>().is_err());
    }
}
