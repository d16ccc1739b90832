//! Process groups: whether any process of one can still run, and signals to all of it.
//!
//! A process that ended and was not reaped by its parent (a zombie) does not count as alive: it
//! cannot be stopped, and it does nothing.

use std::{collections::BTreeSet, io};

use rustix::{
    io::Errno,
    process::{Pid, Signal, geteuid},
};

use crate::proc;

/// Bit of CAP_SETUID in the masks of `/proc/PID/status`.
const CAP_SETUID: u64 = 1 << 7;

/// A process of a group that this process may not signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfReach {
    /// Its id.
    pub pid: u32,
    /// Its name, escaped for a line of output.
    pub name: String,
    /// Its real user id.
    pub user: u32,
}

impl std::fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PID {} ({}, user {})", self.pid, self.name, self.user)
    }
}

/// Whether any process of a group can run.
#[must_use]
pub fn has_living(group: u32) -> bool {
    match raw(group).map(rustix::process::test_kill_process_group) {
        None | Some(Err(Errno::SRCH)) => return false,
        // EPERM means that the group exists
        _ => (),
    }
    let mut all = proc::all().filter(|(_, stat)| stat.group == group).peekable();
    // a /proc that hides the processes of others gives no information
    all.peek().is_none() || all.any(|(_, stat)| !stat.ended)
}

/// Whether a process is gone, or a zombie.
#[must_use]
pub fn process_has_ended(pid: u32) -> bool {
    proc::start_ticks(pid).is_none()
}

/// The groups among these without a living process.
pub(crate) fn without_life(groups: &BTreeSet<u32>) -> BTreeSet<u32> {
    let exists = |group: &u32| {
        raw(*group).map(rustix::process::test_kill_process_group) != Some(Err(Errno::SRCH))
    };
    let (there, mut gone): (BTreeSet<u32>, BTreeSet<u32>) =
        groups.iter().copied().partition(exists);
    if there.is_empty() {
        return gone;
    }
    let (mut seen, mut living) = (BTreeSet::new(), BTreeSet::new());
    for (_, stat) in proc::all().filter(|(_, stat)| there.contains(&stat.group)) {
        seen.insert(stat.group);
        if !stat.ended {
            living.insert(stat.group);
        }
    }
    gone.extend(seen.difference(&living));
    gone
}

/// Processes of a group that can run.
fn living(group: u32) -> impl Iterator<Item = u32> {
    proc::all().filter(move |(_, stat)| stat.group == group && !stat.ended).map(|(pid, _)| pid)
}

/// Sends a signal to all processes of a group.
///
/// A process that is not root but may change its user id sends it once as each user of the group's
/// processes.
///
/// # Errors
/// `ESRCH` when the group does not exist, `EINVAL` for an invalid signal, `EPERM` when none of its
/// processes may be signalled.
pub fn signal(group: u32, signal: i32) -> io::Result<()> {
    let pid = raw(group).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
    let signal =
        Signal::from_named_raw(signal).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    let send = || rustix::process::kill_process_group(pid, signal);
    let others = if may_change_user() { users_of(group) } else { BTreeSet::new() };
    if others.is_empty() {
        return Ok(send()?);
    }
    // a signal sent as another user reaches our own processes too
    let mut result = Err(Errno::SRCH);
    for user in others {
        let sent = as_user(user, send);
        result = result.or(sent);
    }
    Ok(result?)
}

/// Sends a signal to one process, as its user if that is needed and possible.
pub(crate) fn signal_one(pid: u32, send: impl Fn() -> rustix::io::Result<()>) -> io::Result<()> {
    match send() {
        Err(Errno::PERM) if may_change_user() => {
            let user = proc::real_user(pid).filter(|user| *user != 0);
            let user = user.ok_or_else(|| io::Error::from_raw_os_error(libc::EPERM))?;
            Ok(as_user(user, send)?)
        }
        result => Ok(result?),
    }
}

/// Running processes of a group that may not be signalled, for example a program that became root
/// below a Supervisor of an ordinary user.
#[must_use]
pub fn out_of_reach(group: u32) -> Vec<OutOfReach> {
    let others = may_change_user();
    living(group)
        .filter_map(|pid| {
            let refused = rustix::process::test_kill_process(raw(pid)?) == Err(Errno::PERM);
            let user = proc::real_user(pid)?;
            let reached = !refused || (others && user != 0);
            (!reached).then(|| OutOfReach { pid, name: proc::name(pid), user })
        })
        .collect()
}

/// Users, other than our own and root, of the processes of a group.
fn users_of(group: u32) -> BTreeSet<u32> {
    let own = geteuid().as_raw();
    let users = living(group).filter_map(proc::real_user);
    users.filter(|user| *user != 0 && *user != own).collect()
}

/// Whether this process has CAP_SETUID without being root, which needs no detour.
fn may_change_user() -> bool {
    if geteuid().is_root() {
        return false;
    }
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & CAP_SETUID != 0)
}

/// Runs `work` with the effective user id of another user, in this thread only. The real id stays,
/// so that the other user gets no rights over this process.
fn as_user<T>(user: u32, work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    const SAME: libc::c_long = -1;
    let set = |user: u32| {
        // SAFETY: the bare call changes the ids of the calling thread only and touches no memory.
        // Neither user is root, so no capability is lost on the way there or back.
        unsafe { libc::syscall(libc::SYS_setresuid, SAME, libc::c_long::from(user), SAME) }
    };
    let own = geteuid().as_raw();
    if set(user) != 0 {
        return Err(Errno::PERM);
    }
    let result = work();
    set(own);
    result
}

fn raw(pid: u32) -> Option<Pid> {
    // 0 and 1 as targets of kill() would mean our own group or everything
    i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    fn wait_until(what: &str, look: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(40);
        while !look() {
            assert!(Instant::now() < patience, "waited too long for {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_zombie_does_not_keep_its_group_alive() {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).process_group(0).spawn().expect("started");
        let group = child.id();
        assert!(has_living(group));
        assert!(without_life(&BTreeSet::from([group, 4_000_000])) == BTreeSet::from([4_000_000]));
        assert!(!process_has_ended(group));
        signal(group, libc::SIGKILL).expect("there");
        // not reaped
        wait_until("the end", || !has_living(group));
        assert!(process_has_ended(group));
        let pid = raw(group).expect("a process id");
        rustix::process::test_kill_process_group(pid).expect("the kernel still counts it");
        assert_eq!(without_life(&BTreeSet::from([group])), BTreeSet::from([group]));
        assert!(out_of_reach(group).is_empty());
        child.wait().expect("collected");
        assert!(!has_living(group));
        assert_eq!(
            signal(group, libc::SIGTERM).expect_err("gone").raw_os_error(),
            Some(libc::ESRCH)
        );
    }

    #[test]
    fn no_group_id_means_all_processes() {
        for group in [0, 1, u32::MAX] {
            assert!(!has_living(group));
            assert!(signal(group, libc::SIGCONT).is_err());
        }
    }
}
