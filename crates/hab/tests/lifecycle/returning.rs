//! State found by a new Supervisor: changed or unreadable files from the time without one.

use rustix::process::{Pid, Signal};
use testkit::{Supervisor, wait_for};

use crate::{WEB, is_up, kill, lives, pid_of, root, root_with_web, wait_web, web};

fn hab(sup: &Supervisor, args: &[&str]) {
    let address = sup.ctl.to_string();
    let output = sup.hab(args.iter().copied().chain(["-r", &address]));
    assert!(output.status.success(), "{args:?}: {output:?}");
}

/// Pauses the Supervisor so that it notices nothing.
fn freeze(sup: &Supervisor) -> Pid {
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
    supervisor
}

fn end(supervisor: Pid) {
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
}

#[test]
fn what_a_dead_service_left_behind_is_stopped_before_it_is_started_again() {
    let run = "#!/bin/sh\nsh -c 'trap \"\" TERM; echo $$ > {{pkg.svc_data_path}}/child; while :; do sleep 0.1; done' &\nexec sleep 100000\n";
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_TIMEOUT", "1")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let child: i32 =
        wait_for("the child", || root.read("hab/svc/web/data/child").trim().parse().ok());
    let supervisor = freeze(&sup);
    kill(pid, Signal::KILL);
    wait_for("the end of the service", || (!lives(pid)).then_some(()));
    end(supervisor);
    let service = wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    assert!(!lives(child), "never two copies");
    assert_eq!(service["restart_count"], 1);
}

#[test]
fn a_group_that_changed_unseen_is_entered_after_the_old_process_has_ended() {
    let run = "#!/bin/sh\ntrap 'sleep 1; echo ended >> {{pkg.svc_data_path}}/log; exit 0' TERM\necho started >> {{pkg.svc_data_path}}/log\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[("hooks/run", run)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let old = sup.wait_up("web");
    wait_for("the log", || root.read("hab/svc/web/data/log").contains("started").then_some(()));
    let supervisor = freeze(&sup);
    let spec = root.read("hab/sup/default/specs/web.spec");
    root.spec("web", &spec.replace("group = \"default\"", "group = \"blue\""));
    end(supervisor);
    let service = sup.wait_json("/services/web/blue", is_up);
    assert_ne!(pid_of(&service), old);
    assert!(!lives(old), "never two copies");
    wait_for("the second start", || {
        (root.read("hab/svc/web/data/log") == "started\nended\nstarted\n").then_some(())
    });
}

#[test]
fn a_process_that_ended_while_its_spec_was_corrupt_is_started_again() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let supervisor = freeze(&sup);
    let spec = root.read("hab/sup/default/specs/web.spec");
    root.spec("web", "ident = [not toml");
    end(supervisor);
    sup.wait_log("Error when loading service spec file");
    sup.wait_log_times("Starting http-gateway", 2);
    assert!(lives(pid), "an unusable file is ignored");
    kill(pid, Signal::KILL);
    sup.wait_log(&format!("with PID {pid} exited"));
    root.spec("web", &spec);
    wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
}

#[test]
fn a_supervisor_that_cannot_start_again_leaves_services_alone() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let file = "hab/sup/default/MEMBER_ID";
    let id = root.read(file);
    root.write(file, "no member id");
    sup.signal(Signal::HUP);
    sup.wait_log_times("MEMBER_ID is corrupt", 2);
    assert!(lives(pid));
    root.write(file, &id);
    sup.wait_log("Reattaching to web.default");
    assert_eq!(pid_of(&wait_web(&sup, is_up)), pid);
}

#[test]
fn a_directory_that_became_unusable_keeps_no_new_supervisor_from_starting() {
    let root = root();
    root.write("hello/hooks/run", "#!/bin/sh\necho {{cfg.word}}\nexec sleep 100000\n");
    root.write("hello/default.toml", "word = \"one\"\n");
    let sup = root.supervisor().args([root.join("hello")]).start();
    let pid = sup.wait_up("hello");
    std::fs::remove_file(root.join("hello/hooks/run")).unwrap();
    sup.wait_log("A service directory holds hooks/run");
    sup.signal(Signal::HUP);
    sup.wait_log_times("Starting http-gateway", 2);
    assert_eq!(sup.wait_up("hello"), pid);
    root.write("hello/hooks/run", "#!/bin/sh\necho mended {{cfg.word}}\nexec sleep 100000\n");
    sup.wait_log("hello.default(O): mended one");
}

#[test]
fn a_stopped_service_is_left_alone_by_a_new_supervisor() {
    let root = root_with_web(&[("hooks/post-stop", "#!/bin/sh\necho after\n")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    hab(&sup, &["svc", "stop", "acme/web"]);
    sup.wait_log("(HK): hook[post-stop]: after");
    wait_web(&sup, |service| !is_up(service));
    sup.signal(Signal::HUP);
    sup.wait_log_times("Starting http-gateway", 2);
    let service = web(&sup);
    assert_eq!(service["desired_state"], "Down");
    assert_eq!(service["pkg"]["ident"], WEB);
    // If it had been reattached, its stop would be over before the next service runs.
    root.package("acme/other/1.0/20250101000000", &[("hooks/run", crate::RUN)]);
    root.spec("other", "ident = \"acme/other\"\n");
    sup.wait_up("other");
    let log = sup.log();
    assert!(!log.contains("Reattaching"), "{log}");
    assert_eq!(log.matches("(HK): hook[post-stop]: after").count(), 1, "{log}");
}

#[test]
fn a_configuration_file_that_became_unusable_leaves_services_alone() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.write("hab/sup/default/config/sup.toml", "no_such_key = [");
    sup.signal(Signal::HUP);
    sup.wait_log("unexpected exit code");
    assert!(lives(pid));
    std::fs::remove_file(root.join("hab/sup/default/config/sup.toml")).unwrap();
    sup.wait_log("Reattaching to web.default");
    assert_eq!(pid_of(&wait_web(&sup, is_up)), pid);
}

#[test]
fn a_directory_that_changed_while_no_supervisor_ran_is_followed() {
    let root = root();
    root.write("hello/hooks/run", "#!/bin/sh\necho {{cfg.word}}\nexec sleep 100000\n");
    root.write("hello/default.toml", "word = \"one\"\n");
    let sup = root.supervisor().args([root.join("hello")]).start();
    let first = sup.wait_up("hello");
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
    root.write("hello/default.toml", "word = \"two\"\n");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    sup.wait_log("hello.default(O): two");
    sup.wait_json("/services/hello/default", |service| is_up(service) && pid_of(service) != first);
}
