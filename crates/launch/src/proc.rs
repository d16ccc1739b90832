//! What `/proc` tells about a process: enough to know it again.

use std::fs;

/// Field 22 of `/proc/PID/stat`: when the process started, in clock ticks since boot. `None` when
/// it does not exist or is a zombie.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    parse_start_ticks(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in field 2 may hold blanks and parentheses, so fields are counted from the last one.
fn parse_start_ticks(stat: &[u8]) -> Option<u64> {
    let end_of_name = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?; // field 3
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok() // field 22
}

/// Identifies this run of the kernel; empty where `/proc` does not say.
pub(crate) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let tail = " S 1 77 77 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 424242 1 2 3";
        let stat = format!("77 (a) b) c{tail}").replace("b) c", "b) c)");
        assert_eq!(parse_start_ticks(stat.as_bytes()), Some(424_242));
        let zombie = stat.replace(" S 1", " Z 1");
        assert_eq!(parse_start_ticks(zombie.as_bytes()), None);
        assert_eq!(parse_start_ticks(b"77 (x"), None);
        assert_eq!(parse_start_ticks(b"77 (x) S 1 2"), None);
    }

    #[test]
    fn this_process_has_a_start_time_and_this_kernel_a_boot_id() {
        assert!(start_ticks(std::process::id()).is_some());
        assert_eq!(boot_id().len(), 36);
    }
}
