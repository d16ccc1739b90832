//! Death of the Supervisor, of its launcher, of services, in every combination.

use rustix::process::Signal;
use testkit::wait_for;

use crate::{is_up, kill, lives, pid_of, root_with_web, wait_web, web};

/// A health check that reports its number of runs, to distinguish a new one from a kept one.
const CHECK: &str = "#!/bin/sh\necho checked\nexit 1\n";

#[test]
fn a_killed_supervisor_leaves_services_alone_and_takes_them_back() {
    let root =
        root_with_web(&[("hooks/health-check", CHECK), ("hooks/init", "#!/bin/sh\necho init\n")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let first = sup.wait_up("web");
    kill(first, Signal::KILL);
    let before = wait_web(&sup, |service| {
        is_up(service) && service["restart_count"] == 1 && service["health_check"] == "Warning"
    });
    let old = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(old, Signal::KILL).expect("it lives");
    wait_for("a new Supervisor", || sup.supervisor_pid().filter(|pid| *pid != old));
    sup.wait_log("Reattaching to web.default");
    let after = wait_web(&sup, |service| service["health_check"] == "Warning");
    for key in ["process", "restart_count", "last_process_state", "initialized"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert!(lives(pid_of(&before)));
    assert_eq!(
        sup.log().matches("(HK): hook[init]: init").count(),
        2,
        "init ran for each start only"
    );
}

#[test]
fn hooks_are_ended_when_the_supervisor_dies_so_that_no_init_runs_twice() {
    let init = "#!/bin/sh\necho $$ >> {{pkg.svc_data_path}}/inits\nexec sleep 100000\n";
    let root = root_with_web(&[("hooks/init", init)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pids = || -> Vec<i32> {
        let text = root.read("hab/svc/web/data/inits");
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    let first = wait_for("the first init", || pids().first().copied());
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    wait_for("the second init", || pids().get(1).copied());
    assert!(!lives(first), "the first init was ended before the second began");
}

#[test]
fn a_service_that_dies_while_no_supervisor_runs_is_started_again_and_counted() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    // Paused, it notices nothing; then it is killed.
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
    kill(pid, Signal::KILL);
    wait_for("the end of the service", || (!lives(pid)).then_some(()));
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    let service = wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
    assert_eq!(service["restart_count"], 1);
    assert_eq!(service["last_process_state"]["pid"], pid);
}

#[test]
fn a_service_that_survived_everything_is_stopped_before_it_is_started_anew() {
    let run = "#!/bin/sh
echo $$ >> {{pkg.svc_data_path}}/runs
trap '' TERM
trap 'echo $$ got INT > {{pkg.svc_data_path}}/ended; exit' INT
while :; do sleep 0.1; done
";
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_SIGNAL", "INT")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let survivor = sup.wait_up("web");
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    // Both at once, so that neither can clean up.
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
    rustix::process::kill_process(sup.launcher_pid(), Signal::KILL).expect("it lives");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    drop(sup);
    assert!(lives(survivor));
    let sup = root.supervisor().start();
    let service = wait_web(&sup, |service| is_up(service) && pid_of(service) != survivor);
    assert!(!lives(survivor), "never two copies");
    assert_eq!(root.read("hab/svc/web/data/ended"), format!("{survivor} got INT\n"));
    let both = [survivor.to_string(), pid_of(&service).to_string()];
    wait_for("the second run", || {
        (root.read("hab/svc/web/data/runs").lines().collect::<Vec<_>>() == both).then_some(())
    });
}

/// Everything is killed at once except a worker of the service: the worker is stopped, `post-stop`
/// runs for the old run, then the service starts again.
#[test]
fn after_a_catastrophe_workers_are_ended_and_post_stop_runs_before_the_next_start() {
    for with_worker in [true, false] {
        let run = "#!/bin/sh\necho run >> {{pkg.svc_data_path}}/log\n\
                   sh -c 'echo $$ > {{pkg.svc_data_path}}/worker; while :; do sleep 0.1; done' &\n\
                   wait\n";
        let post_stop = "#!/bin/sh\necho post-stop >> {{pkg.svc_data_path}}/log\n";
        let root = root_with_web(&[("hooks/run", run), ("hooks/post-stop", post_stop)]);
        let sup = root.supervisor().args(["acme/web"]).start();
        let pid = sup.wait_up("web");
        let worker = || root.read("hab/svc/web/data/worker").trim().parse::<i32>().ok();
        let first = wait_for("the worker", worker);
        let supervisor = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero().get();
        let launcher = sup.launcher_pid().as_raw_nonzero().get();
        let all = [launcher, supervisor, pid, first];
        let doomed = if with_worker { &all[..3] } else { &all[..] };
        for signal in [Signal::STOP, Signal::KILL] {
            doomed.iter().for_each(|pid| kill(*pid, signal));
        }
        drop(sup);
        wait_for("their end", || (!doomed.iter().any(|pid| lives(*pid))).then_some(()));
        assert_eq!(lives(first), with_worker);
        let sup = root.supervisor().start();
        wait_web(&sup, |service| is_up(service) && pid_of(service) != pid);
        let log = wait_for("the second run", || {
            Some(root.read("hab/svc/web/data/log")).filter(|log| log.matches("run").count() == 2)
        });
        assert_eq!(log, "run\npost-stop\nrun\n");
        assert!(!lives(first), "never two workers");
    }
}

/// A Supervisor that dies while `post-stop` runs leaves it to the next one, whatever the desired
/// state of the service then.
#[test]
fn a_post_stop_that_was_cut_off_is_run_again_by_the_next_supervisor() {
    let post_stop = "#!/bin/sh\necho began >> {{pkg.svc_data_path}}/log\n\
                     until [ -e {{pkg.svc_data_path}}/go ]; do sleep 0.05; done\n\
                     echo done >> {{pkg.svc_data_path}}/log\n";
    let root = root_with_web(&[("hooks/post-stop", post_stop)]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let output = sup.hab(["svc", "stop", "acme/web", "-r", &sup.ctl.to_string()]);
    assert!(output.status.success(), "{output:?}");
    let log = || root.read("hab/svc/web/data/log");
    wait_for("the hook", || (log() == "began\n").then_some(()));
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    wait_for("the hook again", || (log() == "began\nbegan\n").then_some(()));
    root.write("hab/svc/web/data/go", "");
    wait_for("its end", || (log() == "began\nbegan\ndone\n").then_some(()));
    assert!(sup.log().contains("Cleaning up after web.default"), "{}", sup.log());
    // Once is enough.
    wait_web(&sup, |service| service["process"]["state"] == "down");
    let ended = || sup.get("/v1/services/web.default").json()["state"] == "down";
    wait_for("the end of the stop", || ended().then_some(()));
    let old = sup.supervisor_pid();
    sup.signal(Signal::HUP);
    wait_for("a new Supervisor", || sup.supervisor_pid().filter(|pid| Some(*pid) != old));
    sup.wait_log_times("Starting http-gateway", 3);
    wait_web(&sup, |service| service["desired_state"] == "Down" && !is_up(service));
    assert_eq!(sup.log().matches("Cleaning up after").count(), 1, "{}", sup.log());
}

/// The spec is removed, by a command or by hand, and the Supervisor dies before the end.
#[test]
fn post_stop_of_a_service_that_was_unloaded_meanwhile_is_run_by_the_next_supervisor() {
    let post_stop = "#!/bin/sh\necho began >> {{pkg.svc_data_path}}/log\n\
                     until [ -e {{pkg.svc_data_path}}/go ]; do sleep 0.05; done\n\
                     echo done >> {{pkg.svc_data_path}}/log\n";
    for by_command in [true, false] {
        let root = root_with_web(&[("hooks/post-stop", post_stop), ("BINDS", "db=port\n")]);
        let relaxed = "binds = [\"db:pg.default\"]\nbinding_mode = \"relaxed\"\n";
        root.spec("web", &format!("ident = \"acme/web\"\n{relaxed}"));
        let sup = root.supervisor().start();
        let pid = sup.wait_up("web");
        let supervisor = sup.supervisor_pid().expect("a Supervisor");
        let log = || std::fs::read_to_string(root.join("hab/svc/web/data/log")).unwrap_or_default();
        if by_command {
            let output = sup.hab(["svc", "unload", "acme/web", "-r", &sup.ctl.to_string()]);
            assert!(output.status.success(), "{output:?}");
            wait_for("the hook", || (log() == "began\n").then_some(()));
        } else {
            rustix::process::kill_process(supervisor, Signal::STOP).expect("it lives");
            std::fs::remove_file(root.join("hab/sup/default/specs/web.spec")).expect("the spec");
        }
        rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
        let before = if by_command { "began\n" } else { "" };
        wait_for("the hook of the next one", || {
            (log() == format!("{before}began\n")).then_some(())
        });
        assert!(!lives(pid));
        root.write("hab/svc/web/data/go", "");
        wait_for("its end", || (log() == format!("{before}began\ndone\n")).then_some(()));
        sup.wait_log_times("Starting http-gateway", 2);
        sup.wait_json("/services", |services| services.as_array().is_some_and(Vec::is_empty));
    }
}

#[test]
fn a_supervisor_whose_launcher_dies_stops_its_services_their_own_way_and_ends() {
    let run = "#!/bin/sh\ntrap '' TERM\ntrap 'echo INT >{{pkg.svc_data_path}}/ended; exit' INT\nwhile :; do sleep 0.1; done\n";
    let root = root_with_web(&[("hooks/run", run), ("SHUTDOWN_SIGNAL", "INT")]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let supervisor = sup.supervisor_pid().expect("a Supervisor").as_raw_nonzero().get();
    rustix::process::kill_process(sup.launcher_pid(), Signal::KILL).expect("it lives");
    wait_for("the end of both", || (!lives(pid) && !lives(supervisor)).then_some(()));
    assert!(sup.log().contains("Supervisor shutting down due to launcher exit"), "{}", sup.log());
    assert_eq!(root.read("hab/svc/web/data/ended"), "INT\n");
}

#[test]
fn hup_and_restart_keep_services_and_their_state() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let before = web(&sup);
    for round in 1..=2 {
        let old = sup.supervisor_pid();
        if round == 1 {
            sup.signal(Signal::HUP);
        } else {
            let output = sup.hab(["sup", "restart", "-r", &sup.ctl.to_string()]);
            assert!(output.status.success(), "{output:?}");
        }
        sup.wait_log_times("Reattaching to web.default", round);
        wait_for("a new Supervisor", || sup.supervisor_pid().filter(|pid| Some(*pid) != old));
        let after = wait_web(&sup, is_up);
        assert_eq!(pid_of(&after), pid);
        assert_eq!(after["process"], before["process"]);
    }
    assert!(!sup.log().contains("Gracefully departing"), "a restart is not a departure");
}

#[test]
fn an_unloaded_service_does_not_come_back_after_a_restart() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let output = sup.hab(["svc", "unload", "acme/web", "-r", &sup.ctl.to_string()]);
    assert!(output.status.success(), "{output:?}");
    sup.wait_json("/services", |services| *services == serde_json::json!([]));
    // Once is not enough: state lost by one Supervisor is unknown to the next but one.
    for number in 2..=4 {
        sup.signal(Signal::HUP);
        sup.wait_log_times("Starting http-gateway", number);
        sup.wait_json("/services", |services| *services == serde_json::json!([]));
    }
    assert_eq!(sup.log().matches("was successfully loaded").count(), 1, "{}", sup.log());
}

#[test]
fn an_orderly_stop_waits_for_each_service_and_its_post_stop_hook() {
    let run =
        "#!/bin/sh\ntrap 'sleep 1; echo last words; exit 0' TERM\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[("hooks/run", run), ("hooks/post-stop", "#!/bin/sh\necho after\n")]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    assert_eq!(sup.stop(), 0);
    let log = sup.log();
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no '{text}' in:\n{log}"));
    assert!(
        place("last words") < place("(HK): hook[post-stop]: after"),
        "post-stop comes after the process"
    );
    assert!(place("Gracefully departing") < place("last words"));
    assert!(place("(HK): hook[post-stop]: after") < place("Hasta la vista, services."));
    assert!(root.read("hab/svc/web/PID").is_empty() && root.read("hab/launcher/PID").is_empty());
}

/// The launcher does not know the signal and the hooks of a service.
#[test]
fn term_right_after_hup_stops_services_as_their_packages_want() {
    let run = "#!/bin/sh\ntrap 'echo interrupted; exit 0' INT\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[
        ("hooks/run", run),
        ("hooks/post-stop", "#!/bin/sh\necho after\n"),
        ("SHUTDOWN_SIGNAL", "INT"),
    ]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    sup.signal(Signal::HUP);
    sup.signal(Signal::TERM);
    assert_eq!(sup.wait_exit(), 0);
    let log = sup.log();
    for text in ["interrupted", "Service gracefully terminated", "(HK): hook[post-stop]: after"] {
        assert!(log.contains(text), "no '{text}' in:\n{log}");
    }
    assert!(!log.contains("Stopping..."), "nothing was left to the launcher:\n{log}");
}

#[test]
fn a_supervisor_that_dies_while_it_stops_services_is_started_again_for_that() {
    let run = "#!/bin/sh\ntrap 'while [ ! -e {{pkg.svc_data_path}}/end ]; do sleep 0.05; done; \
               exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done\n";
    let root = root_with_web(&[
        ("hooks/run", run),
        ("hooks/post-stop", "#!/bin/sh\necho after\n"),
        ("SHUTDOWN_TIMEOUT", "1000"),
    ]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_log("(O): ready");
    sup.signal(Signal::TERM);
    sup.wait_log("Terminating service");
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    sup.wait_log_times("Terminating service", 2);
    root.write("hab/svc/web/data/end", "");
    assert_eq!(sup.wait_exit(), 0);
    assert!(sup.log().contains("(HK): hook[post-stop]: after"), "{}", sup.log());
}

#[test]
fn a_signal_of_the_terminal_that_also_meets_the_supervisor_ends_everything_in_order() {
    let root = root_with_web(&[("hooks/post-stop", "#!/bin/sh\necho after\n")]);
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    let supervisor = sup.supervisor_pid().expect("it runs").as_raw_nonzero().get();
    for signal in [Signal::QUIT, Signal::TERM, Signal::INT] {
        kill(supervisor, signal);
    }
    sup.signal(Signal::INT);
    assert_eq!(sup.wait_exit(), 0);
    let log = sup.log();
    for text in
        ["Gracefully departing", "Service gracefully terminated", "(HK): hook[post-stop]: after"]
    {
        assert!(log.contains(text), "no '{text}' in:\n{log}");
    }
}

#[test]
fn a_supervisor_without_services_ends_at_once_with_code_zero() {
    let root = crate::root();
    let mut sup = root.supervisor().start();
    assert_eq!(sup.stop(), 0);
    assert!(sup.log().ends_with("hab-launch(SV): Hasta la vista, services.\n"), "{}", sup.log());
}
