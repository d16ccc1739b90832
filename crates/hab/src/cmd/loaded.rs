//! Names of a loaded service: its package identifier, its name, or its service group.

use std::{fmt, str::FromStr};

use anyhow::bail;
use roost_ctl::{Answer, Request};
use roost_ident::{PackageIdent, ServiceGroup};

use crate::{
    address::CtlAddress,
    cmd::payload::parse_ident,
    context::Context,
    control::{ask, expect_answer},
};

/// A loaded service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// By its package identifier, `acme/web`.
    Ident(PackageIdent),
    /// By its name, `web`, or its group, `web.default`.
    Name(String),
}

impl FromStr for Loaded {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = !text.is_empty()
            && !text.contains('/')
            && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        // A group is validated as one, so that the error describes the mistake.
        if is_name && text.contains('.') {
            text.parse::<ServiceGroup>().map_err(|error| error.to_string())?;
        }
        if is_name {
            return Ok(Self::Name(text.into()));
        }
        parse_ident(text).map(Self::Ident).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ident(ident) => ident.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Loaded {
    /// The group with this name; for a bare name the group `default`. `None` for an identifier.
    pub(crate) fn group(&self) -> Option<ServiceGroup> {
        match self {
            Self::Ident(_) => None,
            Self::Name(name) if name.contains('.') => name.parse().ok(),
            Self::Name(name) => ServiceGroup::new(name, "default", None).ok(),
        }
    }

    /// The identifier: as given, or that of the loaded service with this name.
    ///
    /// # Errors
    /// When no loaded service has this name, or several have.
    pub(crate) fn resolve(
        self,
        context: &Context,
        remote: &CtlAddress,
    ) -> anyhow::Result<PackageIdent> {
        let name = match self {
            Self::Ident(ident) => return Ok(ident),
            Self::Name(name) => name,
        };
        let mut loaded = Vec::new();
        let ended = ask(context, remote, &Request::Status { ident: None }, |answer| {
            if let Answer::Status(status) = answer {
                loaded.push(*status);
            }
            Ok(())
        })?;
        expect_answer(ended)?;
        let loaded: Vec<_> = loaded
            .into_iter()
            .map(|status| (format!("{}/{}", status.ident.origin, status.ident.name), status.group))
            .collect();
        let (ident, _) = choose(&name, &loaded, |(ident, _)| ident.clone())?;
        Ok(parse_ident(ident)?)
    }

    /// The one service among identifiers and groups. Messages show services by `shown`.
    ///
    /// # Errors
    /// When none matches, or several do.
    pub(crate) fn choose<'a>(
        &self,
        loaded: &'a [(String, ServiceGroup)],
        shown: impl Fn(&(String, ServiceGroup)) -> String,
    ) -> anyhow::Result<&'a (String, ServiceGroup)> {
        match self {
            Self::Ident(ident) => {
                choose(&format!("{}/{}", ident.origin, ident.name), loaded, shown)
            }
            Self::Name(name) => choose(name, loaded, shown),
        }
    }
}

/// The one service that an identifier (`acme/web`), a name (`web`) or a group (`web.blue`, with or
/// without its organization) matches.
fn choose<'a>(
    name: &str,
    loaded: &'a [(String, ServiceGroup)],
    shown: impl Fn(&(String, ServiceGroup)) -> String,
) -> anyhow::Result<&'a (String, ServiceGroup)> {
    let means = |(ident, group): &&(String, ServiceGroup)| {
        let full = group.as_str();
        let bare = full.split_once('@').map_or(full, |(bare, _)| bare);
        [ident, group.service(), bare, full].contains(&name)
    };
    let list = |services: &[&(String, ServiceGroup)]| {
        let names: Vec<String> = services.iter().map(|service| shown(service)).collect();
        names.join(", ")
    };
    let found: Vec<_> = loaded.iter().filter(means).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] if loaded.is_empty() => bail!("No service is loaded, so {name} is not."),
        [] => {
            let all: Vec<_> = loaded.iter().collect();
            bail!("{name} is not loaded. Loaded are: {}.", list(&all))
        }
        several => bail!("{name} is ambiguous. Give one of: {}.", list(several)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(ident: &str, group: &str) -> (String, ServiceGroup) {
        (ident.into(), group.parse().expect("a group"))
    }

    #[test]
    fn a_name_or_group_selects_its_service() {
        let loaded = [service("acme/web", "web.blue@org"), service("core/redis", "redis.default")];
        let by_ident = |name| {
            choose(name, &loaded, |(ident, _)| ident.clone()).map(|(ident, _)| ident.as_str())
        };
        for name in ["web", "web.blue", "web.blue@org", "acme/web"] {
            assert_eq!(by_ident(name).expect("loaded"), "acme/web", "{name}");
        }
        let error = by_ident("wep").expect_err("not loaded").to_string();
        assert_eq!(error, "wep is not loaded. Loaded are: acme/web, core/redis.");
        let by_group = |name| choose(name, &loaded, |(_, group)| group.to_string());
        let error = by_group("web.red").expect_err("not loaded").to_string();
        assert_eq!(error, "web.red is not loaded. Loaded are: web.blue@org, redis.default.");
        assert!(choose("web", &[], |(ident, _)| ident.clone()).is_err());
        let twice = [loaded[0].clone(), service("other/web", "web.red")];
        let error = choose("web", &twice, |(ident, _)| ident.clone()).expect_err("ambiguous");
        assert_eq!(error.to_string(), "web is ambiguous. Give one of: acme/web, other/web.");
    }

    #[test]
    fn a_slash_distinguishes_identifiers_from_names() {
        assert!(matches!("acme/web".parse(), Ok(Loaded::Ident(_))));
        assert_eq!("web".parse(), Ok(Loaded::Name("web".into())));
        for bad in ["", "a b", "a/b/c/d/e", "web.", "a.b.c"] {
            assert!(bad.parse::<Loaded>().is_err(), "{bad}");
        }
    }
}
