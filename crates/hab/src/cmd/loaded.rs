//! How a user names a service that is loaded: by its package identifier, by its name alone, or by
//! its service group.

use std::str::FromStr;

use anyhow::bail;
use roost_ctl::{Answer, Request, ServiceStatus};
use roost_ident::{PackageIdent, ServiceGroup};

use crate::{
    address::CtlAddress,
    cmd::payload::parse_ident,
    context::Context,
    control::{ask, expect_answer},
};

/// A service that is loaded.
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
        // A group is checked as one, so that a mistake in it is named.
        if is_name && text.contains('.') {
            text.parse::<ServiceGroup>().map_err(|error| error.to_string())?;
        }
        if is_name {
            return Ok(Self::Name(text.into()));
        }
        parse_ident(text).map(Self::Ident).map_err(|error| error.to_string())
    }
}

impl Loaded {
    /// The identifier: as given, or that of the loaded service of this name.
    ///
    /// # Errors
    /// When none of this name is loaded, or several are.
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
        choose(&name, &loaded)
    }
}

/// The one service that the name means.
fn choose(name: &str, loaded: &[ServiceStatus]) -> anyhow::Result<PackageIdent> {
    let means =
        |status: &&ServiceStatus| status.ident.name == name || status.group.to_string() == name;
    let short = |status: &ServiceStatus| format!("{}/{}", status.ident.origin, status.ident.name);
    let found: Vec<String> = loaded.iter().filter(means).map(short).collect();
    match found.as_slice() {
        [one] => Ok(parse_ident(one)?),
        [] if loaded.is_empty() => bail!("No service is loaded, so {name} is not."),
        [] => {
            let names: Vec<String> = loaded.iter().map(short).collect();
            bail!("{name} is not loaded. Loaded are: {}.", names.join(", "))
        }
        several => bail!("{name} is ambiguous. Give one of: {}.", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use roost_ctl::reply::StatusExtra;
    use roost_ident::ProcessState;

    use super::*;

    fn service(ident: &str, group: &str) -> ServiceStatus {
        ServiceStatus {
            ident: ident.parse().expect("an identifier"),
            group: group.parse().expect("a group"),
            desired: None,
            state: ProcessState::Up,
            elapsed_s: 0,
            pid: None,
            extra: StatusExtra::default(),
        }
    }

    #[test]
    fn a_name_or_group_means_the_service_that_has_it() {
        let loaded = [
            service("acme/web/1.0.0/20240102030405", "web.blue"),
            service("core/redis/7.0.0/20240102030405", "redis.default"),
        ];
        let chosen = |name| choose(name, &loaded).map(|it| it.to_string());
        assert_eq!(chosen("web").expect("loaded"), "acme/web");
        assert_eq!(chosen("web.blue").expect("loaded"), "acme/web");
        let error = chosen("wep").expect_err("not loaded").to_string();
        assert_eq!(error, "wep is not loaded. Loaded are: acme/web, core/redis.");
        assert!(choose("web", &[]).is_err());
        let twice = [loaded[0].clone(), service("other/web/1/20240102030405", "web.red")];
        let error = choose("web", &twice).expect_err("ambiguous").to_string();
        assert_eq!(error, "web is ambiguous. Give one of: acme/web, other/web.");
    }

    #[test]
    fn identifiers_and_names_are_told_apart_by_the_slash() {
        assert!(matches!("acme/web".parse(), Ok(Loaded::Ident(_))));
        assert_eq!("web".parse(), Ok(Loaded::Name("web".into())));
        for bad in ["", "a b", "a/b/c/d/e", "web.", "a.b.c"] {
            assert!(bad.parse::<Loaded>().is_err(), "{bad}");
        }
    }
}
