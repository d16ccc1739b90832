//! Facts of processes in `/proc`: enough to recognise one, and to find those of a group.

use std::fs;

/// The needed fields of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Process group.
    pub(crate) group: u32,
    /// Clock ticks since boot at its start.
    pub(crate) start_ticks: u64,
    /// It ended and was not reaped: it cannot run any more.
    pub(crate) ended: bool,
}

impl Stat {
    /// The fields of a process; `None` when it does not exist.
    pub(crate) fn of(pid: u32) -> Option<Stat> {
        parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }
}

/// The name in field 2 may hold blanks and parentheses, so fields are counted from the last one.
fn parse(stat: &[u8]) -> Option<Stat> {
    let end_of_name = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?; // field 3
    let group = fields.nth(1)?.parse().ok()?; // field 5
    let threads: u64 = fields.nth(14)?.parse().ok()?; // field 20
    let start_ticks = fields.nth(1)?.parse().ok()?; // field 22
    // the first thread of a program may end before the others: then it looks like a zombie
    let ended = matches!(state, "Z" | "X") && threads <= 1;
    Some(Stat { group, start_ticks, ended })
}

/// When the process started, in clock ticks since boot. `None` when it does not exist or ended.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    Stat::of(pid).filter(|stat| !stat.ended).map(|stat| stat.start_ticks)
}

/// All visible processes.
pub(crate) fn all() -> impl Iterator<Item = (u32, Stat)> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, Stat::of(pid)?))
    })
}

/// Real user id of a process.
pub(crate) fn real_user(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The name of a process, as in `ps -o comm`, escaped for a line of output.
pub(crate) fn name(pid: u32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    name.trim_end().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Processes and threads started since boot; `None` without that information in `/proc`.
pub(crate) fn forks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("processes "))?.trim().parse().ok()
}

/// Number of process ids before they are reused; `None` without that information in `/proc`.
pub(crate) fn pid_max() -> Option<u64> {
    fs::read_to_string("/proc/sys/kernel/pid_max").ok()?.trim().parse().ok()
}

/// Identifies this run of the kernel; empty without that information in `/proc`.
pub(crate) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_state_and_start_are_found_behind_any_name() {
        let tail = " S 1 77 78 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 424242 1 2 3";
        let stat = format!("79 (a) b) c{tail}").replace("b) c", "b) c)");
        let found = Stat { group: 77, start_ticks: 424_242, ended: false };
        assert_eq!(parse(stat.as_bytes()), Some(found));
        let zombie = stat.replace(" S 1", " Z 1");
        assert_eq!(parse(zombie.as_bytes()), Some(Stat { ended: true, ..found }));
        let first_thread_ended = zombie.replace(" 20 0 1 0", " 20 0 3 0");
        assert_eq!(parse(first_thread_ended.as_bytes()), Some(found));
        assert_eq!(parse(b"77 (x"), None);
        assert_eq!(parse(b"77 (x) S 1 2"), None);
    }

    #[test]
    fn this_process_has_a_start_time_and_this_kernel_a_boot_id() {
        let own = std::process::id();
        assert!(start_ticks(own).is_some());
        assert!(all().any(|(pid, _)| pid == own));
        assert!(real_user(own).is_some());
        assert!(!name(own).is_empty());
        assert!(forks().is_some() && pid_max().is_some());
        assert_eq!(boot_id().len(), 36);
    }
}
