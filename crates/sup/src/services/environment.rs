//! The environment of services and hooks: what the Supervisor was given, with the package's
//! own laid over it (services chapter 6.3).

use std::{collections::BTreeMap, env, ffi::OsString};

/// Variables meant for the Supervisor alone. The token would let every service read the API;
/// with systemd's a service could speak for the Supervisor.
const PRIVATE: [&str; 6] = [
    "HAB_SUP_GATEWAY_AUTH_TOKEN",
    "HAB_LAUNCHER_PID",
    "ROOST_LAUNCHER_FD",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
];

/// The complete environment of a process with these variables of its package.
pub(crate) fn complete(package: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
    let inherited = env::vars_os().filter(|(name, _)| {
        name.to_str().is_none_or(|name| !PRIVATE.contains(&name) && !package.contains_key(name))
    });
    let own = package.iter().map(|(name, value)| (name.into(), value.into()));
    inherited.chain(own).collect()
}
