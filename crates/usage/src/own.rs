//! Figures of single processes by their id.

use procfs::process::{LimitValue, Process};

/// What one process uses, without its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    /// CPU time of its threads, also of those that ended.
    pub cpu_ms: u64,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Its threads.
    pub threads: u64,
    /// Open descriptors; `None` when that cannot be read.
    pub descriptors: Option<u64>,
    /// Most descriptors that it may have open; `None` without a limit, or when that cannot be read.
    pub descriptors_max: Option<u64>,
}

/// Reads what a process uses; `None` when it ended or is hidden.
#[must_use]
pub fn own(pid: u32) -> Option<Own> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    let ticks_per_s = procfs::ticks_per_second().max(1);
    Some(Own {
        cpu_ms: (stat.utime + stat.stime).saturating_mul(1_000) / ticks_per_s,
        resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
        threads: u64::try_from(stat.num_threads).unwrap_or_default(),
        descriptors: process.fd_count().ok().map(|count| count as u64),
        descriptors_max: descriptors_max(&process),
    })
}

/// How many descriptors a process may have open.
pub(crate) fn descriptors_max(process: &Process) -> Option<u64> {
    match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_threads_and_descriptors_below_their_limit() {
        let own = own(std::process::id()).expect("it runs");
        assert!(own.resident_bytes > 100_000 && own.threads > 0, "{own:?}");
        assert!(own.descriptors > Some(2) && own.descriptors_max >= own.descriptors, "{own:?}");
    }

    #[test]
    fn a_process_that_does_not_exist_has_nothing() {
        assert_eq!(super::own(u32::MAX), None);
        assert_eq!(super::own(i32::MAX as u32), None);
    }
}
