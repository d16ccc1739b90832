//! Bad input: a clear message, no effect on other services, no loss.

use crate::{RUN, disk::SmallDisk, is_up, pid_of, root, root_with_web, wait_web, web};

const HEALTH: &str = "/services/web/default/health";

/// The last line of `stderr` in the health of `acme/web` contains the text.
fn wait_reason(sup: &testkit::Supervisor, text: &str) {
    let health = sup.wait_json(HEALTH, |health| {
        health["stderr"].as_str().is_some_and(|stderr| stderr.contains(text))
    });
    assert_eq!(health["status"], "UNKNOWN");
    assert_eq!(sup.get(HEALTH).status(), 500);
}

/// The same for a running service.
fn wait_condition(sup: &testkit::Supervisor, text: &str) {
    sup.wait_json(HEALTH, |health| {
        health["stderr"].as_str().is_some_and(|stderr| stderr.contains(text))
    });
}

#[test]
fn a_broken_config_never_loses_a_service_and_mending_it_is_enough() {
    let root = root_with_web(&[("default.toml", "port = = 1\n")]);
    root.package("acme/other/1.0/20250101000000", &[("hooks/run", RUN)]);
    root.spec("web", "ident = \"acme/web\"\n");
    root.spec("other", "ident = \"acme/other\"\n");
    let sup = root.supervisor().start();
    let other = sup.wait_up("other");
    sup.wait_log("Unable to start acme/web, ");
    wait_reason(&sup, "default.toml:1:8: ");
    let service = web(&sup);
    assert_eq!(service["process"]["state"], "down");
    assert_eq!(service["desired_state"], "Up");
    assert!(root.join("hab/sup/default/specs/web.spec").exists());
    root.write("hab/pkgs/acme/web/1.0.0/20250101000000/default.toml", "port = 1\n");
    wait_web(&sup, is_up);
    assert_eq!(sup.wait_up("other"), other);
    assert_eq!(sup.log().matches("Unable to start acme/web").count(), 1, "logged once");
}

#[test]
fn a_template_that_does_not_parse_names_its_line() {
    let root = root_with_web(&[("config/app.conf", "ok\n{{#if cfg.x}\n")]);
    root.spec("web", "ident = \"acme/web\"\n");
    let sup = root.supervisor().start();
    wait_reason(&sup, "/config/app.conf:2:1: {{#if cfg.x} is not closed: }} is missing");
}

#[test]
fn a_template_that_fails_to_render_leaves_no_half_written_configuration() {
    let root = root_with_web(&[
        ("config/a.conf", "a\n"),
        ("config/b.conf", "{{toUppercase cfg.n}}\n"),
        ("default.toml", "n = 5\n"),
    ]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_log("Failed to compile configuration: ");
    wait_condition(
        &sup,
        "/config/b.conf:1:1: toUppercase needs a text as parameter 1, but it is a number",
    );
    assert!(!root.join("hab/svc/web/config/a.conf").exists());
}

#[test]
fn a_package_that_is_not_installed_starts_as_soon_as_it_is() {
    let root = root();
    root.spec("web", "ident = \"acme/web\"\n");
    let sup = root.supervisor().start();
    wait_reason(&sup, "Cannot find a release of package: acme/web");
    root.package(crate::WEB, &[("hooks/run", RUN)]);
    wait_web(&sup, is_up);
}

#[test]
fn a_user_that_does_not_exist_is_named() {
    if !rustix::process::geteuid().is_root() {
        // A Supervisor that cannot switch users ignores them.
        return;
    }
    let root = root_with_web(&[("SVC_USER", "nobody-of-that-name"), ("SVC_GROUP", "root")]);
    root.spec("web", "ident = \"acme/web\"\n");
    let sup = root.supervisor().start();
    wait_reason(&sup, "Package requires user nobody-of-that-name to exist, but it doesn't");
}

#[test]
fn a_program_that_cannot_be_executed_is_tried_again_and_harms_nobody() {
    let root = root_with_web(&[("hooks/run", "#!/no/such/interpreter-anywhere\n")]);
    root.package("acme/other/1.0/20250101000000", &[("hooks/run", RUN)]);
    root.spec("web", "ident = \"acme/web\"\n");
    root.spec("other", "ident = \"acme/other\"\n");
    let sup = root.supervisor().start();
    let supervisor = sup.supervisor_pid();
    sup.wait_log("Service start failed: ");
    let service = wait_web(&sup, |service| service["restart_count"].as_u64() >= Some(2));
    assert_eq!(service["last_process_state"]["termination_reason"], "run_hook_failed");
    assert!(is_up(&sup.get("/services/other/default").json()));
    assert_eq!(sup.supervisor_pid(), supervisor, "the Supervisor did not crash");
}

#[test]
fn a_corrupt_spec_is_told_once_and_its_service_goes_on() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    root.spec("web", "ident = [not toml");
    sup.wait_log("Error when loading service spec file");
    root.spec("other", "ident = [also not");
    sup.wait_log_times("Error when loading service spec file", 2);
    assert_eq!(pid_of(&web(&sup)), pid);
    assert_eq!(sup.log().matches("specs/web.spec' (").count(), 1, "{}", sup.log());
}

#[test]
fn a_corrupt_member_id_is_refused_and_kept() {
    let root = root();
    root.write("hab/sup/default/MEMBER_ID", "a b/c");
    let mut sup = root.supervisor().spawn();
    assert_eq!(sup.wait_exit(), 86);
    assert!(sup.log().contains("MEMBER_ID is corrupt"), "{}", sup.log());
    assert_eq!(root.read("hab/sup/default/MEMBER_ID"), "a b/c");
}

#[test]
fn a_damaged_rumor_file_is_kept_aside_and_services_run() {
    let root = root_with_web(&[]);
    root.write("hab/sup/default/MEMBER_ID", "0123456789abcdef0123456789abcdef");
    let file = "hab/sup/default/data/0123456789abcdef0123456789abcdef.rst";
    root.write(file, "\u{3}damaged");
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    assert_eq!(root.read(&format!("{file}.corrupt")), "\u{3}damaged");
}

#[test]
fn a_full_disk_stops_nothing_that_runs() {
    let root = root_with_web(&[("hooks/health-check", "#!/bin/sh\necho fine\n")]);
    let Some(disk) = SmallDisk::below(&root) else { return };
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    sup.wait_json("/v1/supervisor", |shown| {
        let conditions = shown["conditions"].as_array().expect("a list");
        let low = conditions.iter().find(|condition| condition["type"] == "disk_low");
        low.is_some_and(|low| low["status"] == "warn")
    });
    disk.fill();
    let output = sup.hab(["svc", "stop", "acme/web", "-r", &sup.ctl.to_string()]);
    assert!(!output.status.success(), "a spec that cannot be stored is a failure: {output:?}");
    assert_eq!(pid_of(&web(&sup)), pid);
    sup.wait_json(HEALTH, |health| health["status"] == "OK");
    disk.empty();
    let output = sup.hab(["svc", "stop", "acme/web", "-r", &sup.ctl.to_string()]);
    assert!(output.status.success(), "{output:?}");
    wait_web(&sup, |service| service["process"]["state"] == "down");
}

#[test]
fn requests_for_random_paths_add_no_series() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let series =
        || sup.get("/metrics").text().matches("hab_sup_http_gateway_requests_total{").count();
    for number in 0..3 {
        assert_eq!(sup.get(&format!("/nope/{number}")).status(), 404);
    }
    let before = series();
    for number in 0..200 {
        assert_eq!(sup.get(&format!("/services/x{number}/default")).status(), 404);
    }
    assert_eq!(series(), before);
}
