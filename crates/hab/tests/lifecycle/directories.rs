//! Plain directories: followed, reverted, switched, removed.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use testkit::{Root, Supervisor};

use super::{is_up, pid_of, root};

/// A service directory whose program prints a word.
fn directory(root: &Root, path: &str, word: &str) -> PathBuf {
    root.write(&format!("{path}/hooks/run"), &run(word));
    root.join(path)
}

fn run(word: &str) -> String {
    format!("#!/bin/sh\necho the word is {word}\nexec sleep 100000\n")
}

fn service(sup: &Supervisor, name: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> String {
    let found = sup.wait_json(&format!("/services/{name}/default"), wanted);
    found["pkg"]["release"].as_str().unwrap_or_default().to_owned()
}

fn succeeds(sup: &Supervisor, args: &[&str]) {
    let ctl = sup.ctl.to_string();
    let output = sup.hab(args.iter().copied().chain(["--remote-sup", &ctl]));
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn a_loaded_directory_is_followed_also_by_the_next_supervisor() {
    let root = root();
    let dir = directory(&root, "src/web", "one");
    let mut sup = root.supervisor().start();
    succeeds(&sup, &["svc", "load", dir.to_str().unwrap()]);
    sup.wait_log("the word is one");
    // Trying a template changes nothing.
    let pid = sup.wait_up("web");
    let mut render = sup.command(["plan", "render", "hooks/run", "-d", "none.toml", "--print"]);
    fs::write(dir.join("none.toml"), "").unwrap();
    sup.wait_log("none.toml has changed");
    let before = service(&sup, "web", |web| is_up(web) && pid_of(web) != pid);
    let output = render.current_dir(&dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let elsewhere = ["plan", "render", "hooks/run", "-d", "none.toml", "-r", "out"];
    let output = sup.command(elsewhere).current_dir(&dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(dir.join("results/run").is_file() && dir.join("out/run").is_file());
    fs::write(dir.join("hooks/run"), run("two")).unwrap();
    sup.wait_log("the word is two");
    let after = service(&sup, "web", is_up);
    let stamp = |release: &str| release.parse::<u64>().unwrap();
    assert!(stamp(&after) > stamp(&before));
    let log = sup.log();
    assert!(!log.contains("results") && !log.contains("out/run"), "{log}");
    assert_eq!(log.matches("Restarting local/web").count(), 2, "{log}");

    // A new Supervisor of the same launcher, which reattaches to the service.
    let pid = sup.wait_up("web");
    succeeds(&sup, &["sup", "restart"]);
    sup.wait_log_times("Starting http-gateway", 2);
    assert_eq!(sup.wait_up("web"), pid, "it was not touched");
    fs::write(dir.join("hooks/run"), run("three")).unwrap();
    sup.wait_log("the word is three");

    // As after a reboot; the directory has changed in the meantime.
    assert_eq!(sup.stop(), 0);
    fs::write(dir.join("hooks/run"), run("four")).unwrap();
    let sup = root.supervisor().start();
    sup.wait_log("the word is four");
    fs::write(dir.join("hooks/run"), run("five")).unwrap();
    sup.wait_log("the word is five");
    succeeds(&sup, &["svc", "unload", "local/web", "--wait"]);
    let kept = fs::read_dir(root.join("hab/sup/default/directories")).unwrap().count();
    assert_eq!(kept, 0, "forgotten with its service");
}

#[test]
fn a_service_stays_at_the_release_that_it_was_loaded_with() {
    let root = root();
    let dir = directory(&root, "src/web", "one");
    let sup = root.supervisor().args([&dir]).start();
    sup.wait_log("the word is one");
    let first = service(&sup, "web", is_up);
    fs::write(dir.join("hooks/run"), run("two")).unwrap();
    sup.wait_log("the word is two");
    let former = format!("local/web/0.1.0/{first}");
    succeeds(&sup, &["svc", "load", &former, "--force"]);
    sup.wait_log_times("the word is one", 2);
    let pid = sup.wait_up("web");
    fs::write(dir.join("hooks/run"), run("three")).unwrap();
    sup.wait_log(&format!("web stays at {former}, which it was loaded with"));
    assert_eq!(sup.wait_up("web"), pid);
    succeeds(&sup, &["svc", "load", "--force", dir.to_str().unwrap()]);
    sup.wait_log("the word is three");
}

#[test]
fn a_directory_that_cannot_become_a_release_is_a_condition_of_its_service() {
    let root = root();
    let dir = directory(&root, "src/web", "one");
    fs::write(dir.join("hooks/health-check"), "#!/bin/sh\necho fine\n").unwrap();
    let sup = root.supervisor().args([&dir]).start();
    sup.wait_log("the word is one");
    sup.wait_json("/services/web/default/health", |health| health["status"] == "OK");
    let first = service(&sup, "web", is_up);
    let pid = sup.wait_up("web");
    let shown = |place: &str, args: &[&str]| {
        let output = sup.hab(args);
        (output.status.code(), format!("{place}: {}", String::from_utf8_lossy(&output.stdout)))
    };
    let ctl = sup.ctl.to_string();
    let url = format!("http://{}", sup.http);
    let check = || shown("check", &["svc", "check", "web", "--url", &url]);
    let plan = dir.join("plan.sh");
    let condition = "src/web/plan.sh:2: ";
    let refused = || {
        let reason = |v1: &serde_json::Value| v1["why"].as_str().map(str::to_owned);
        let has_it = |v1: &serde_json::Value| reason(v1).is_some_and(|why| why.contains(condition));
        let v1 = sup.wait_json("/v1/services/web.default", has_it);
        assert_eq!((&v1["state"], &v1["health"]), (&"up".into(), &"ok".into()), "{v1}");
        assert_eq!(v1["reason"]["code"], "config_error");
        for format in ["wide", "json", "yaml"] {
            let args = ["svc", "status", "--format", format, "--remote-sup", &ctl];
            let (code, text) = shown(format, &args);
            assert!(code == Some(0) && text.contains(condition), "{text}");
        }
        let (code, text) = check();
        assert!(code == Some(1) && text.contains("WARNING: web.default - "), "{text}");
        assert!(text.contains(condition), "{text}");
        assert_eq!(sup.wait_up("web"), pid);
    };
    let is_over = |v1: &serde_json::Value| v1["reason"].is_null() && v1["health"] == "ok";
    fs::write(&plan, "pkg_name=web\npkg_svc_user=$(id -un)\n").unwrap();
    refused();
    // The directory has the running content again.
    fs::remove_file(&plan).unwrap();
    sup.wait_json("/v1/services/web.default", is_over);
    let (code, text) = check();
    assert!(code == Some(0) && text.contains("OK: web.default - fine"), "{text}");
    assert_eq!(sup.wait_up("web"), pid);

    // A reverted change resolves it too.
    fs::write(&plan, "pkg_name=web\npkg_svc_user=$(id -un)\n").unwrap();
    refused();
    let former = format!("local/web/0.1.0/{first}");
    succeeds(&sup, &["svc", "load", &former, "--force"]);
    fs::write(dir.join("hooks/run"), run("two")).unwrap();
    fs::remove_file(&plan).unwrap();
    sup.wait_log(&format!("web stays at {former}, which it was loaded with"));
    sup.wait_json("/v1/services/web.default", is_over);
}

#[test]
fn a_switched_link_is_a_change_of_the_service_that_is_named_after_it() {
    let root = root();
    directory(&root, "app/releases/101", "one");
    directory(&root, "app/releases/102", "two");
    let link = root.join("app/current");
    symlink("releases/101", &link).unwrap();
    let sup = root.supervisor().args([&link]).start();
    sup.wait_log("current.default(O): the word is one");
    let next = root.join("app/next");
    symlink("releases/102", &next).unwrap();
    fs::rename(&next, &link).unwrap();
    sup.wait_log("current.default(O): the word is two");
    // The fault is reported, and the service keeps running.
    let pid = sup.wait_up("current");
    fs::rename(root.join("app/releases/102"), root.join("app/away")).unwrap();
    sup.wait_log("app/current: No such file or directory");
    sup.wait_log("current goes on with local/current/0.1.0/");
    fs::rename(root.join("app/away"), root.join("app/releases/102")).unwrap();
    sup.wait_log("app/current can be read again");
    assert_eq!(sup.wait_up("current"), pid);
}

#[test]
fn a_directory_that_is_gone_or_broken_costs_a_start_nothing() {
    let root = root();
    let dir = directory(&root, "src/web", "one");
    let other = directory(&root, "src/other", "fine");
    let args = [&dir, &other];
    let mut sup = root.supervisor().args(args).start();
    sup.wait_log("web.default(O): the word is one");
    assert_eq!(sup.stop(), 0);
    fs::rename(&dir, root.join("src/away")).unwrap();
    let mut sup = root.supervisor().args(args).start();
    sup.wait_log("src/web: No such file or directory");
    sup.wait_log("web.default(O): the word is one");
    sup.wait_log("other.default(O): the word is fine");
    fs::rename(root.join("src/away"), &dir).unwrap();
    fs::write(dir.join("hooks/run"), run("two")).unwrap();
    sup.wait_log("web.default(O): the word is two");
    assert_eq!(sup.stop(), 0);
    fs::write(dir.join("roost.toml"), "name = ").unwrap();
    let sup = root.supervisor().args(args).start();
    sup.wait_log("src/web/roost.toml:1: ");
    sup.wait_log("web.default(O): the word is two");
    // A directory that was never loaded is an error reported immediately.
    let output = sup.command(["svc", "load", root.join("src/none").to_str().unwrap()]).output();
    assert!(!output.unwrap().status.success());
}
