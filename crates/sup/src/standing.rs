//! Checks of what a command gives to the ring: whether it is valid, and whether it would change
//! anything, so that this can be reported. The ring itself silently ignores what is not newer, as
//! it must for gossip.

use std::fmt::Display;

use roost_ctl::reply::{ErrorCode, Failure};
use roost_ring::View;
use roost_template::{ConfigError, config::parse_toml};

/// Checks that a configuration is TOML.
pub(crate) fn validate(config: &[u8]) -> Result<(), Failure> {
    let bad = |what: &str, error: &dyn Display| {
        let text = format!("Unable to decode configuration {what}, {error}");
        Failure::new(ErrorCode::BadPayload, text)
    };
    let text = std::str::from_utf8(config).map_err(|error| bad("to string", &error))?;
    match parse_toml(text) {
        Ok(_) => Ok(()),
        Err(ConfigError::Toml(parser)) => Err(bad("as TOML", &parser)),
        Err(error) => Err(bad("as TOML", &error)),
    }
}

/// Why a configuration would change nothing.
pub(crate) fn config(view: &View, group: &str, version: u64, config: &[u8]) -> Option<String> {
    if version == 0 {
        return Some("configurations of version 0 are ignored; give 1 or more".into());
    }
    let rumors = view.service_configs.list.get(group)?;
    let known = rumors.values().next()?;
    let what = format!("the configuration of {group}");
    standing(&what, known.incarnation, version, known.config.as_ref() == config)
}

/// Why a file would change nothing.
pub(crate) fn file(
    view: &View,
    group: &str,
    filename: &str,
    version: u64,
    body: &[u8],
) -> Option<String> {
    if version == 0 {
        return Some("files of version 0 are ignored; give 1 or more".into());
    }
    let rumors = view.service_files.list.get(group)?;
    let known = rumors.values().find(|known| known.filename == filename)?;
    let what = format!("file {filename} of {group}");
    standing(&what, known.incarnation, version, known.body.as_ref() == body)
}

/// Why a departure would change nothing.
pub(crate) fn departure(view: &View, member_id: &str) -> Option<String> {
    let is_known = view.departures.iter().any(|rumor| rumor.member_id.to_string() == member_id);
    is_known.then(|| format!("member {member_id} has departed already"))
}

fn standing(what: &str, known: u64, version: u64, same: bool) -> Option<String> {
    if version > known {
        return None;
    }
    Some(match (version == known, same) {
        (true, true) => format!("version {known} of {what} is in the ring already, the same one"),
        (true, false) => format!(
            "another version {known} of {what} is in the ring already; give a number above {known}"
        ),
        (false, _) => format!(
            "version {known} of {what} is in the ring already, and {version} is not above it; give \
             a number above {known}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_higher_version_changes_something() {
        let say = |known, version, same| standing("file x of a.b", known, version, same);
        assert_eq!(say(5, 6, false), None);
        assert_eq!(say(5, 6, true), None, "a higher number is gossiped");
        let same = say(5, 5, true).expect("nothing changes");
        assert_eq!(same, "version 5 of file x of a.b is in the ring already, the same one");
        assert!(say(5, 5, false).is_some_and(|text| text.starts_with("another version 5")));
        assert!(say(5, 4, true).is_some_and(|text| text.contains("and 4 is not above it")));
    }
}
