//! Gives back program text that was used only while starting.
//!
//! A start reads options, files and certificates; afterwards a launcher or Supervisor runs a
//! small part of its program for months. The kernel keeps the rest mapped, and counts it as
//! resident, until memory is short. Dropping the mappings costs nothing that matters: the pages
//! stay in the page cache, and one that is needed again is mapped again by a minor fault.

use std::fs;

/// Drops the mappings of all program text, that of shared libraries too.
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

/// Address and length of each mapping of a file that may be executed and not written.
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

    #[test]
    fn the_program_runs_on_after_its_text_was_given_back() {
        release_text();
        assert_eq!((1..=10).sum::<u32>(), 55);
    }
}
