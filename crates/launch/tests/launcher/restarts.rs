//! Supervisors are replaced; services stay.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use roost_launch::wire::{
    Alive, Ended, Hello, Kind, LauncherEvent, MAX_STATE_BYTES, Output, PROTOCOL_VERSION,
    Remembered, Request, Scope, WireStatus,
};

use crate::{
    Test,
    rig::{Rig, kill, lives, wait_for},
};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_supervisor_of_another_version_costs_no_service",
        a_supervisor_of_another_version_costs_no_service,
    ),
    (
        "a_killed_supervisor_leaves_services_and_state_but_no_hook",
        a_killed_supervisor_leaves_services_and_state_but_no_hook,
    ),
    (
        "an_end_without_a_supervisor_is_reported_to_the_next",
        an_end_without_a_supervisor_is_reported_to_the_next,
    ),
    ("the_last_requests_of_a_supervisor_count", the_last_requests_of_a_supervisor_count),
    (
        "hup_asks_for_a_restart_without_touching_services",
        hup_asks_for_a_restart_without_touching_services,
    ),
    ("hup_before_hello_is_not_lost", hup_before_hello_is_not_lost),
    ("a_failing_supervisor_is_started_again", a_failing_supervisor_is_started_again),
    ("a_supervisor_that_sends_garbage_is_restarted", a_supervisor_that_sends_garbage_is_restarted),
    (
        "a_hanging_supervisor_is_restarted_and_services_keep_running",
        a_hanging_supervisor_is_restarted_and_services_keep_running,
    ),
    (
        "a_killed_launcher_leaves_survivors_that_the_next_one_finds",
        a_killed_launcher_leaves_survivors_that_the_next_one_finds,
    ),
    (
        "the_rest_of_a_group_is_found_by_the_next_launcher",
        the_rest_of_a_group_is_found_by_the_next_launcher,
    ),
    (
        "a_service_without_processes_is_reported_as_ended",
        a_service_without_processes_is_reported_as_ended,
    ),
    ("a_hanging_disk_blocks_nothing", a_hanging_disk_blocks_nothing),
    (
        "a_process_with_another_start_time_is_not_a_survivor",
        a_process_with_another_start_time_is_not_a_survivor,
    ),
    ("a_corrupt_table_is_put_aside", a_corrupt_table_is_put_aside),
    (
        "a_failed_write_of_a_table_is_logged_once_and_retried",
        a_failed_write_of_a_table_is_logged_once_and_retried,
    ),
    (
        "a_replaced_program_takes_effect_at_the_next_restart",
        a_replaced_program_takes_effect_at_the_next_restart,
    ),
];

fn a_killed_supervisor_leaves_services_and_state_but_no_hook() {
    let (rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    let (name, bytes) = ("a.default".to_owned(), b"anything \0\xff".to_vec());
    sup.send(&Request::Remember(Remembered { name: name.clone(), bytes: bytes.clone() }));
    sup.send(&Request::Remember(Remembered { name: "big.default".into(), bytes: vec![0; 4097] }));
    sup.spawn(2, Kind::Hook, "a hook[init]", "sleep 1000 & echo $!; wait");
    let hook = sup.spawned(2);
    let text = sup.until(|event| match event {
        LauncherEvent::Output(Output { bytes, .. }) => Some(bytes),
        _ => None,
    });
    let grandchild: u32 = String::from_utf8_lossy(&text).trim().parse().expect("a number");
    sup.kill();

    let mut sup = rig.accept();
    // stopped before the new Supervisor started
    assert!(!lives(hook) && !lives(grandchild));
    let welcome = sup.hello();
    assert_eq!(welcome.launcher_pid, rig.pid());
    assert_eq!(welcome.next_id, 3);
    assert_eq!(welcome.remembered, [Remembered { name, bytes }]);
    assert_eq!(welcome.state_of("a.default"), Some(&b"anything \0\xff"[..]));
    let running: Vec<_> = welcome.running.iter().map(|r| (r.id, r.name.as_str(), r.pid)).collect();
    assert_eq!(running, [(1, "a.default", pid)]);
    assert!(welcome.running[0].start_ticks > 0 && welcome.running[0].started_unix_ms > 0);
    assert!(welcome.ended.is_empty() && welcome.survivors.is_empty());
    let text = rig.stdout.wait("Supervisor process killed by signal 9");
    assert!(!text.contains("Child for service"), "{text}");
    rig.stderr.wait("State of 'big.default' not kept");
    // fully reattached: it can be signalled
    sup.signal(1, libc::SIGTERM, Scope::Group);
    assert_eq!(sup.exited(1), Some(WireStatus::Signal(libc::SIGTERM)));
}

/// A program of another release replaces the current one while the launcher runs, and is reverted.
fn a_supervisor_of_another_version_costs_no_service() {
    let (rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    sup.kill();
    let hello = Hello { version: PROTOCOL_VERSION + 1, ..Hello::default() };
    let mut other = rig.accept();
    other.send(&Request::Hello(hello));
    rig.stderr
        .wait(&format!("(it speaks version {}). Services keep running", PROTOCOL_VERSION + 1));
    // the start of a message of the first version: the kind in two bytes
    rig.accept().send_raw(&[15, 0, 0, 0, 1, 0, 8, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    wait_for("the second refusal", || {
        (rig.stderr.get().matches("does not speak version").count() == 2).then_some(())
    });
    let mut sup = rig.accept();
    let welcome = sup.hello();
    assert_eq!(welcome.running.iter().map(|it| it.pid).collect::<Vec<_>>(), [pid]);
    assert!(lives(pid));
}

fn an_end_without_a_supervisor_is_reported_to_the_next() {
    let (rig, mut sup) = Rig::started();
    let first = sup.sleeper(1, "a.default");
    sup.sleeper(2, "b.default");
    sup.signal(2, libc::SIGTERM, Scope::Group);
    sup.group_gone(2);
    sup.send(&Request::Forget("b.default".into()));
    // once this is answered, the earlier one was read
    sup.spawn(3, Kind::Hook, "sync", "true");
    sup.hook_ended(3);
    sup.kill();
    // this one has not sent Hello yet
    let mut sup = rig.accept();
    kill(first, libc::SIGKILL);
    rig.stdout.wait(&format!("'a.default' with PID {first} exited"));
    let welcome = sup.hello();
    assert!(welcome.running.is_empty());
    let [Ended { id: 1, name, pid, status: Some(WireStatus::Signal(9)), at_unix_ms, .. }] =
        &welcome.ended[..]
    else {
        panic!("{:?}", welcome.ended);
    };
    assert_eq!((name.as_str(), *pid), ("a.default", first));
    assert!(*at_unix_ms > 1_600_000_000_000);
    // restarted, its former end is no longer reported
    sup.sleeper(4, "a.default");
    sup.end(0);
    let welcome = rig.accept().hello();
    assert!(welcome.ended.is_empty());
    assert_eq!(welcome.running.len(), 1);
}

fn the_last_requests_of_a_supervisor_count() {
    let (rig, mut sup) = Rig::started();
    // more than one read
    for number in 0..50_u8 {
        sup.send(&Request::Remember(Remembered {
            name: "a.default".into(),
            bytes: vec![number; MAX_STATE_BYTES],
        }));
    }
    sup.end(1);
    let welcome = rig.accept().hello();
    assert_eq!(welcome.state_of("a.default"), Some(&[49; MAX_STATE_BYTES][..]));
}

fn hup_asks_for_a_restart_without_touching_services() {
    let (rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    rig.signal(libc::SIGHUP);
    sup.until(|event| (event == LauncherEvent::Restart(())).then_some(()));
    sup.end(0);
    let welcome = rig.accept().hello();
    assert_eq!(welcome.running[0].pid, pid);
    assert!(!rig.stderr.get().contains("unexpected exit code"));
}

fn hup_before_hello_is_not_lost() {
    let mut rig = Rig::new();
    rig.start();
    let mut sup = rig.accept();
    rig.signal(libc::SIGHUP);
    sup.hello();
    sup.until(|event| (event == LauncherEvent::Restart(())).then_some(()));
}

fn a_failing_supervisor_is_started_again() {
    let (rig, sup) = Rig::started();
    sup.end(101);
    rig.stderr.wait(
        "Launcher will attempt to reload the supervisor: Supervisor process exited with an \
         unexpected exit code: 101\n",
    );
    rig.accept().end(1);
    rig.stderr.wait("unexpected exit code: 1\n");
    // now it waits; HUP starts the next one immediately
    rig.signal(libc::SIGHUP);
    rig.accept().hello();
}

fn a_supervisor_that_sends_garbage_is_restarted() {
    let (rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    sup.send_raw(&[0; 8]);
    let welcome = rig.accept().hello();
    assert_eq!(welcome.running[0].pid, pid);
    rig.stderr.wait("The Supervisor sent something unreadable");
}

fn a_hanging_supervisor_is_restarted_and_services_keep_running() {
    let (rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    // the last promise counts
    sup.send(&Request::Alive(Alive { within_ms: u64::MAX }));
    sup.send(&Request::Alive(Alive { within_ms: 1 }));
    let welcome = rig.accept().hello();
    assert_eq!(welcome.running[0].pid, pid);
    rig.stderr.wait("The Supervisor has not handled anything for 5 s; killing it");
    assert!(!lives(sup.pid));
}

fn a_killed_launcher_leaves_survivors_that_the_next_one_finds() {
    let (mut rig, mut sup) = Rig::started();
    let pid = sup.sleeper(5, "a.default");
    sup.spawn(6, Kind::Hook, "a hook[init]", "exec sleep 1000");
    let hook = sup.spawned(6);
    sup.spawn(7, Kind::Service, "b.default", "trap '' TERM; sleep 1000 & wait; sleep 1000");
    let other = sup.spawned(7);
    rig.signal(libc::SIGKILL);
    rig.wait();
    assert!(lives(pid) && lives(hook));

    rig.start();
    let mut sup = rig.accept();
    let mut welcome = sup.hello();
    welcome.survivors.sort_by_key(|survivor| survivor.id);
    let found: Vec<_> = welcome.survivors.iter().map(|s| (s.id, s.name.as_str(), s.pid)).collect();
    assert_eq!(found, [(5, "a.default", pid), (7, "b.default", other)]);
    assert!(welcome.running.is_empty() && welcome.ended.is_empty());
    assert_eq!(welcome.next_id, 8);
    wait_for("the hook's end", || (!lives(hook)).then_some(()));

    // never two copies
    sup.spawn(8, Kind::Service, "a.default", "true");
    assert_eq!(sup.failed(8).0, libc::EEXIST);
    sup.signal(5, libc::SIGTERM, Scope::Group);
    assert_eq!(sup.exited(5), None);
    sup.group_gone(5);
    sup.sleeper(9, "a.default");
    // a restart of the Supervisor changes nothing for them
    sup.end(0);
    let mut sup = rig.accept();
    let welcome = sup.hello();
    assert_eq!(welcome.survivors.len(), 1);
    sup.signal(7, libc::SIGKILL, Scope::Group);
    sup.group_gone(7);
    assert!(!lives(other));
}

/// The launcher, its Supervisor and the first process of a service are killed; a worker of it
/// lives.
fn the_rest_of_a_group_is_found_by_the_next_launcher() {
    for by_stop in [false, true] {
        let (mut rig, mut sup) = Rig::started();
        sup.spawn(
            1,
            Kind::Service,
            "a.default",
            "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' & wait",
        );
        let pid = sup.spawned(1);
        let text = rig.stdout.wait("a.default(O): ");
        let line = text.lines().find_map(|line| line.strip_prefix("a.default(O): "));
        let worker: u32 = line.expect("a line").parse().expect("a number");
        if by_stop {
            // during a stop: the first process ends, the worker does not yet
            sup.signal(1, libc::SIGTERM, Scope::Group);
            sup.exited(1);
            rig.signal(libc::SIGKILL);
        } else {
            rig.signal(libc::SIGSTOP);
            kill(pid, libc::SIGKILL);
            rig.signal(libc::SIGKILL);
        }
        rig.wait();
        wait_for("the end of the first process", || (!lives(pid)).then_some(()));
        let table = rig.path("hab/launcher/processes");
        let text = fs::read_to_string(&table).expect("readable");
        assert!(text.contains(&format!("1 {pid} ")), "{text}");

        // the group cannot be identified when process ids may have been reused; where process 1
        // does not reap the first process, its id is unique
        if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
            let forks = text.lines().nth(2).expect("a line");
            fs::write(&table, text.replace(forks, "forks unknown")).expect("written");
            rig.start();
            let mut sup = rig.accept();
            assert!(sup.hello().survivors.is_empty());
            let remedy = format!("They are left alone; look at them with: pgrep -a -g {pid}\n");
            rig.stdout.wait(&remedy);
            rig.signal(libc::SIGKILL);
            rig.wait();
            assert!(lives(worker));
        }

        fs::write(&table, text).expect("written");
        rig.start();
        let mut sup = rig.accept();
        let welcome = sup.hello();
        let found: Vec<_> =
            welcome.survivors.iter().map(|s| (s.id, s.name.as_str(), s.pid)).collect();
        assert_eq!(found, [(1, "a.default", pid)]);
        assert_eq!(welcome.ended.iter().map(|ended| ended.id).collect::<Vec<_>>(), [1]);
        sup.signal(1, libc::SIGKILL, Scope::Group);
        sup.group_gone(1);
        assert!(!lives(worker));
    }
}

fn a_service_without_processes_is_reported_as_ended() {
    let (mut rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    rig.signal(libc::SIGSTOP);
    kill(pid, libc::SIGKILL);
    rig.signal(libc::SIGKILL);
    rig.wait();
    wait_for("the end", || (!lives(pid)).then_some(()));
    rig.start();
    let welcome = rig.accept().hello();
    assert!(welcome.survivors.is_empty());
    let [Ended { id: 1, name, status: None, .. }] = &welcome.ended[..] else {
        panic!("{:?}", welcome.ended);
    };
    assert_eq!(name, "a.default");
}

/// The thread that writes tables is stopped, like by a hanging disk.
fn a_hanging_disk_blocks_nothing() {
    let (mut rig, mut sup) = Rig::started();
    sup.sleeper(1, "a.default");
    let tasks = format!("/proc/{}/task", rig.pid());
    let is_writer = |entry: &fs::DirEntry| {
        fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name == "hab-tables\n")
    };
    let writer = fs::read_dir(&tasks).expect("readable").flatten().find(is_writer).expect("there");
    let writer: i32 = writer.file_name().to_str().expect("text").parse().expect("a number");
    let null = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these requests use no memory of ours.
    unsafe {
        assert_eq!(libc::ptrace(libc::PTRACE_SEIZE, writer, null, null), 0);
        assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, writer, null, null), 0);
    }
    let is_stopped = || {
        let stat = fs::read_to_string(format!("{tasks}/{writer}/stat")).unwrap_or_default();
        stat.contains(") t ").then_some(())
    };
    wait_for("the thread's stop", is_stopped);
    // services start, print, end, are signalled; hooks run
    sup.spawn(2, Kind::Service, "b.default", "echo hello; exit 3");
    sup.spawned(2);
    assert_eq!(sup.exited(2), Some(WireStatus::Code(3)));
    rig.stdout.wait("b.default(O): hello\n");
    rig.stdout.wait("cannot be written (no answer of the disk for 1 s)");
    sup.spawn(3, Kind::Hook, "a hook", "echo hook");
    assert_eq!(sup.output(3), "hook\n");
    sup.signal(1, libc::SIGTERM, Scope::Group);
    assert_eq!(sup.exited(1), Some(WireStatus::Signal(libc::SIGTERM)));
    // a dead Supervisor is replaced
    sup.kill();
    let mut sup = rig.accept();
    sup.hello();
    rig.signal(libc::SIGTERM);
    sup.until(|event| matches!(event, LauncherEvent::Shutdown(_)).then_some(()));
    sup.end(0);
    // a process that has ended is not reaped until its tracer knows of a thread's end
    let mut status = 0;
    loop {
        // SAFETY: `status` is ours.
        let told = unsafe { libc::waitpid(writer, &raw mut status, libc::__WALL) };
        assert_eq!(told, writer);
        if !libc::WIFSTOPPED(status) {
            break;
        }
    }
    assert_eq!(rig.wait().code(), Some(0));
}

fn a_process_with_another_start_time_is_not_a_survivor() {
    let (mut rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    rig.signal(libc::SIGKILL);
    rig.wait();
    let table = rig.path("hab/launcher/processes");
    let text = fs::read_to_string(&table).expect("readable");
    assert!(text.contains(&format!("1 {pid} ")), "{text}");
    let boot = text.lines().nth(1).expect("a line");
    let entry = text.lines().nth(3).expect("a line");
    let ticks = entry.split(' ').nth(2).expect("a field");
    for (what, other) in [(boot, "boot 0"), (ticks, "1")] {
        fs::write(&table, text.replace(what, other)).expect("written");
        rig.start();
        // kept until its launcher is dead, so that no other one starts
        let mut sup = rig.accept();
        assert!(sup.hello().survivors.is_empty(), "{other}");
        assert!(lives(pid));
        rig.signal(libc::SIGKILL);
        rig.wait();
    }
    // the same without the change
    fs::write(&table, text).expect("written");
    rig.start();
    assert_eq!(rig.accept().hello().survivors.len(), 1);
}

fn a_failed_write_of_a_table_is_logged_once_and_retried() {
    let (rig, mut sup) = Rig::started();
    // blocks the path, like a full disk
    let obstacle = rig.path("hab/launcher/processes");
    wait_for("the first table", || fs::remove_file(&obstacle).ok());
    fs::create_dir_all(obstacle.join("in the way")).expect("made");
    let pids = [sup.sleeper(1, "a.default"), sup.sleeper(2, "b.default")];
    sup.spawn(3, Kind::Hook, "sync", "true");
    sup.hook_ended(3);
    let text = rig.stdout.wait("The process table below hab/launcher cannot be written");
    assert_eq!(text.matches("cannot be written").count(), 1, "{text}");
    fs::remove_dir_all(&obstacle).expect("removed");
    // there are no other events in between
    wait_for("the table", || {
        let table = fs::read_to_string(rig.path("hab/launcher/processes")).unwrap_or_default();
        pids.iter().all(|pid| table.contains(&format!(" {pid} "))).then_some(())
    });
    assert_eq!(rig.stdout.get().matches("cannot be written").count(), 1);
}

fn a_corrupt_table_is_put_aside() {
    let mut rig = Rig::new();
    fs::create_dir_all(rig.path("hab/launcher")).expect("created");
    fs::write(rig.path("hab/launcher/processes"), "rubbish").expect("written");
    rig.start();
    let mut sup = rig.accept();
    assert!(sup.hello().survivors.is_empty());
    rig.stdout.wait("hab/launcher/processes.corrupt'");
    let kept = fs::read_to_string(rig.path("hab/launcher/processes.corrupt"));
    assert_eq!(kept.expect("kept"), "rubbish");
    sup.sleeper(1, "a.default");
}

fn a_replaced_program_takes_effect_at_the_next_restart() {
    let mut rig = Rig::new();
    let link = rig.path("hab-link");
    let exe = std::env::current_exe().expect("known");
    std::os::unix::fs::symlink(&exe, &link).expect("linked");
    let mut command = Command::new(&link);
    command.arg("become-launcher").env("FS_ROOT", rig.root());
    rig.start_with(command);
    let sup = {
        let mut sup = rig.accept();
        sup.hello();
        sup
    };
    // the launcher kept its process id
    assert_eq!(
        fs::read_to_string(rig.path("hab/launcher/PID")).expect("written"),
        rig.pid().to_string()
    );
    let comm = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).expect("runs");
    assert_eq!(comm(rig.pid()), "hab-launch\n");
    assert_eq!(comm(sup.pid), "hab-sup\n");
    let new = rig.path("new-release");
    let mark = rig.path("new-release-ran");
    let script =
        format!("#!/bin/sh\necho \"$@\" > {}\nexec {} \"$@\"\n", mark.display(), exe.display());
    fs::write(&new, script).expect("written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("set");
    fs::rename(&new, &link).expect("replaced");
    sup.end(0);
    rig.accept().hello();
    assert_eq!(fs::read_to_string(&mark).expect("written"), "--roost-supervisor\n");
}
