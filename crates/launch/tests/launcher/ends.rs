//! The lock, and clean and unclean shutdowns.

use std::fs;

use roost_launch::{
    lock,
    wire::{Kind, LauncherEvent, Request, Scope, Shutdown},
};

use crate::{
    Test,
    rig::{Rig, Sup, Text, lives, wait_for},
};

pub(crate) const TESTS: &[Test] = &[
    (
        "a_second_launcher_ends_with_86_and_leaves_the_first_alone",
        a_second_launcher_ends_with_86_and_leaves_the_first_alone,
    ),
    ("term_ends_everything_in_order", term_ends_everything_in_order),
    ("sup_term_finds_the_launcher_by_its_lock", sup_term_finds_the_launcher_by_its_lock),
    ("a_service_that_ignores_term_is_killed", a_service_that_ignores_term_is_killed),
    (
        "remaining_services_get_their_own_signal_and_timeout",
        remaining_services_get_their_own_signal_and_timeout,
    ),
    (
        "a_supervisor_that_ends_before_its_services_is_started_once_more",
        a_supervisor_that_ends_before_its_services_is_started_once_more,
    ),
    (
        "the_end_does_not_wait_for_a_supervisor_that_cannot_start",
        the_end_does_not_wait_for_a_supervisor_that_cannot_start,
    ),
    ("term_without_a_supervisor_starts_one_more", term_without_a_supervisor_starts_one_more),
    (
        "only_the_third_term_kills_a_supervisor_that_hangs",
        only_the_third_term_kills_a_supervisor_that_hangs,
    ),
    ("code_84_ends_with_0_and_86_with_86", code_84_ends_with_0_and_86_with_86),
    (
        "without_a_program_for_the_supervisor_it_ends_with_1",
        without_a_program_for_the_supervisor_it_ends_with_1,
    ),
];

fn shutdown(sup: &mut Sup) {
    sup.until(|event| matches!(event, LauncherEvent::Shutdown(libc::SIGTERM)).then_some(()));
}

fn a_second_launcher_ends_with_86_and_leaves_the_first_alone() {
    let (rig, mut sup) = Rig::started();
    let pid = rig.pid().to_string();
    let output = rig.command().output().expect("ran");
    assert_eq!(output.status.code(), Some(86));
    let expected = format!(
        "Lock file error -> Could not acquire exclusive lock on lock file '{}'. Is another \
         Supervisor process running? -> Resource temporarily unavailable (os error 11)\n\
         The lock is held by process {pid} (hab-launch)\n",
        rig.path("hab/sup/default/LOCK").display()
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    for file in ["hab/launcher/PID", "hab/sup/default/LOCK"] {
        assert_eq!(fs::read_to_string(rig.path(file)).expect("there"), pid);
    }
    sup.sleeper(1, "a.default");
}

fn term_ends_everything_in_order() {
    let (mut rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    rig.signal(libc::SIGTERM);
    shutdown(&mut sup);
    assert!(lives(pid), "the Supervisor stops services");
    sup.signal(1, libc::SIGTERM, Scope::Group);
    sup.group_gone(1);
    sup.end(0);
    assert_eq!(rig.wait().code(), Some(0));
    let text = rig.stdout.wait("Hasta");
    assert!(text.ends_with("hab-launch(SV): Hasta la vista, services.\n"), "{text}");
    assert!(!text.contains("Stopping..."), "nothing was left to the launcher: {text}");
    assert!(rig.processes().is_empty());
    let left = fs::read_dir(rig.path("hab/launcher")).expect("there").count();
    assert_eq!(left, 0, "PID and tables are gone");
    assert!(rig.path("hab/sup/default/LOCK").exists());
}

fn sup_term_finds_the_launcher_by_its_lock() {
    let (mut rig, mut sup) = Rig::started();
    lock::term(rig.root()).expect("sent");
    shutdown(&mut sup);
    sup.end(0);
    assert_eq!(rig.wait().code(), Some(0));
    assert!(lock::term(rig.root()).is_err());
}

fn remaining_services_get_their_own_signal_and_timeout() {
    let (mut rig, mut sup) = Rig::started();
    let script = |name: &str| {
        format!(
            "trap 'echo {name} got INT' INT; trap '' TERM; echo ready; while :; do sleep 0.1; done"
        )
    };
    // one that is killed immediately, one that never would be
    for (id, name, timeout_ms) in [(1, "a.default", 0), (2, "b.default", u64::MAX)] {
        let mut spawn = sup.shell(id, Kind::Service, name, &script(name));
        spawn.shutdown = Shutdown { signal: libc::SIGINT, timeout_ms };
        sup.send(&Request::Spawn(spawn));
        rig.stdout.wait(&format!("{name}(O): ready\n"));
    }
    rig.signal(libc::SIGTERM);
    shutdown(&mut sup);
    sup.end(0);
    rig.accept().end(1);
    rig.stdout.wait("a.default(SV): Shutdown OK: Killed\n");
    rig.stdout.wait("b.default(O): b.default got INT\n");
    // the operator repeats the signal
    rig.signal(libc::SIGTERM);
    assert_eq!(rig.wait().code(), Some(0));
    rig.stdout.wait("b.default(SV): Shutdown OK: Killed\n");
}

fn a_service_that_ignores_term_is_killed() {
    let (mut rig, mut sup) = Rig::started();
    sup.spawn(
        1,
        Kind::Service,
        "a.default",
        "trap '' TERM; echo ready; while :; do sleep 1000; done",
    );
    rig.stdout.wait("a.default(O): ready\n");
    rig.signal(libc::SIGTERM);
    shutdown(&mut sup);
    sup.end(0);
    rig.accept().end(1);
    assert_eq!(rig.wait().code(), Some(0));
    let text = rig.stdout.wait("Hasta");
    assert!(text.contains("a.default(SV): Shutdown OK: Killed\n"), "{text}");
    assert!(rig.processes().is_empty());
}

/// HUP right before TERM, or a crash in the middle of a shutdown.
fn a_supervisor_that_ends_before_its_services_is_started_once_more() {
    let (mut rig, mut sup) = Rig::started();
    let pid = sup.sleeper(1, "a.default");
    rig.signal(libc::SIGTERM);
    shutdown(&mut sup);
    sup.end(0);
    let mut second = rig.accept();
    let welcome = second.hello();
    assert_eq!(welcome.running.iter().map(|running| running.pid).collect::<Vec<_>>(), [pid]);
    shutdown(&mut second);
    assert!(lives(pid), "it is left to the second Supervisor");
    second.kill();
    // No third one starts.
    assert_eq!(rig.wait().code(), Some(0));
    let text = rig.stdout.wait("Hasta");
    let order = [
        "hab-launch(SV): Starting the Supervisor once more to stop what still runs\n",
        "a.default(SV): Stopping...\n",
        "a.default(SV): Shutdown OK: Graceful Termination\n",
        "hab-launch(SV): Hasta la vista, services.\n",
    ];
    assert_eq!(text, order.concat());
    assert!(rig.processes().is_empty());
}

fn the_end_does_not_wait_for_a_supervisor_that_cannot_start() {
    let (mut rig, mut sup) = Rig::started();
    sup.sleeper(1, "a.default");
    rig.signal(libc::SIGTERM);
    shutdown(&mut sup);
    sup.kill();
    // It never sends its Hello.
    let _silent = rig.accept();
    assert_eq!(rig.wait().code(), Some(0));
    rig.stdout.wait("a.default(SV): Shutdown OK: Graceful Termination\n");
}

fn term_without_a_supervisor_starts_one_more() {
    let (mut rig, mut sup) = Rig::started();
    sup.sleeper(1, "a.default");
    // two failures, so that the launcher waits before the next start
    sup.end(1);
    rig.accept().end(1);
    wait_for("the second failure", || {
        (rig.stderr.get().matches("unexpected exit code: 1\n").count() == 2).then_some(())
    });
    rig.signal(libc::SIGTERM);
    let mut third = rig.accept();
    third.hello();
    shutdown(&mut third);
    third.signal(1, libc::SIGTERM, Scope::Group);
    third.group_gone(1);
    third.end(0);
    assert_eq!(rig.wait().code(), Some(0));
    rig.stdout.wait("hab-launch(SV): Hasta la vista, services.\n");
    assert!(rig.processes().is_empty());
}

fn only_the_third_term_kills_a_supervisor_that_hangs() {
    let (mut rig, mut sup) = Rig::started();
    sup.sleeper(1, "a.default");
    rig.signal(libc::SIGTERM);
    shutdown(&mut sup);
    rig.signal(libc::SIGTERM);
    // answered after the signal was handled: signals are read in each turn
    sup.sleeper(2, "b.default");
    assert!(lives(sup.pid));
    wait_for("the Supervisor's end", || {
        rig.signal(libc::SIGTERM);
        (!lives(sup.pid)).then_some(())
    });
    assert_eq!(rig.wait().code(), Some(0));
    rig.stdout.wait("hab-launch(SV): Hasta la vista, services.\n");
}

fn code_84_ends_with_0_and_86_with_86() {
    for (code, expected) in [(84, 0), (86, 86)] {
        let (mut rig, mut sup) = Rig::started();
        sup.sleeper(1, "a.default");
        sup.end(code);
        assert_eq!(rig.wait().code(), Some(expected));
        rig.stdout.wait("a.default(SV): Shutdown OK: Graceful Termination\n");
        assert!(rig.processes().is_empty());
        if expected == 86 {
            rig.stderr.wait(" ERROR hab_launch] Launcher exiting with code 86\n");
        }
    }
}

fn without_a_program_for_the_supervisor_it_ends_with_1() {
    let mut rig = Rig::new();
    let mut command = rig.command();
    command.env("HAB_SUP_BINARY", "/nowhere/hab-sup");
    rig.start_with(command);
    let text = Text::default();
    text.collect(rig.launcher.as_mut().expect("started").stderr.take().expect("piped"));
    assert_eq!(rig.wait().code(), Some(1));
    text.wait("Supervisor could not be started from '/nowhere/hab-sup': No such file");
}
