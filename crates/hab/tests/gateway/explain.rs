//! Why a service is as it is: each cause on a real service that is broken in that way.

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use testkit::{Root, Supervisor};

use super::{RUN, Said, ok, root, root_with_web};

#[test]
fn a_stopped_service_names_the_command_that_stopped_it_also_after_the_supervisor() {
    let root = root_with_web();
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    ok(&sup, &["svc", "stop", "acme/web"]);
    let path = "/v1/services/web.default/explain";
    let by = "it was stopped by hab svc stop acme/web from 127.";
    let is_named = |said: &Value| {
        let step = &said["chain"][0];
        step["code"] == "desired_down"
            && step["message"].as_str().is_some_and(|message| message.starts_with(by))
    };
    let said = sup.wait_json(path, is_named);
    assert!(said["answer"].as_str().is_some_and(|answer| answer.contains(by)), "{said:#}");
    let former = sup.supervisor_pid().expect("a Supervisor");
    let journal = root.join("hab/sup/default/journal.redb");
    testkit::wait_for("the journal", || {
        let bytes = std::fs::read(&journal).ok()?;
        bytes.windows(8).any(|part| part == b"svc stop").then_some(())
    });
    kill_process(former, Signal::KILL).expect("killed");
    testkit::wait_for("another Supervisor", || sup.supervisor_pid().filter(|pid| *pid != former));
    sup.wait_json(path, is_named);

    // Started and stopped by its spec: no command did that.
    let spec = root.read("hab/sup/default/specs/web.spec");
    root.spec("web", &spec.replace("\"down\"", "\"up\""));
    sup.wait_up("web");
    root.spec("web", &spec);
    sup.wait_json(path, |said| said["chain"][0]["message"] == "it was stopped");
}

/// A service that is broken.
struct Broken {
    name: &'static str,
    /// Files of its package.
    files: &'static [(&'static str, &'static str)],
    /// Lines of its spec.
    spec: &'static str,
    /// The causes that its explanation has, from the effect to the root.
    chain: &'static [&'static str],
    /// What the evidence or the message of the root holds.
    root: &'static str,
    /// What one of the remedies says or types.
    remedy: &'static str,
}

const LED: &str = "topology = \"leader\"\n";

const BROKEN: [Broken; 16] = [
    Broken {
        name: "down",
        files: &[("hooks/run", RUN)],
        spec: "desired_state = \"down\"\n",
        chain: &["desired_down"],
        root: "it was stopped",
        remedy: "hab svc start acme/down",
    },
    Broken {
        name: "waiting",
        files: &[("hooks/run", RUN), ("BINDS", "database=port\n")],
        spec: "binds = [\"database:nowhere.default\"]\n",
        chain: &["waiting_for_binds"],
        root: "database:nowhere.default",
        remedy: "hab svc load ORIGIN/nowhere",
    },
    Broken {
        name: "lacking",
        files: &[("hooks/run", RUN), ("BINDS", "front=colour port\n")],
        spec: "binds = [\"front:fine.default\"]\n",
        chain: &["bind_field_missing"],
        root: "front:fine.default needs colour, port",
        remedy: "Export colour, port from the package of fine.default",
    },
    Broken {
        name: "behind",
        files: &[("hooks/run", RUN), ("BINDS", "front=\n")],
        spec: "binds = [\"front:packageless.default\"]\n",
        chain: &["waiting_for_binds", "package_missing"],
        root: "packageless.default: ",
        remedy: "hab pkg install packageless.hart",
    },
    Broken {
        name: "alone",
        files: &[("hooks/run", RUN)],
        spec: LED,
        chain: &["no_quorum"],
        root: "has not met another member of the ring",
        remedy: "hab sup run --peer HOST",
    },
    Broken {
        name: "installing",
        files: &[("hooks/run", RUN), ("hooks/install", "#!/bin/sh\necho no licence >&2\nexit 3\n")],
        spec: "",
        chain: &["backing_off", "install_failed"],
        root: "no licence",
        remedy: "hab svc logs installing --tail 50",
    },
    Broken {
        name: "initless",
        files: &[("hooks/run", RUN), ("hooks/init", "#!/bin/sh\necho no database\nexit 4\n")],
        spec: "",
        chain: &["backing_off", "init_failed"],
        root: "no database",
        remedy: "hab svc stop acme/initless && hab svc start acme/initless",
    },
    Broken {
        name: "startless",
        files: &[("hooks/run", "#!/nosuch/interpreter\n")],
        spec: "",
        chain: &["backing_off", "start_failed"],
        root: "interpreter",
        remedy: "hab/svc/startless/hooks/run",
    },
    Broken {
        name: "crashing",
        files: &[("hooks/run", "#!/bin/sh\necho no port 80 >&2\nexit 3\n")],
        spec: "",
        chain: &["backing_off", "run_exits"],
        root: "no port 80",
        remedy: "hab svc logs crashing --tail 50",
    },
    Broken {
        name: "templated",
        files: &[("hooks/run", "#!/bin/sh\n{{strReplace cfg.nothing}}\n")],
        spec: "",
        chain: &["template_error"],
        root: "hooks/run:2",
        remedy: "Correct the template",
    },
    Broken {
        name: "configured",
        files: &[("hooks/run", RUN), ("default.toml", "port = 1\nport == 2\n")],
        spec: "",
        chain: &["config_error"],
        root: "default.toml:2:7",
        remedy: "Correct what the message names",
    },
    Broken {
        name: "packageless",
        files: &[],
        spec: "",
        chain: &["package_missing"],
        root: "acme/packageless",
        remedy: "hab pkg install packageless.hart",
    },
    Broken {
        name: "hookless",
        files: &[("default.toml", "")],
        spec: "",
        chain: &["package_broken"],
        root: "not runnable",
        remedy: "hab svc unload acme/hookless",
    },
    Broken {
        name: "critical",
        files: &[
            ("hooks/run", RUN),
            ("hooks/health-check", "#!/bin/sh\necho connection refused\nexit 2\n"),
        ],
        spec: "",
        chain: &["health_critical"],
        root: "connection refused",
        remedy: "hab svc check critical",
    },
    Broken {
        name: "puzzled",
        files: &[("hooks/run", RUN), ("hooks/health-check", "#!/bin/sh\necho hm >&2\nexit 3\n")],
        spec: "",
        chain: &["health_unknown"],
        root: "hm",
        remedy: "hab svc check puzzled",
    },
    Broken {
        name: "slow",
        files: &[
            ("hooks/run", RUN),
            ("hooks/health-check", "#!/bin/sh\nexec sleep 1000\n"),
            ("HOOK_TIMEOUTS", "health-check=1\n"),
        ],
        spec: "",
        chain: &["health_timeout"],
        root: "health",
        remedy: "HAB_HEALTH_CHECK_TIMEOUT_SECS",
    },
];

fn ident(name: &str) -> String {
    format!("acme/{name}/1.0.0/20250101000000")
}

/// Loads every broken service, and one that is fine.
fn broken() -> Root {
    let root = root_with_web();
    let fine = Broken { name: "fine", files: &[("hooks/run", RUN)], ..BROKEN[0] };
    for Broken { name, files, spec, .. } in BROKEN.iter().chain([&Broken { spec: "", ..fine }]) {
        if !files.is_empty() {
            root.package(&ident(name), files);
        }
        root.spec(name, &format!("ident = \"acme/{name}\"\n{spec}"));
    }
    root
}

fn explain(sup: &Supervisor, name: &str) -> Value {
    sup.get(&format!("/v1/services/{name}.default/explain")).json()
}

fn codes(explanation: &Value) -> Vec<&str> {
    let chain = explanation["chain"].as_array().map(Vec::as_slice).unwrap_or_default();
    chain.iter().filter_map(|step| step["code"].as_str()).collect()
}

/// Waits for these causes.
fn wait_chain(sup: &Supervisor, name: &str, chain: &[&str]) -> Value {
    sup.wait_json(&format!("/v1/services/{name}.default/explain"), |it| codes(it) == chain)
}

#[test]
fn every_cause_is_found_on_a_service_that_is_broken_in_that_way() {
    let root = broken();
    let sup = root.supervisor().args(["acme/web"]).start();
    for Broken { name, chain, root: wanted, remedy, .. } in &BROKEN {
        let said = wait_chain(&sup, name, chain);
        let last = &said["chain"][chain.len() - 1];
        let text = format!("{} {}", last["message"], last["evidence"]);
        assert!(text.contains(wanted), "{name}: {said:#}");
        assert!(said["remedies"].to_string().contains(remedy), "{name}: {said:#}");
        let answer = said["answer"].as_str().expect("a sentence");
        assert!(
            answer.starts_with(&format!("{name}.default is ")) || answer.contains("cannot start")
        );
        assert!(!answer.contains('\n'), "{answer}");
    }
    let fine = wait_chain(&sup, "fine", &[]);
    let answer = fine["answer"].as_str().expect("a sentence");
    assert!(answer.starts_with("fine.default is up since 20"), "{answer}");
    assert!(answer.ends_with("Z, and has no health check"), "{answer}");
    assert_eq!(fine["remedies"], serde_json::json!([]));
    sup.wait_json("/v1/services/web.default/explain", |it| {
        it["answer"].as_str().is_some_and(|answer| answer.contains(", healthy since 20"))
    });
}

#[test]
fn what_needs_a_situation_of_its_own_is_explained_too() {
    let root = root_with_web();
    let stubborn = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n";
    root.package(&ident("stubborn"), &[("hooks/run", stubborn)]);
    root.package(&ident("placeless"), &[("hooks/run", RUN)]);
    root.write("hab/svc/placeless", "a file where the directory belongs");
    root.package(
        &ident("foreign"),
        &[("hooks/run", RUN), ("SVC_USER", "nosuchuser"), ("SVC_GROUP", "nosuchuser")],
    );
    for name in ["stubborn", "placeless", "foreign"] {
        root.spec(name, &format!("ident = \"acme/{name}\"\n"));
    }
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("stubborn");
    ok(&sup, &["svc", "stop", "--shutdown-timeout", "1000", "acme/stubborn"]);
    let stopping = wait_chain(&sup, "stubborn", &["stopping"]);
    let since = stopping["chain"][0]["since"].as_str().expect("a time").to_owned();
    let up = sup.get("/v1/services/stubborn.default").json();
    assert!(since.as_str() > up["since"].as_str().expect("a time"), "the stop began later");
    ok(&sup, &["svc", "stop", "--shutdown-timeout", "0", "acme/stubborn"]);

    let said = wait_chain(&sup, "placeless", &["directory_error"]);
    assert!(said["chain"][0]["message"].to_string().contains("hab/svc/placeless"), "{said:#}");
    if rustix::process::geteuid().is_root() {
        let said = wait_chain(&sup, "foreign", &["user_missing"]);
        let command = "useradd --system --user-group --no-create-home nosuchuser";
        assert_eq!(said["remedies"][0]["command"], command, "{said:#}");
    }
    // A newer spec that cannot start: what ran goes on.
    root.spec("web", "ident = \"acme/web/2.0.0\"\n");
    let said = wait_chain(&sup, "web", &["not_replaced"]);
    assert!(said["answer"].to_string().contains("web.default is up since"), "{said:#}");
    assert!(said["chain"][0]["message"].to_string().contains("keeps running"), "{said:#}");
}

#[test]
fn redaction_hides_what_processes_printed_from_explanations() {
    let root = broken();
    let sup = root.supervisor().env("HAB_FEAT_REDACT_HTTP", "1").start();
    for (name, chain, secret) in [
        ("crashing", ["backing_off", "run_exits"].as_slice(), "no port 80"),
        ("installing", &["backing_off", "install_failed"], "no licence"),
        ("initless", &["backing_off", "init_failed"], "no database"),
        ("critical", &["health_critical"], "connection refused"),
    ] {
        let said = wait_chain(&sup, name, chain);
        assert!(!said.to_string().contains(secret), "{said:#}");
    }
}

#[test]
fn files_that_do_not_answer_are_named() {
    let root = root();
    root.package(&ident("stuck"), &[("hooks/run", RUN), ("default.toml", "port = 1\n")]);
    let file = root.join(&format!("hab/pkgs/{}/default.toml", ident("stuck")));
    let Some(lease) = testkit::Lease::take(&file) else { return };
    root.spec("stuck", "ident = \"acme/stuck\"\n");
    let sup = root.supervisor().start();
    let said = wait_chain(&sup, "stuck", &["files_not_answering"]);
    assert!(said["answer"].to_string().contains("could not be read"), "{said:#}");
    assert!(said["remedies"].to_string().contains("state D"), "{said:#}");
    drop(lease);
    wait_chain(&sup, "stuck", &[]);
    assert!(explain(&sup, "stuck")["answer"].to_string().contains("is up since"));
}

/// `hab svc why` in this root: exit code, standard output, standard error.
fn why(sup: &Supervisor, args: &[&str]) -> Said {
    Said::from(sup.hab([&["svc", "why"], args].concat()))
}

#[test]
fn the_command_explains_with_and_without_a_supervisor() {
    let root = root_with_web();
    let talks = "#!/bin/sh\necho last words >&2\nexec sleep 100000\n";
    root.package(&ident("talker"), &[("hooks/run", talks)]);
    root.package(&ident("packageless"), &[("default.toml", "")]);
    for name in ["talker", "packageless"] {
        root.spec(name, &format!("ident = \"acme/{name}\"\n"));
    }
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("talker");
    wait_chain(&sup, "packageless", &["package_broken"]);
    let said = why(&sup, &["talker"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(said.stdout.starts_with("talker.default is up since 20"), "{said:?}");
    for name in ["packageless", "acme/packageless", "packageless.default"] {
        let said = why(&sup, &[name]);
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.stdout.starts_with("packageless.default cannot start: "), "{said:?}");
        assert!(said.stdout.contains("  package_broken since 20"), "{said:?}");
        assert!(said.stdout.contains("\n      hab svc unload acme/packageless\n"), "{said:?}");
    }
    let url = format!("http://{}", sup.http);
    let said = why(&sup, &["packageless", "--format", "json", "--url", &url]);
    let document: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!((said.code, codes(&document)), (3, vec!["package_broken"]));
    let said = why(&sup, &["tlaker"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.contains("tlaker is not loaded")
            && said.stderr.contains("Did you mean talker?")
    );
    let said = why(&sup, &["talker", "--url", "http://127.0.0.1:1"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    ok(&sup, &["svc", "stop", "--wait", "acme/web"]);
    let said = why(&sup, &["web"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("web.default is down since"), "{said:?}");

    // It hangs.
    let supervisor = sup.supervisor_pid().expect("a Supervisor");
    kill_process(supervisor, Signal::STOP).expect("it lives");
    let said = why(&sup, &["talker", "--timeout", "1"]);
    assert_eq!(said.code, 3, "{said:?}");
    for text in ["does not answer", "runs, and nothing looks after it", "the launcher (process"] {
        assert!(said.stdout.contains(text), "{text}: {said:?}");
    }
    kill_process(supervisor, Signal::CONT).expect("it lives");
    // Nothing lives any more.
    drop(sup);
    root.lose_power();
    let said = |args: &[&str]| {
        let mut command = std::process::Command::new(root.program());
        command.args([&["svc", "why"], args].concat()).env_clear().env("FS_ROOT", root.path());
        Said::from(command.output().expect("the program starts"))
    };
    let text = said(&["talker"]);
    assert_eq!(text.code, 3, "{text:?}");
    for wanted in ["it is to run, and its process does not run", "    | last words", "hab sup run"]
    {
        assert!(text.stdout.contains(wanted), "{wanted}: {text:?}");
    }
    assert!(said(&["web"]).stdout.contains("its spec has it stopped"));
    std::fs::remove_file(root.join("hab/sup/default/specs/talker.spec")).expect("removed");
    let text = said(&["talker"]);
    assert_eq!(text.code, 1, "{text:?}");
    assert!(text.stderr.contains("'hab svc logs talker' shows them"), "{text:?}");
}

#[test]
fn a_configuration_names_the_layer_of_each_value_and_hides_secrets() {
    let root = root_with_web();
    root.write("hab/user/web/config/user.toml", "colour = \"blue\"\npassword = \"open-sesame\"\n");
    let sup = root.supervisor().args(["acme/web"]).env("HAB_WEB", "health = 0\n").start();
    sup.wait_up("web");
    let path = "/v1/services/web.default/config";
    let of = |document: &Value, key: &str| {
        let values = document["values"].as_array().cloned().unwrap_or_default();
        values.into_iter().find(|it| it["key"] == key).unwrap_or_default()
    };
    let document = sup.wait_json(path, |it| of(it, "colour")["layer"] == "user");
    assert_eq!(of(&document, "colour")["value"], "blue");
    assert_eq!(of(&document, "colour")["layers"], serde_json::json!([]));
    assert_eq!(of(&document, "health")["layer"], "environment");
    let all = sup.get(&format!("{path}?source=all"));
    let layers = &of(&all.json(), "colour")["layers"];
    assert_eq!((&layers[0]["value"], &layers[0]["layer"]), (&"red".into(), &"default".into()));
    let password = of(&all.json(), "password");
    assert_eq!(password["value"], "***");
    assert_eq!(password["hash"].as_str().map(str::len), Some(8));
    assert!(!all.text().contains("open-sesame"), "{}", all.text());
    assert_eq!(sup.get(&format!("{path}?source=some")).status(), 400);
    drop(sup);
    let sup = root.supervisor().args(["acme/web"]).env("HAB_FEAT_REDACT_HTTP", "1").start();
    assert_eq!(sup.get(path).status(), 404);
}
