//! The user that a service runs as (reference: packages §4.9, services §5.1).

use std::{ffi::CString, fs};

use nix::unistd::{Gid, Group, Uid, User, getgid, getgrouplist, getuid, setfsgid, setfsuid};

use crate::package::Package;

/// Capabilities that this process needs to run services as other users, by their bit numbers:
/// CAP_CHOWN, CAP_SETGID, CAP_SETUID.
const NEEDED_CAPABILITIES: u64 = 1 << 0 | 1 << 6 | 1 << 7;

/// User and group that services use when their package names none.
const DEFAULT_NAME: &str = "hab";

/// Names of a service's user and group: `pkg.svc_user`, `pkg.svc_group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUser {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

/// Ids to run a service with, and for its directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// Why a service has no valid user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The id of this process has no name, and there is no user `hab`.
    #[error("Can't determine current user:group")]
    NoCurrentUser,
    /// The service's user does not exist.
    #[error("Package requires user {0} to exist, but it doesn't")]
    NoUser(String),
    /// The service's group does not exist.
    #[error("Package requires group {0} to exist, but it doesn't")]
    NoGroup(String),
}

/// True when this process may run services as other users and give files away: CAP_SETUID,
/// CAP_SETGID and CAP_CHOWN are all in effect.
#[must_use]
pub fn capable() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| has_needed_capabilities(&status))
}

fn has_needed_capabilities(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & NEEDED_CAPABILITIES == NEEDED_CAPABILITIES)
}

/// User and group of a package's service: those of the package if it names both, else `hab` and
/// `hab` if both exist, else those of this process.
///
/// # Errors
/// When the ids of this process have no names.
pub fn names(package: &Package) -> Result<ServiceUser, UserError> {
    if let (Some(user), Some(group)) = (&package.svc_user, &package.svc_group) {
        return Ok(ServiceUser { user: user.clone(), group: group.clone() });
    }
    let default = ServiceUser { user: DEFAULT_NAME.into(), group: DEFAULT_NAME.into() };
    if user_by_name(DEFAULT_NAME).is_some() && group_by_name(DEFAULT_NAME).is_some() {
        return Ok(default);
    }
    current().ok_or(UserError::NoCurrentUser)
}

/// True when a service with this user, or without one, runs as root or as the user of this process.
#[must_use]
pub fn is_privileged(user: Option<&str>) -> bool {
    let own = effective_ids().0;
    match user.or_else(|| user_by_name(DEFAULT_NAME).map(|_| DEFAULT_NAME)) {
        None => true,
        Some(name) => user_by_name(name).is_some_and(|user| [0, own].contains(&user.uid.as_raw())),
    }
}

/// Names of the real user and group of this process.
#[must_use]
pub fn current() -> Option<ServiceUser> {
    let user = User::from_uid(getuid()).ok().flatten()?;
    let group = Group::from_gid(getgid()).ok().flatten()?;
    Some(ServiceUser { user: user.name, group: group.name })
}

/// The ids behind the names. Call it only when this process is [`capable`]; otherwise services run
/// as the user of this process, and their names need not exist.
///
/// # Errors
/// When the user or the group does not exist.
pub fn credentials(names: &ServiceUser) -> Result<Credentials, UserError> {
    let user = user_by_name(&names.user).ok_or_else(|| UserError::NoUser(names.user.clone()))?;
    let gid = group_by_name(&names.group).ok_or_else(|| UserError::NoGroup(names.group.clone()))?;
    Ok(Credentials { uid: user.uid.as_raw(), gid: gid.as_raw(), groups: groups(&user, gid) })
}

/// Name of a user's primary group, if user and group exist.
#[must_use]
pub fn primary_group(user: &str) -> Option<String> {
    let user = user_by_name(user)?;
    Group::from_gid(user.gid).ok().flatten().map(|group| group.name)
}

/// Supplementary groups of a user, including the service's group.
fn groups(user: &User, gid: Gid) -> Vec<u32> {
    let listed =
        CString::new(user.name.as_str()).ok().and_then(|name| getgrouplist(&name, gid).ok());
    listed.unwrap_or_else(|| vec![gid]).into_iter().map(Gid::as_raw).collect()
}

/// Works on files in directories of a service user.
///
/// A process that is [`capable`] but not root has no rights in such directories: its thread takes
/// the rights of the user during the work. Root needs no change.
pub(crate) fn with_rights_of<T>(owner: Option<&Credentials>, work: impl FnOnce() -> T) -> T {
    let (user, group) = (Uid::effective(), Gid::effective());
    let Some(owner) = owner.filter(|owner| !user.is_root() && owner.uid != user.as_raw()) else {
        return work();
    };
    /// Restores the rights, even when the work panics.
    struct Back(Uid, Gid);
    impl Drop for Back {
        fn drop(&mut self) {
            setfsuid(self.0);
            setfsgid(self.1);
        }
    }
    let _back = Back(user, group);
    // Neither call reports failure; without the rights the work itself fails and reports why.
    setfsgid(Gid::from_raw(owner.gid));
    setfsuid(Uid::from_raw(owner.uid));
    work()
}

/// Effective ids of this process, the owner of its files.
pub(crate) fn effective_ids() -> (u32, u32) {
    (Uid::effective().as_raw(), Gid::effective().as_raw())
}

/// The user that this process runs as, for messages: `alice (uid 1000)`.
#[must_use]
pub fn current_user() -> String {
    let uid = Uid::effective();
    match User::from_uid(uid) {
        Ok(Some(user)) => format!("{} (uid {uid})", user.name),
        _ => format!("uid {uid}"),
    }
}

fn user_by_name(name: &str) -> Option<User> {
    User::from_name(name).ok().flatten()
}

fn group_by_name(name: &str) -> Option<Gid> {
    Group::from_name(name).ok().flatten().map(|group| group.gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_capabilities_are_needed() {
        let status = |mask: &str| format!("Name:\thab\nCapPrm:\tffff\nCapEff:\t{mask}\nx:\n");
        assert!(has_needed_capabilities(&status("000001ffffffffff")));
        assert!(has_needed_capabilities(&status("00000000000000c1")));
        for mask in ["00000000000000c0", "0000000000000081", "0000000000000041", "0", "zz", ""] {
            assert!(!has_needed_capabilities(&status(mask)), "{mask}");
        }
        assert!(!has_needed_capabilities("Name:\thab\n"));
    }

    #[test]
    fn roots_numbers_are_found() {
        let root = ServiceUser { user: "root".into(), group: "root".into() };
        let found = credentials(&root).unwrap();
        assert_eq!((found.uid, found.gid), (0, 0));
        assert!(found.groups.contains(&0));
        assert_eq!(primary_group("root").as_deref(), Some("root"));
    }

    #[test]
    fn missing_users_and_groups_are_named() {
        let names =
            |user: &str, group: &str| ServiceUser { user: user.into(), group: group.into() };
        assert_eq!(
            credentials(&names("no-such-user", "root")).unwrap_err().to_string(),
            "Package requires user no-such-user to exist, but it doesn't"
        );
        assert_eq!(
            credentials(&names("root", "no-such-group")).unwrap_err().to_string(),
            "Package requires group no-such-group to exist, but it doesn't"
        );
        assert_eq!(UserError::NoCurrentUser.to_string(), "Can't determine current user:group");
        assert!(credentials(&names("nul\0", "root")).is_err());
    }
}
