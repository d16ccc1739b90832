//! A long life: repeated loads and unloads leave nothing behind.

use rustix::process::Pid;
use testkit::Supervisor;

use super::{ok, root_with_web};

/// Resident memory in kB and open file descriptors of launcher and Supervisor.
fn figures(sup: &Supervisor) -> [(u64, usize); 2] {
    let of = |pid: Pid| {
        let pid = pid.as_raw_nonzero();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let memory_kb = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        (memory_kb, descriptors)
    };
    [of(sup.launcher_pid()), of(sup.supervisor_pid().expect("a Supervisor"))]
}

fn load_and_unload(times: u32) {
    let root = root_with_web();
    let sup = root.supervisor().start();
    let mut before = None;
    for round in 0..times {
        ok(&sup, &["svc", "load", "--wait", "acme/web"]);
        ok(&sup, &["svc", "unload", "--wait", "acme/web"]);
        if round + 1 == times.min(20) {
            before = Some(figures(&sup));
        }
        if (round + 1) % 100 == 0 {
            println!("{:5} loads: {:?} kB, descriptors", round + 1, figures(&sup));
        }
    }
    let [before, after] = [before.expect("figures"), figures(&sup)];
    println!("launcher, Supervisor (kB, descriptors): {before:?} before, {after:?} after {times}");
    for (before, after) in before.iter().zip(&after) {
        assert!(after.1 <= before.1 + 2, "descriptors: {before:?} before, {after:?} after");
        assert!(after.0 <= before.0 + 4096, "memory: {before:?} before, {after:?} after");
    }
    let log = root.read("hab/sup/default/data/INCARNATION");
    assert!(log.parse::<u64>().is_ok(), "the ring's files are whole");
    assert_eq!(root.processes().len(), 2, "launcher and Supervisor");
}

#[test]
fn fifty_loads_and_unloads_leave_nothing_behind() {
    load_and_unload(50);
}

#[test]
#[ignore = "takes minutes"]
fn a_thousand_loads_and_unloads_leave_nothing_behind() {
    load_and_unload(1_000);
}
