//! Specs, configuration, restarts, stops.

use rustix::process::Signal;
use testkit::wait_for;

use crate::{RUN, is_up, kill, lives, pid_of, root, root_with_web, wait_web, web};

#[test]
fn a_spec_file_dropped_in_starts_a_service_and_removing_it_stops_it() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().start();
    assert_eq!(sup.get("/services").text(), "[]");
    root.spec("web", "ident = \"acme/web\"\n");
    let pid = sup.wait_up("web");
    std::fs::remove_file(root.join("hab/sup/default/specs/web.spec")).unwrap();
    sup.wait_json("/services", |services| *services == serde_json::json!([]));
    assert!(!lives(pid));
}

#[test]
fn a_changed_group_stops_the_service_before_it_starts_in_the_new_one() {
    let run = "#!/bin/sh\ntrap 'sleep 0.5; exit 0' TERM\necho start >> {{pkg.svc_data_path}}/log\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[("hooks/run", run)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let old = sup.wait_up("web");
    let spec = root.read("hab/sup/default/specs/web.spec");
    root.spec("web", &spec.replace("group = \"default\"", "group = \"blue\""));
    let service = sup.wait_json("/services/web/blue", is_up);
    assert_ne!(pid_of(&service), old);
    assert!(!lives(old), "never two copies");
    assert_eq!(sup.get("/services/web/default").status(), 404);
    // The old group stays in the census: no rumor removes it.
    assert!(sup.get("/census").json()["census_groups"].get("web.default").is_some());
}

#[test]
fn user_toml_is_applied_by_reconfigure_without_a_restart() {
    let root = root_with_web(&[
        ("default.toml", "port = 1\nname = \"x\"\n"),
        ("config/app.conf", "port = {{cfg.port}}\n"),
        ("hooks/reconfigure", "#!/bin/sh\ncat {{pkg.svc_config_path}}/app.conf\n"),
        ("EXPORTS", "port=port"),
    ]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.write("hab/user/web/config/user.toml", "port = 2\n");
    sup.wait_log("web.default(HK): hook[reconfigure]: port = 2");
    assert_eq!(pid_of(&web(&sup)), pid);
    let config = sup.get("/services/web/default/config").text();
    assert_eq!(config, r#"{"port":2,"name":"x"}"#);
    let id = root.read("hab/sup/default/MEMBER_ID");
    sup.wait_json("/census", |census| {
        census["census_groups"]["web.default"]["population"][&id]["cfg"]["port"] == 2
    });
    // A broken file keeps the last valid layer.
    root.write("hab/user/web/config/user.toml", "port = = 3\n");
    sup.wait_log("Reloading user-config failed:");
    assert_eq!(sup.get("/services/web/default/config").text(), config);
    assert_eq!(pid_of(&web(&sup)), pid);
}

#[test]
fn without_a_reconfigure_hook_a_changed_config_file_restarts_the_service() {
    let root = root_with_web(&[
        ("default.toml", "port = 1\n"),
        ("config/app.conf", "port = {{cfg.port}}\n"),
    ]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.write("hab/user/web/config/user.toml", "port = 2\n");
    let service = wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    assert_eq!(service["last_process_state"]["termination_reason"], "app_config_updated");
    assert_eq!(service["restart_count"], 0);
    assert_eq!(root.read("hab/svc/web/config/app.conf"), "port = 2\n");
}

#[test]
fn the_environment_layer_lies_between_default_and_user() {
    let root = root_with_web(&[("default.toml", "a = 1\nb = 1\nc = 1\n")]);
    root.write("hab/user/web/config/user.toml", "c = 3\n");
    let sup = root.supervisor().args(["acme/web"]).env("HAB_WEB", "b = 2\nc = 2").start();
    assert_eq!(sup.get("/services/web/default/config").text(), r#"{"a":1,"b":2,"c":3}"#);
}

#[test]
fn a_failing_service_waits_for_its_back_off() {
    let root = root_with_web(&[("hooks/run", "#!/bin/sh\nexit 3\n")]);
    let backoff = ["--service-min-backoff-period", "2", "--service-max-backoff-period", "2"];
    let sup = root.supervisor().args(backoff).args(["acme/web"]).start();
    let service = wait_web(&sup, |service| {
        service["restart_count"] == 1 && service["next_restart_at"].is_u64()
    });
    let last = &service["last_process_state"];
    assert_eq!(last["termination_reason"], "run_hook_failed");
    let waits_s =
        service["next_restart_at"].as_u64().unwrap() - last["terminated_at"].as_u64().unwrap();
    assert!((1..=2).contains(&waits_s), "{service}");
    sup.wait_log("Stopping service, will restart after 2.00 secs");
    wait_web(&sup, |service| service["restart_count"] == 2);
}

#[test]
fn a_service_that_ignores_its_stop_signal_is_killed_with_its_children() {
    let run = "#!/bin/sh\ntrap '' TERM\nsh -c 'trap \"\" TERM; echo $$ > {{pkg.svc_data_path}}/child; while :; do sleep 0.1; done' &\nwhile :; do sleep 0.1; done\n";
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_TIMEOUT", "1")]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let child: i32 =
        wait_for("the child", || root.read("hab/svc/web/data/child").trim().parse().ok());
    assert_eq!(sup.stop(), 0);
    assert!(sup.log().contains(&format!("Service killed (PID: {pid})")), "{}", sup.log());
    wait_for("the end of the child", || (!lives(child)).then_some(()));
}

#[test]
fn the_packages_own_stop_signal_is_used() {
    let run = "#!/bin/sh\ntrap 'echo got it; exit 0' INT\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_SIGNAL", "INT")]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    assert_eq!(sup.stop(), 0);
    assert!(sup.log().contains("web.default(O): got it"), "{}", sup.log());
}

#[test]
fn strict_binds_wait_for_their_group_and_relaxed_ones_do_not() {
    let root = root();
    root.package(
        "acme/db/1.0/20250101000000",
        &[("hooks/run", RUN), ("default.toml", "port = 5432\n"), ("EXPORTS", "port=port")],
    );
    let run = "#!/bin/sh\necho db at {{#if bind.db}}{{bind.db.first.cfg.port}}{{else}}nowhere{{/if}}\nexec sleep 100000\n";
    let files = [("hooks/run", run), ("BINDS", "db=port")];
    root.package("acme/app/1.0/20250101000000", &files);
    root.package("acme/easy/1.0/20250101000000", &files);
    let spec = |name: &str, mode: &str| {
        format!("ident = \"acme/{name}\"\nbinds = [\"db:db.default\"]\nbinding_mode = \"{mode}\"\n")
    };
    root.spec("app", &spec("app", "strict"));
    root.spec("easy", &spec("easy", "relaxed"));
    let sup = root.supervisor().start();
    sup.wait_log("easy.default(O): db at nowhere");
    sup.wait_log("Waiting for service binds...");
    assert_eq!(sup.get("/services/app/default").json()["process"]["state"], "down");
    root.spec("db", "ident = \"acme/db\"\n");
    sup.wait_log("app.default(O): db at 5432");
    sup.wait_log("easy.default(O): db at 5432");
    assert_eq!(sup.log().matches("Waiting for service binds...").count(), 1, "logged once");
}

#[test]
fn install_hooks_run_once_dependencies_first() {
    let root = root();
    let install = "#!/bin/sh\necho install {{pkg.name}} {{cfg.word}}\n";
    root.package(
        "acme/lib/1.0/20250101000000",
        &[("hooks/install", install), ("default.toml", "word = \"of lib\"\n")],
    );
    root.package(
        crate::WEB,
        &[
            ("hooks/run", RUN),
            ("hooks/install", install),
            ("TDEPS", "acme/lib/1.0/20250101000000\n"),
            ("default.toml", "word = \"of web\"\n"),
        ],
    );
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    kill(pid, Signal::KILL);
    wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    let log = sup.log();
    let lib = log
        .find("web.default(HK): hook[install acme/lib]: install lib of lib")
        .expect("lib's hook");
    let web = log.find("web.default(HK): hook[install]: install web of web").expect("web's hook");
    assert!(lib < web);
    assert_eq!(log.matches("hook[install").count(), 2, "each once");
}

#[test]
fn a_local_package_without_builder_is_enough_and_a_newer_one_is_taken_at_the_next_start() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.package("acme/web/1.1.0/20250201000000", &[("hooks/run", RUN)]);
    assert_eq!(web(&sup)["pkg"]["version"], "1.0.0");
    kill(pid, Signal::KILL);
    wait_web(&sup, |service| is_up(service) && service["pkg"]["version"] == "1.1.0");
}

#[test]
fn organizations_are_part_of_every_group() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["--org", "acme", "acme/web"]).start();
    sup.wait_json("/services/web/default/acme", is_up);
    assert_eq!(sup.get("/services/web/default").status(), 404);
}

#[test]
fn the_time_that_a_command_gives_for_a_stop_holds_for_that_stop() {
    let run = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n";
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_TIMEOUT", "600")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let address = sup.ctl.to_string();
    for _ in 0..5 {
        sup.wait_up("web");
        let stop = ["svc", "stop", "acme/web", "--shutdown-timeout", "0", "-r", &address];
        assert!(sup.hab(stop).status.success());
        wait_web(&sup, |service| service["process"]["state"] == "down");
        assert!(sup.hab(["svc", "start", "acme/web", "-r", &address]).status.success());
    }
}

#[test]
fn what_was_gossiped_to_one_group_does_not_follow_a_service_into_another() {
    let root = root_with_web(&[
        ("default.toml", "word = \"one\"\n"),
        ("hooks/file-updated", "#!/bin/sh\necho updated\n"),
    ]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let address = sup.ctl.to_string();
    let give = |args: [&str; 5]| {
        let output = sup.hab(args.into_iter().chain(["-r", &address]));
        assert!(output.status.success(), "{output:?}");
    };
    root.write("new.toml", "word = \"two\"\n");
    let new = root.join("new.toml").display().to_string();
    give(["config", "apply", "web.default", "5", &new]);
    wait_web(&sup, |service| service["cfg"]["word"] == "two");
    give(["file", "upload", "web.default", "5", &new]);
    sup.wait_log("(HK): hook[file-updated]: updated");
    assert_eq!(sup.log().matches("Service file updated, new.toml").count(), 1, "{}", sup.log());
    root.write("new.toml", "word = \"three\"\n");
    give(["file", "upload", "web.blue", "1", &new]);
    let spec = root.read("hab/sup/default/specs/web.spec");
    root.spec("web", &spec.replace("group = \"default\"", "group = \"blue\""));
    let service = sup.wait_json("/services/web/blue", is_up);
    assert_eq!(service["cfg"]["word"], "one");
    wait_for("the file of the new group", || {
        (root.read("hab/svc/web/files/new.toml") == "word = \"three\"\n").then_some(())
    });
}

#[test]
fn a_late_end_of_an_old_group_is_not_taken_for_that_of_the_new_process() {
    if testkit::python_with(&[]).is_none() {
        return;
    }
    // A zombie in the group of the first process, whose parent is in another group, keeps that
    // group alive until the parent ends.
    let run = r#"#!/usr/bin/env python3
import os, time
data = "{{pkg.svc_data_path}}/keeper"
if not os.path.exists(data):
    group = os.getpgrp()
    if os.fork() == 0:
        os.setpgid(0, 0)
        if os.fork() == 0:
            os.setpgid(0, group)
            os._exit(0)
        time.sleep(0.2)
        open(data + ".new", "w").write(str(os.getpid()))
        os.rename(data + ".new", data)
        time.sleep(100000)
time.sleep(100000)
"#;
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_TIMEOUT", "0")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let first = sup.wait_up("web");
    let keeper: i32 = wait_for("the keeper", || root.read("hab/svc/web/data/keeper").parse().ok());
    kill(first, Signal::KILL);
    let second = wait_web(&sup, |service| is_up(service) && pid_of(service) != first);
    kill(keeper, Signal::KILL);
    wait_for("the end of the keeper", || (!lives(keeper)).then_some(()));
    // Within this time the launcher reports the end of the old group.
    let mut last = pid_of(&second);
    for _ in 0..3 {
        kill(last, Signal::KILL);
        last = pid_of(&wait_web(&sup, |service| is_up(service) && pid_of(service) != last));
    }
}

#[test]
fn a_service_loaded_again_while_its_unload_is_under_way_comes_back() {
    let run = "#!/bin/sh\ntrap 'sleep 1; exit 0' TERM\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[("hooks/run", run)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let address = sup.ctl.to_string();
    assert!(sup.hab(["svc", "unload", "acme/web", "-r", &address]).status.success());
    sup.wait_log(&format!("Terminating service (PID: {pid})"));
    assert!(sup.hab(["svc", "load", "acme/web", "-r", &address]).status.success());
    wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    assert!(!lives(pid));
}

#[test]
fn a_service_that_asks_for_updates_is_told_once_that_there_are_none() {
    let root = root_with_web(&[]);
    root.package("acme/other/1.0/20250101000000", &[("hooks/run", RUN)]);
    let sup = root.supervisor().start();
    for ident in ["acme/web", "acme/other"] {
        let address = sup.ctl.to_string();
        let output = sup.hab(["svc", "load", ident, "--strategy", "at-once", "-r", &address]);
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(web(&sup)["update_strategy"], "at-once");
    assert_eq!(sup.log().matches("Updates are not supported yet: strategy 'at-once'").count(), 1);
}

#[test]
fn a_gossiped_file_that_could_not_be_written_is_written_as_soon_as_it_can() {
    let root = root_with_web(&[("hooks/file-updated", "#!/bin/sh\necho updated\n")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    // Blocks the path, like a full disk.
    let files = root.join("hab/svc/web/files");
    std::fs::remove_dir(&files).unwrap();
    std::fs::write(&files, "").unwrap();
    root.write("notes.txt", "text");
    let ctl = sup.ctl.to_string();
    let file = root.join("notes.txt").display().to_string();
    let output = sup.hab(["file", "upload", "web.default", "1", &file, "-r", &ctl]);
    assert!(output.status.success(), "{output:?}");
    sup.wait_log("Service file refused");
    std::fs::remove_file(&files).unwrap();
    std::fs::create_dir(&files).unwrap();
    sup.wait_log("(HK): hook[file-updated]: updated");
    assert_eq!(root.read("hab/svc/web/files/notes.txt"), "text");
    assert_eq!(sup.log().matches("Service file refused").count(), 1);
}
