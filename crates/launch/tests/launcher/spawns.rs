//! Processes start as requested, or a reason is reported.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use roost_launch::wire::{
    Ended, Exited, Ids, Kind, LauncherEvent, Notice, Request, Scope, Variable, WireStatus,
};

use crate::{
    Test,
    rig::{Rig, kill, lives, wait_for},
};

pub(crate) const TESTS: &[Test] = &[
    ("exit_codes_and_signals_are_reported", exit_codes_and_signals_are_reported),
    ("a_child_starts_from_a_clean_slate", a_child_starts_from_a_clean_slate),
    ("a_child_has_a_session_of_its_own", a_child_has_a_session_of_its_own),
    ("a_child_has_all_signals_open", a_child_has_all_signals_open),
    ("a_child_becomes_the_user_it_is_given", a_child_becomes_the_user_it_is_given),
    (
        "a_failed_exec_is_reported_with_file_and_reason",
        a_failed_exec_is_reported_with_file_and_reason,
    ),
    ("a_missing_interpreter_is_found_in_path", a_missing_interpreter_is_found_in_path),
    (
        "a_script_without_interpreter_is_run_by_the_shell",
        a_script_without_interpreter_is_run_by_the_shell,
    ),
    ("a_name_and_an_id_are_used_once", a_name_and_an_id_are_used_once),
    (
        "a_group_is_signalled_and_watched_to_its_last_process",
        a_group_is_signalled_and_watched_to_its_last_process,
    ),
    ("orphans_are_reaped", orphans_are_reaped),
    ("a_zombie_does_not_keep_a_group_alive", a_zombie_does_not_keep_a_group_alive),
    (
        "a_service_killed_after_its_timeout_is_reported_as_such",
        a_service_killed_after_its_timeout_is_reported_as_such,
    ),
    ("unknown_messages_are_skipped", unknown_messages_are_skipped),
    (
        "the_end_of_a_service_comes_with_its_last_words",
        the_end_of_a_service_comes_with_its_last_words,
    ),
];

fn exit_codes_and_signals_are_reported() {
    let (rig, mut sup) = Rig::started();
    sup.spawn(1, Kind::Service, "a.default", "exit 7");
    let pid = sup.spawned(1);
    assert_eq!(sup.exited(1), Some(WireStatus::Code(7)));
    sup.group_gone(1);
    rig.stdout.wait(&format!(
        "hab-launch(SV): Child for service 'a.default' with PID {pid} exited with code exit status: 7\n"
    ));
    sup.spawn(2, Kind::Service, "a.default", "kill -9 $$");
    assert_eq!(sup.exited(2), Some(WireStatus::Signal(9)));
    rig.stdout.wait("exited with code signal: 9 (SIGKILL)\n");
    sup.spawn(3, Kind::Hook, "a.default hook[init]", "exit 3");
    assert_eq!(sup.hook_ended(3), Some(WireStatus::Code(3)));
}

fn the_end_of_a_service_comes_with_its_last_words() {
    let (_rig, mut sup) = Rig::started();
    sup.spawn(1, Kind::Service, "a.default", "echo out; seq 1000 >&2; printf broken >&2; exit 1");
    assert_eq!(sup.exited_with_words(1).lines().last(), Some("broken"));
}

fn a_child_starts_from_a_clean_slate() {
    let (_rig, mut sup) = Rig::started();
    let script = "env; ls -l /proc/self/fd; \
                  cut -d' ' -f5 /proc/$$/stat; echo pid=$$ stdin=$(readlink /proc/$$/fd/0)";
    let mut request = sup.shell(1, Kind::Hook, "a", script);
    for name in ["HAB_SUP_GATEWAY_AUTH_TOKEN", "HAB_RING_KEY", "ROOST_LAUNCHER_FD", "MINE"] {
        request.env.push(Variable::from((name.into(), "secret".into())));
    }
    sup.send(&Request::Spawn(request));
    let text = sup.output(1);
    assert!(text.contains("MINE=secret"), "{text}");
    for name in ["AUTH_TOKEN", "RING_KEY", "LAUNCHER_FD"] {
        assert!(!text.contains(name), "{text}");
    }
    assert!(!text.contains("FS_ROOT"), "nothing of the launcher's own: {text}");
    // 0, 1, 2 and the directory that ls itself reads
    assert_eq!(text.matches(" -> ").count(), 4, "{text}");
    let last = text.lines().last().expect("a line");
    let group = text.lines().rev().nth(1).expect("a line");
    assert_eq!(last, format!("pid={group} stdin=/dev/null"));
}

/// Also for hooks. Without its own session it could take the terminal that the launcher was started
/// from.
fn a_child_has_a_session_of_its_own() {
    let (rig, mut sup) = Rig::started();
    // process id, group, session, terminal
    let script = "cut -d' ' -f1,5,6,7 /proc/$$/stat";
    sup.spawn(1, Kind::Hook, "a hook", script);
    let hook = sup.output(1);
    sup.spawn(2, Kind::Service, "a.default", script);
    let pid = sup.spawned(2);
    sup.exited(2);
    let service = rig.stdout.wait("a.default(O): ");
    for text in [hook.trim(), service.split("(O): ").nth(1).expect("a line").trim()] {
        let pid = text.split(' ').next().expect("a number");
        assert!(text.starts_with(&format!("{pid} {pid} {pid} 0")), "{text}");
    }
    assert!(service.contains(&format!("(O): {pid} ")), "{service}");
}

/// A process that ended in the group of a service, and whose parent left the group and does not
/// reap it.
fn a_zombie_does_not_keep_a_group_alive() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: needs python3");
        return;
    }
    let (rig, mut sup) = Rig::started();
    let leave = "import os, time\nif os.fork() == 0: os._exit(0)\nos.setsid()\n\
                 print('left', flush=True)\ntime.sleep(1000)";
    let script = format!("/usr/bin/python3 -c \"{leave}\" & read word");
    // without input the shell ends immediately, so it waits for a file
    let script = script.replace(
        "read word",
        &format!("until [ -e {} ]; do sleep 0.05; done", rig.path("go").display()),
    );
    sup.spawn(1, Kind::Service, "a.default", &script);
    let pid = sup.spawned(1);
    rig.stdout.wait("a.default(O): left\n");
    let group = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a process id");
    fs::write(rig.path("go"), "").expect("written");
    let group_alive = sup.until(|event| match event {
        LauncherEvent::Exited(Exited { end: Ended { id: 1, .. }, group_alive }) => {
            Some(group_alive)
        }
        _ => None,
    });
    rustix::process::test_kill_process_group(group).expect("the zombie is there");
    assert!(!group_alive);
    sup.group_gone(1);
    sup.sleeper(2, "a.default");
}

fn a_service_killed_after_its_timeout_is_reported_as_such() {
    let (rig, mut sup) = Rig::started();
    sup.spawn(
        1,
        Kind::Service,
        "a.default",
        "trap '' TERM; echo ready; while :; do sleep 0.1; done",
    );
    rig.stdout.wait("a.default(O): ready\n");
    sup.signal(1, libc::SIGTERM, Scope::Group);
    sup.signal(1, libc::SIGKILL, Scope::Group);
    assert_eq!(sup.exited(1), Some(WireStatus::Signal(libc::SIGKILL)));
    rig.stdout.wait(
        "exited with code signal: 9 (SIGKILL): it had not ended within its time-out and was killed\n",
    );
}

fn a_child_has_all_signals_open() {
    let (_rig, mut sup) = Rig::started();
    // not through a shell, which would reset signals itself
    let mut request = sup.program(1, Kind::Hook, "a", "/usr/bin/env".as_ref());
    request.args = ["grep", "Sig", "/proc/self/status"].map(Into::into).into();
    sup.send(&Request::Spawn(request));
    let text = sup.output(1);
    for set in ["SigBlk", "SigIgn"] {
        assert!(text.contains(&format!("{set}:\t0000000000000000")), "{text}");
    }
}

fn a_child_becomes_the_user_it_is_given() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let (_rig, mut sup) = Rig::started();
    let script = "id -u; id -g; id -G";
    let mut request = sup.shell(1, Kind::Hook, "a", script);
    let groups = vec![65_533, 100, 101];
    request.user = Some(Ids { uid: 65_534, gid: 65_533, groups });
    sup.send(&Request::Spawn(request));
    assert_eq!(sup.output(1), "65534\n65533\n65533 100 101\n");
}

fn a_failed_exec_is_reported_with_file_and_reason() {
    let (rig, mut sup) = Rig::started();
    let missing = rig.path("missing");
    sup.send(&Request::Spawn(sup.program(1, Kind::Service, "a.b", &missing)));
    let (errno, message) = sup.failed(1);
    assert_eq!(errno, libc::ENOENT);
    let expected = format!("{}: No such file or directory (os error 2)", missing.display());
    assert_eq!(message, expected);

    let script = write_script(&rig, "#!/nowhere/nothing-has-this-name\n");
    sup.send(&Request::Spawn(sup.program(2, Kind::Service, "a.b", &script)));
    let (errno, message) = sup.failed(2);
    assert_eq!(errno, libc::ENOENT);
    assert!(message.contains("/nowhere/nothing-has-this-name"), "{message}");

    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("set");
    sup.send(&Request::Spawn(sup.program(3, Kind::Hook, "a.b", &script)));
    assert_eq!(sup.failed(3).0, libc::EACCES);
    // and the launcher continues
    sup.sleeper(4, "a.b");
}

fn a_missing_interpreter_is_found_in_path() {
    let (rig, mut sup) = Rig::started();
    let script = write_script(&rig, "#!/nowhere/bin/sh -e\necho $0 $1; false; echo never\n");
    let mut request = sup.program(1, Kind::Hook, "a", &script);
    request.args = vec!["argument".into()];
    sup.send(&Request::Spawn(request));
    let notice = sup.until(|event| match event {
        LauncherEvent::Notice(Notice { id: 1, text }) => Some(text),
        _ => None,
    });
    let shown = script.display();
    assert!(
        notice.starts_with(&format!(
            "Interpreter /nowhere/bin/sh of {shown} does not exist; using /"
        )),
        "{notice}"
    );
    assert_eq!(sup.output(1), format!("{shown} argument\n"));
}

fn a_script_without_interpreter_is_run_by_the_shell() {
    let (rig, mut sup) = Rig::started();
    let script = write_script(&rig, "echo hello from $0\n");
    sup.send(&Request::Spawn(sup.program(1, Kind::Hook, "a", &script)));
    assert_eq!(sup.output(1), format!("hello from {}\n", script.display()));
}

fn a_name_and_an_id_are_used_once() {
    let (_rig, mut sup) = Rig::started();
    sup.sleeper(1, "a.default");
    sup.spawn(2, Kind::Service, "a.default", "true");
    assert_eq!(sup.failed(2).0, libc::EEXIST);
    sup.spawn(1, Kind::Service, "b.default", "true");
    assert_eq!(sup.failed(1).0, libc::EEXIST);
    sup.spawn(3, Kind::Service, "two\nlines", "true");
    assert_eq!(sup.failed(3).0, libc::EINVAL);
    sup.signal(1, libc::SIGTERM, Scope::Group);
    assert_eq!(sup.exited(1), Some(WireStatus::Signal(libc::SIGTERM)));
    sup.sleeper(4, "a.default");
}

fn a_group_is_signalled_and_watched_to_its_last_process() {
    let (rig, mut sup) = Rig::started();
    // both ignore TERM, so that only the signal sent to them ends them
    let script = "trap '' TERM; sleep 1000 & echo $! > $ROOST_TEST_ROOT/child; wait";
    sup.spawn(1, Kind::Service, "a.default", script);
    sup.spawned(1);
    let path = rig.path("child");
    let child: u32 = wait_for("the child", || fs::read_to_string(&path).ok()?.trim().parse().ok());
    sup.signal(1, libc::SIGKILL, Scope::Process);
    assert_eq!(sup.exited(1), Some(WireStatus::Signal(libc::SIGKILL)));
    assert!(lives(child));
    sup.signal(1, libc::SIGTERM, Scope::Group);
    sup.signal(1, libc::SIGKILL, Scope::Process);
    // answered after both signals
    sup.sleeper(2, "b.default");
    assert!(lives(child));
    sup.signal(1, libc::SIGKILL, Scope::Group);
    sup.group_gone(1);
    assert!(!lives(child));
}

fn orphans_are_reaped() {
    let (rig, mut sup) = Rig::started();
    // the inner shells die immediately and leave their processes to the launcher
    let script = "(setsid sleep 1001 & echo $! > $ROOST_TEST_ROOT/orphan); \
                  for i in 1 2 3; do (sleep 0.01 & ); (setsid sleep 0.01 & ); done; exec sleep 1000";
    sup.spawn(1, Kind::Service, "a.default", script);
    let pid = sup.spawned(1);
    let orphan: u32 = wait_for("the orphan", || {
        let text = fs::read_to_string(rig.path("orphan")).ok()?;
        text.trim().parse().ok()
    });
    let children = format!("/proc/{0}/task/{0}/children", rig.pid());
    let listed = || -> BTreeSet<u32> {
        let text = fs::read_to_string(&children).expect("readable");
        let numbers = text.split_whitespace().map(str::parse);
        numbers.map(|pid| pid.expect("a number")).collect()
    };
    wait_for("one orphan left", || {
        let started = fs::read_to_string(format!("/proc/{pid}/comm")).expect("runs") == "sleep\n";
        (started && listed() == BTreeSet::from([sup.pid, pid, orphan])).then_some(())
    });
    kill(orphan, libc::SIGKILL);
    wait_for("no orphan left", || (listed() == BTreeSet::from([sup.pid, pid])).then_some(()));
}

fn unknown_messages_are_skipped() {
    let (_rig, mut sup) = Rig::started();
    // length, and an unknown field
    sup.send_raw(&[3, 0, 0, 0, 0xc0, 0x3e, 7]);
    sup.sleeper(1, "a.default");
}

fn write_script(rig: &Rig, text: &str) -> PathBuf {
    let path = rig.path("script");
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
    path
}
