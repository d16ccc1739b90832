//! The environment of services and hooks: what the Supervisor was given, without what is not for
//! them, with the package's own laid over it (reference: services §6.3).

use std::{collections::BTreeMap, env, ffi::OsString};

use roost_launch::environment::{is_inherited, is_private};
use roost_template::config;

/// The complete environment of a process of this service with these variables of its package.
#[must_use]
pub fn complete(service: &str, package: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
    let own = config::environment_variable(service);
    let inherited = env::vars_os().filter(|(name, _)| {
        name.to_str().is_none_or(|name| is_inherited(name, &own) && !package.contains_key(name))
    });
    let package = package.iter().map(|(name, value)| (name.into(), value.into()));
    inherited.chain(package).collect()
}

/// The variable that configures a service. One that is a secret of the Supervisor configures
/// nothing, whatever the service is called; one that is no text counts as not set.
pub(crate) fn configuration(service: &str) -> Option<String> {
    let name = config::environment_variable(service);
    if is_private(&name) { None } else { env::var(name).ok() }
}
