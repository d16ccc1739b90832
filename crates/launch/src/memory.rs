//! Returns unneeded memory to the system: program text used only during the start, and free memory
//! that the allocator keeps after a burst.
//!
//! A start reads options, files and certificates; afterwards a launcher or Supervisor runs a small
//! part of its program for months. The kernel keeps the rest mapped, and counts it as resident,
//! until memory is short. Dropping the mappings is cheap: the pages stay in the page cache, and a
//! needed one is mapped again by a minor fault.

use std::fs;

/// Drops the mappings of all program text, including that of shared libraries.
///
/// Only mappings that may be executed and not written: no code of ours changes text, so their
/// pages are those of the files.
pub fn release_text() {
    for (start, length) in text_mappings(&fs::read_to_string("/proc/self/maps").unwrap_or_default())
    {
        // SAFETY: the range is a private file mapping without write permission that was never
        // written, so dropping its pages only makes the kernel read the same bytes from the same
        // file again. What happens to the text of this very function is just that.
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

/// Address and length of each executable and read-only mapping of a file.
fn text_mappings(maps: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    maps.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (range, flags) = (fields.next()?, fields.next()?);
        let path = fields.nth(3)?;
        if flags != "r-xp" || !path.starts_with('/') {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        Some((start, usize::from_str_radix(end, 16).ok()?.checked_sub(start)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_files_is_a_text_mapping() {
        let maps = "\
            1000-3000 r--p 00000000 08:01 7 /usr/bin/hab\n\
            3000-9000 r-xp 00002000 08:01 7 /usr/bin/hab\n\
            9000-a000 rw-p 00008000 08:01 7 /usr/bin/hab\n\
            b000-c000 rwxp 00000000 08:01 8 /usr/lib/odd.so\n\
            d000-e000 r-xp 00000000 00:00 0 [vdso]\n\
            f000-ff00 r-xp 00000000 00:00 0\n\
            garbage\n";
        assert_eq!(text_mappings(maps).collect::<Vec<_>>(), [(0x3000, 0x6000)]);
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
    fn the_program_keeps_running_after_its_text_was_released() {
        release_text();
        assert_eq!((1..=10).sum::<u32>(), 55);
    }
}
