//! Hanging files and processes (a dead mount, a process that cannot be killed) block nothing else.

use std::process::Command;

use rustix::process::Signal;
use testkit::{Disk, Lease, wait_for};

use crate::{RUN, is_up, kill, lives, pid_of, root, wait_web};

#[test]
fn a_service_whose_files_do_not_come_is_down_with_the_reason_and_all_others_run() {
    let root = root();
    for (name, extra) in [("web", "default.toml"), ("slow", "default.toml"), ("other", "x")] {
        let ident = format!("acme/{name}/1.0.0/20250101000000");
        root.package(&ident, &[("hooks/run", RUN), (extra, "port = 1\n")]);
    }
    let file =
        |name: &str| root.join(&format!("hab/pkgs/acme/{name}/1.0.0/20250101000000/default.toml"));
    let Some(lease) = Lease::take(&file("web")) else { return };
    root.spec("web", "ident = \"acme/web\"\n");
    root.spec("other", "ident = \"acme/other\"\n");
    let sup = root.supervisor().start();
    sup.wait_up("other");
    let service = wait_web(&sup, serde_json::Value::is_object);
    assert!(!is_up(&service));
    let health = sup.get("/services/web/default/health");
    assert_eq!(health.status(), 500);
    assert!(health.text().contains("could not be read or written within"), "{}", health.text());

    // A command that would wait for such files is answered, and so are later ones.
    let Some(second) = Lease::take(&file("slow")) else { return };
    let ctl = sup.ctl.to_string();
    let output = sup.hab(["svc", "load", "acme/slow", "-r", &ctl]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("could not be read within"), "{text}");
    let output = sup.hab(["svc", "stop", "acme/other", "-r", &ctl]);
    assert!(output.status.success(), "{output:?}");
    drop(second);

    drop(lease);
    sup.wait_up("web");
    assert_eq!(sup.get("/services/web/default").json()["cfg"]["port"], 1);
}

#[test]
fn the_end_waits_for_no_file_that_does_not_come() {
    let root = crate::root_with_web(&[("default.toml", "port = 1\n")]);
    let path = root.join(&format!("hab/pkgs/{}/default.toml", crate::WEB));
    let Some(_lease) = Lease::take(&path) else { return };
    root.spec("web", "ident = \"acme/web\"\n");
    let mut sup = root.supervisor().spawn();
    sup.wait_log("Starting gossip-listener");
    assert_eq!(sup.stop(), 0);
}

#[test]
fn a_pipe_among_the_specs_is_told_and_passed_over() {
    let root = crate::root_with_web(&[]);
    root.spec("web", "ident = \"acme/web\"\n");
    let pipe = root.join("hab/sup/default/specs/pipe.spec");
    assert!(Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()));
    let sup = root.supervisor().start();
    sup.wait_up("web");
    sup.wait_log("pipe.spec' (it is not a regular file but a named pipe)");
}

#[test]
fn a_process_of_an_earlier_run_that_does_not_end_holds_up_no_other_service() {
    let run = "#!/bin/sh\ntrap 'while [ ! -e {{pkg.svc_data_path}}/end ]; do sleep 0.05; done; \
               exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done\n";
    let root = crate::root_with_web(&[("hooks/run", run), ("SHUTDOWN_TIMEOUT", "1000")]);
    root.package("acme/other/1.0.0/20250101000000", &[("hooks/run", RUN)]);
    root.spec("web", "ident = \"acme/web\"\n");
    root.spec("other", "ident = \"acme/other\"\n");
    let sup = root.supervisor().start();
    let old = sup.wait_up("web");
    sup.wait_log("(O): ready");
    let other = sup.wait_up("other");
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    // Meanwhile the service moves to another group, so its process has no owner.
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
    root.spec("web", "ident = \"acme/web\"\ngroup = \"blue\"\n");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    sup.wait_log_times("Starting http-gateway", 2);
    assert_eq!(sup.wait_up("other"), other);
    let service = sup.wait_json("/services/web/blue", serde_json::Value::is_object);
    assert!(!is_up(&service) && lives(old), "never two copies: {}", sup.log());
    let health = sup.get("/services/web/blue/health").text();
    assert!(health.contains("a process of an earlier run still lives"), "{health}");
    root.write("hab/svc/web/data/end", "");
    let service = sup.wait_json("/services/web/blue", is_up);
    assert!(pid_of(&service) != old && !lives(old));
}

/// Its parent has left the group, so that no signal to the group reaches the process that should
/// reap it.
#[test]
fn a_zombie_of_an_earlier_run_holds_up_neither_its_service_nor_the_end() {
    let run = "#!/bin/sh
if mkdir {{pkg.svc_data_path}}/zombie; then
  sh -c 'true & exec setsid sh -c \": >{{pkg.svc_data_path}}/left; exec sleep 1000\"' &
fi
exec sleep 1000
";
    let root = crate::root_with_web(&[("hooks/run", run), ("SHUTDOWN_TIMEOUT", "1")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let survivor = sup.wait_up("web");
    let left = root.join("hab/svc/web/data/left");
    wait_for("the parent to leave", || left.exists().then_some(()));
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
    rustix::process::kill_process(sup.launcher_pid(), Signal::KILL).expect("it lives");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    drop(sup);
    let mut sup = root.supervisor().start();
    wait_web(&sup, |service| is_up(service) && pid_of(service) != survivor);
    assert!(!lives(survivor), "never two copies");
    assert_eq!(sup.stop(), 0);
    assert!(!sup.log().contains("Still running as PID"), "{}", sup.log());
}

/// The read blocks after `user.toml` and before its end.
#[test]
fn a_user_toml_that_changes_while_its_service_is_read_is_not_missed() {
    let root = crate::root_with_web(&[("default.toml", "port = 1\n")]);
    let shell = "core/busybox-static/1.0/20200101000000";
    root.package(shell, &[("PATH", "/bin\n")]);
    let Some(lease) = Lease::take(&root.join(&format!("hab/pkgs/{shell}/PATH"))) else { return };
    root.spec("web", "ident = \"acme/web\"\n");
    let sup = root.supervisor().spawn();
    wait_for("the directories of the service, which are made after user.toml was read", || {
        root.join("hab/svc/web/hooks").is_dir().then_some(())
    });
    root.write("hab/user/web/config/user.toml", "port = 2\n");
    drop(lease);
    wait_web(&sup, |service| is_up(service) && service["cfg"]["port"] == 2);
}

/// `hab sup run >/var/log/hab.log` on a dead disk: lines wait and are finally lost, but nothing
/// else is.
#[test]
fn a_log_file_on_a_disk_that_hangs_stops_no_service_no_signal_and_no_api() {
    let run = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do head -c 10000 /dev/zero | tr '\\0' x; \
               echo; echo >>{{pkg.svc_data_path}}/beats; sleep 0.02; done\n";
    let root = crate::root_with_web(&[("hooks/run", run)]);
    root.package("acme/other/1.0.0/20250101000000", &[("hooks/run", RUN)]);
    root.spec("other", "ident = \"acme/other\"\n");
    let Some(disk) = Disk::at(&root, "log") else { return };
    let log = root.join("log/console.txt");
    let redirect = format!("exec \"$@\" >>'{}' 2>&1", log.display());
    let sup = root.supervisor().through(["sh", "-c", &redirect, "sh"]).args(["acme/web"]).start();
    // dropped before the Supervisor, whose end would wait for it
    let disk = disk;
    let (web, other) = (sup.wait_up("web"), sup.wait_up("other"));
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    disk.hang();
    let beats = || std::fs::metadata(root.join("hab/svc/web/data/beats")).map_or(0, |m| m.len());
    // 200 lines of 10 kB exceed the buffer for the file
    let before = beats();
    wait_for("a service that prints", || (beats() > before + 200).then_some(()));
    kill(other, Signal::KILL);
    sup.wait_json("/services/other/default", |service| is_up(service) && pid_of(service) != other);
    sup.signal(Signal::HUP);
    wait_for("another Supervisor", || {
        sup.supervisor_pid().is_some_and(|pid| pid != supervisor).then_some(())
    });
    assert_eq!(sup.wait_up("web"), web, "its process keeps running");
    let ctl = sup.ctl.to_string();
    let output = sup.hab(["svc", "stop", "acme/web", "-r", &ctl]);
    assert!(output.status.success(), "{output:?}");
    wait_for("the end of the service", || (!lives(web)).then_some(()));
    disk.answer_again();
    wait_for("the count of lost lines and what came after it", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains("could not be written and are lost").then_some(())
    });
    let mut sup = sup;
    assert_eq!(sup.stop(), 0);
    let text = std::fs::read_to_string(&log).expect("the log");
    let end = text.trim_end().lines().last().expect("a line");
    assert_eq!(end, "hab-launch(SV): Hasta la vista, services.");
    let whole = |line: &&str| line.contains("web.default(O): x") && !line.ends_with('x');
    assert_eq!(text.lines().find(whole), None, "lines stay whole");
}
