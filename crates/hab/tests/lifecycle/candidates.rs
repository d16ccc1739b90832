//! A newer candidate replaces the running release only when it can start.

use testkit::{Root, Supervisor};

use crate::{RUN, is_up, kill, pid_of, root, root_with_web, wait_web, web};

const HEALTH: &str = "/services/web/default/health";

fn wait_condition(sup: &Supervisor, text: &str) {
    sup.wait_json(HEALTH, |health| {
        health["stderr"].as_str().is_some_and(|stderr| stderr.contains(text))
    });
}

/// A root with a service directory `web`.
fn directory(root: &Root) -> String {
    root.write("web/hooks/run.sh", RUN);
    root.write("web/config/c", "v={{cfg.v}}\n");
    root.write("web/default.toml", "v = \"a\"\n");
    root.join("web").display().to_string()
}

#[test]
fn a_directory_with_an_error_does_not_touch_the_process_and_names_the_file() {
    let root = root();
    let dir = directory(&root);
    let sup = root.supervisor().args([&dir]).start();
    let pid = sup.wait_up("web");
    for (file, text, fault) in [
        (
            "config/c",
            "a\n {{#if cfg.v}\n",
            "config/c:2:2: {{#if cfg.v} is not closed: }} is missing",
        ),
        ("config/c", "v={{cfg.v}}\n", ""),
        ("hooks/init.sh", "#!/bin/sh\n{{pkg.path}/x\n", "hooks/init.sh:2:1: {{pkg.path}/x is not"),
        ("hooks/init.sh", "#!/no/such-interpreter-x\n", "hooks/init.sh: the line #! names"),
        ("hooks/init.sh", "#!/bin/sh\n", ""),
        ("default.toml", "v = = 1\n", "default.toml"),
        ("default.toml", "v = 5\n", ""),
        ("config/c", "{{toUppercase cfg.v}}\n", "config/c:1:1: toUppercase needs a text"),
    ] {
        if fault.is_empty() {
            // The repaired file is applied; the next step sees the new process.
            let before = pid_of(&web(&sup));
            root.write(&format!("web/{file}"), text);
            wait_web(&sup, |service| is_up(service) && pid_of(service) != before);
            continue;
        }
        let before = pid_of(&web(&sup));
        root.write(&format!("web/{file}"), text);
        wait_condition(&sup, fault);
        assert_eq!(sup.wait_up("web"), before, "{file}: {text}");
        let status =
            sup.hab(["svc", "status", "--format", "json", "--remote-sup", &sup.ctl.to_string()]);
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(status.contains(&fault[..12]), "{status}");
    }
    assert!(!crate::lives(pid), "the repaired file was applied");
    let log = sup.log();
    for inside in ["InvalidSyntax", "TemplateError", "Some("] {
        assert!(!log.contains(inside), "{inside}: {log}");
    }
    // After a crash, the former release starts again.
    let before = pid_of(&web(&sup));
    kill(before, rustix::process::Signal::KILL);
    wait_web(&sup, |service| is_up(service) && pid_of(service) != before);
    wait_condition(&sup, "config/c:1:1: toUppercase needs a text");
    assert_eq!(root.read("hab/svc/web/config/c"), "v=5\n");
}

#[test]
fn after_a_restart_of_the_machine_the_release_that_ran_last_is_started() {
    let root = root();
    let dir = directory(&root);
    let mut sup = root.supervisor().args([&dir]).start();
    sup.wait_up("web");
    root.write("web/hooks/run.sh", "#!/bin/sh\n{{#if cfg.v}}\n");
    wait_condition(&sup, "hooks/run.sh:2:1: {{#if}} is never closed");
    sup.stop();
    let sup = root.supervisor().start();
    sup.wait_up("web");
    sup.wait_log("the former release, is started instead");
    wait_condition(&sup, "web/hooks/run.sh:2:1: {{#if}} is never closed");
}

#[test]
fn a_spec_that_cannot_be_started_leaves_the_process_alone() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.spec("web", "ident = \"acme/web\"\nbinds = [\"db:pg.default\"]\n");
    wait_condition(&sup, "keeps running");
    assert_eq!(sup.wait_up("web"), pid);
    root.spec("web", "ident = \"acme/web\"\nshutdown_timeout = 3\n");
    wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    let health = sup.get(HEALTH).json();
    assert_eq!(health["stderr"], "");
}

#[test]
fn a_broken_user_toml_does_not_keep_a_crashed_service_down() {
    let root = root_with_web(&[("config/c", "v={{cfg.v}}\n"), ("default.toml", "v = 1\n")]);
    root.write("hab/user/web/config/user.toml", "v = 2\n");
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.write("hab/user/web/config/user.toml", "v = = 2\n");
    sup.wait_log("user.toml:1:5: ");
    kill(pid, rustix::process::Signal::KILL);
    wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    assert_eq!(root.read("hab/svc/web/config/c"), "v=2\n");
    wait_condition(&sup, "user.toml:1:5: ");
    root.write("hab/user/web/config/user.toml", "v = 3\n");
    sup.wait_json(HEALTH, |health| health["stderr"] == "");
}

/// The reason in `svc check`.
fn check(sup: &Supervisor) -> String {
    let output = sup.hab(["svc", "check", "--url", &format!("http://{}", sup.http), "web"]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same with a new Supervisor, after everything was killed, and with the service on the command
/// line.
#[test]
fn a_broken_user_toml_costs_the_service_nothing_at_a_restart_either() {
    let root = root_with_web(&[("config/c", "v={{cfg.v}}\n"), ("default.toml", "v = 1\n")]);
    let user = "hab/user/web/config/user.toml";
    let copy = "hab/sup/default/user/web.toml";
    root.write(user, "v = 2\n");
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    testkit::wait_for("the copy", || root.join(copy).exists().then_some(()));
    root.write(user, "v = = 3\n");
    wait_condition(&sup, "user.toml:1:5: ");
    // Only the Supervisor: the process keeps running.
    let old = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(old, rustix::process::Signal::KILL).expect("it lives");
    testkit::wait_for("a new one", || sup.supervisor_pid().filter(|pid| *pid != old));
    wait_condition(&sup, "user.toml:1:5: ");
    assert_eq!(sup.wait_up("web"), pid);
    // Everything, like a power failure.
    let supervisor = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero().get();
    for process in [sup.launcher_pid().as_raw_nonzero().get(), supervisor, pid] {
        kill(process, rustix::process::Signal::KILL);
    }
    drop(sup);
    let sup = root.supervisor().args(["acme/web"]).start();
    wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    assert_eq!(root.read("hab/svc/web/config/c"), "v=2\n");
    wait_condition(&sup, "user.toml:1:5: ");
    let said = check(&sup);
    assert!(said.starts_with("WARNING") && said.contains("until that is corrected"), "{said}");
    // The user who loads it can repair it.
    let ctl = sup.ctl.to_string();
    let load = sup.hab(["svc", "load", "--force", "acme/web", "--remote-sup", &ctl]);
    assert!(!load.status.success(), "{load:?}");
    assert!(String::from_utf8_lossy(&load.stderr).contains("user.toml:1:5: "), "{load:?}");
    root.write(user, "v = 3\n");
    sup.wait_json("/services/web/default/config", |cfg| cfg["v"] == 3);
    sup.wait_json(HEALTH, |health| health["stderr"] == "");
    testkit::wait_for("the copy", || (root.read(copy) == "v = 3\n").then_some(()));
    let unload = sup.hab(["svc", "unload", "acme/web", "--remote-sup", &ctl]);
    assert!(unload.status.success(), "{unload:?}");
    testkit::wait_for("no copy", || (!root.join(copy).exists()).then_some(()));
}

#[test]
fn a_start_that_names_a_broken_directory_runs_what_ran_before_and_all_others() {
    let root = root_with_web(&[]);
    root.write("app/hooks/run.sh", RUN);
    let args = [root.join("app").display().to_string(), "acme/web".into()];
    let mut sup = root.supervisor().args(args.clone()).start();
    sup.wait_up("app");
    sup.wait_up("web");
    assert_eq!(sup.stop(), 0);
    root.write("app/hooks/run.sh", "#!/bin/sh\n{{#if cfg.v}}\n");
    let sup = root.supervisor().args(args).start();
    sup.wait_up("app");
    sup.wait_up("web");
    sup.wait_json("/services/app/default/health", |health| {
        let stderr = health["stderr"].as_str().unwrap_or_default();
        stderr.contains("app/hooks/run.sh:2:1: {{#if}} is never closed")
    });
}

#[test]
fn a_reconfigure_hook_that_hangs_is_ended_and_the_next_change_is_delivered() {
    let hook = "#!/bin/sh\ncat {{pkg.svc_config_path}}/c\n\
                [ -e {{pkg.svc_data_path}}/once ] && exit 0\n\
                touch {{pkg.svc_data_path}}/once\nsleep 100000\n";
    let root = root_with_web(&[
        ("hooks/reconfigure", hook),
        ("config/c", "v={{cfg.v}}\n"),
        ("default.toml", "v = 0\n"),
    ]);
    let sup = root.supervisor().env("HAB_RECONFIGURE_TIMEOUT_SECS", "1").args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.write("hab/user/web/config/user.toml", "v = 1\n");
    sup.wait_log("Modified configuration file");
    root.write("hab/user/web/config/user.toml", "v = 2\n");
    sup.wait_log("(HK): reconfigure ran longer than 1 secs and was stopped");
    sup.wait_json("/services/web/default/config", |cfg| cfg["v"] == 2);
    sup.wait_log("hook[reconfigure]: v=2");
    assert_eq!(sup.wait_up("web"), pid);
}

/// A service knows best how long its hooks take, and it counts before what holds for all.
#[test]
fn a_directory_states_how_long_its_hooks_may_run() {
    let root = root();
    directory(&root);
    root.write("web/hooks/init", "#!/bin/sh\nsleep 100000\n");
    root.write("web/roost.toml", "[hook_timeouts]\ninit = 1\nnosuch = 3\n");
    let dir = root.join("web").display().to_string();
    let refused = root.supervisor().args([&dir]).spawn().wait_exit();
    assert_ne!(refused, 0);
    root.write("web/roost.toml", "[hook_timeouts]\ninit = 1\n");
    let sup = root.supervisor().env("HAB_INIT_TIMEOUT_SECS", "1000").args([&dir]).start();
    sup.wait_log("web.default(HK): init ran longer than 1 secs and was ");
    root.write("web/hooks/init", "#!/bin/sh\nexit 0\n");
    sup.wait_up("web");
}
