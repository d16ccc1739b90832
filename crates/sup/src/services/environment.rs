//! The environment of services and hooks: that of the Supervisor without its private variables,
//! overlaid with the package's own (reference: services §6.3).

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

/// The variable that configures a service. A secret of the Supervisor never counts as
/// configuration, whatever the service's name; a value that is not text counts as unset.
pub(crate) fn configuration(service: &str) -> Option<String> {
    let name = config::environment_variable(service);
    if is_private(&name) { None } else { env::var(name).ok() }
}
