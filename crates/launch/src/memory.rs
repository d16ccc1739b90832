//! Returns unneeded memory to the system: pages of the program that are not in use, and free memory
//! that the allocator keeps after a burst.
//!
//! A start reads options, files and certificates; afterwards a launcher or Supervisor runs a small
//! part of its program for months. The kernel keeps the rest mapped, and counts it as resident,
//! until memory is short; with each page in use it maps fifteen around it. Dropping the mappings is
//! cheap: the pages stay in the page cache, and a needed one is mapped again by a minor fault.

use std::fs;

/// Drops the mappings of all program text and constants, including those of shared libraries.
///
/// Only mappings that cannot be written and have no page of their own: the pages are those of the
/// files. Constants with addresses, which the loader has written, do have some.
pub fn release_program() {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for Mapping { start, length } in program_mappings(&maps) {
        // SAFETY: the range is a private file mapping without write permission and without a page
        // that was ever written, so dropping its pages only makes the kernel read the same bytes
        // from the same file again. What happens to the text of this very function is just that.
        // Advice that is not taken changes nothing.
        let _ = unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    }
}

/// Limits the number of the allocator's arenas. Threads that read files in a burst come by the
/// hundred and go again; the remains in each one's arena would stay resident. Call it before there
/// are threads. Does nothing with an allocator other than glibc's.
pub fn limit_arenas() {
    // SAFETY: changes a number that is read when a thread allocates for the first time. A value
    // that is refused changes nothing.
    #[cfg(target_env = "gnu")]
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Returns the free pages of the heap to the system. By itself glibc returns only the end of an
/// arena: one small object there keeps all the memory of a burst resident. Takes less than a
/// millisecond for a heap of 50 MB. Does nothing with an allocator other than glibc's.
pub fn release_heap() {
    // SAFETY: takes the allocator's own locks and touches only memory that is not allocated.
    #[cfg(target_env = "gnu")]
    let _ = unsafe { libc::malloc_trim(0) };
}

/// Number of arenas: two, so that the Supervisor's task does not wait for a worker.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

/// A range of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mapping {
    start: usize,
    length: usize,
}

/// Each mapping of a file that cannot be written, and of which no page was written before that.
fn program_mappings(smaps: &str) -> Vec<Mapping> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        let mut fields = line.split_ascii_whitespace();
        match (fields.next(), fields.next()) {
            (Some("Anonymous:"), Some("0")) => found.extend(candidate.take()),
            (Some(name), _) if name.ends_with(':') => {}
            _ => candidate = candidate_of(line),
        }
    }
    found
}

fn candidate_of(header: &str) -> Option<Mapping> {
    let mut fields = header.split_ascii_whitespace();
    let (range, flags) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    if !matches!(flags, "r-xp" | "r--p") || !path.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let length = usize::from_str_radix(end, 16).ok()?.checked_sub(start)?;
    Some(Mapping { start, length })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_files_is_released() {
        let mapping = |header: &str, anonymous| {
            format!("{header}\nSize: 8 kB\nRss: 8 kB\nAnonymous: {anonymous} kB\nVmFlags: rd mr\n")
        };
        let smaps = [
            mapping("1000-3000 r--p 00000000 08:01 7 /usr/bin/hab", 0),
            mapping("3000-9000 r-xp 00002000 08:01 7 /usr/bin/hab", 0),
            mapping("9000-a000 r--p 00008000 08:01 7 /usr/bin/hab", 4),
            mapping("a000-b000 rw-p 00009000 08:01 7 /usr/bin/hab", 0),
            mapping("b000-c000 rwxp 00000000 08:01 8 /usr/lib/odd.so", 0),
            mapping("d000-e000 r-xp 00000000 00:00 0 [vdso]", 0),
            mapping("f000-ff00 r-xp 00000000 00:00 0", 0),
            "garbage\n".to_owned(),
        ];
        let constants = Mapping { start: 0x1000, length: 0x2000 };
        let text = Mapping { start: 0x3000, length: 0x6000 };
        assert_eq!(program_mappings(&smaps.concat()), [constants, text]);
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn free_pages_between_used_ones_are_returned() {
        let resident_kb = || {
            let status = fs::read_to_string("/proc/self/status").expect("our own");
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("there");
            line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number")
        };
        let mut blocks: Vec<Option<Box<[u8; 1024]>>> =
            (0..65_536).map(|n: usize| Some(Box::new([n.to_le_bytes()[0]; 1024]))).collect();
        for (n, block) in blocks.iter_mut().enumerate() {
            if n % 64 != 63 {
                *block = None;
            }
        }
        let before_kb = resident_kb();
        release_heap();
        let after_kb = resident_kb();
        assert!(before_kb > after_kb + 32_000, "{before_kb} kB before, {after_kb} kB after");
        assert_eq!(blocks.iter().flatten().count(), 1024);
    }

    #[test]
    fn the_program_keeps_running_after_its_pages_were_released() {
        release_program();
        assert_eq!((1..=10).sum::<u32>(), 55);
        assert_eq!(
            format!("{:?}", std::io::Error::from_raw_os_error(libc::ENOENT).kind()),
            "NotFound"
        );
    }
}
