//! Acknowledged changes are on disk, in an order that survives a power failure.

use std::{fs, process::Output};

use testkit::{Root, Supervisor, skip};

use crate::{disk::SmallDisk, root_with_web, wait_web};

const FILES: &[(&str, &str)] = &[("default.toml", "v = 1\n"), ("config/v.txt", "{{cfg.v}}")];

fn apply(sup: &Supervisor, root: &Root, version: &str, config: &str) -> Output {
    root.write("applied.toml", config);
    let file = root.join("applied.toml").display().to_string();
    sup.hab(["config", "apply", "web.default", version, &file, "-r", &sup.ctl.to_string()])
}

fn upload(sup: &Supervisor, root: &Root) -> Output {
    root.write("motd", "hello\n");
    let file = root.join("motd").display().to_string();
    sup.hab(["file", "upload", "web.default", "1", &file, "-r", &sup.ctl.to_string()])
}

#[test]
fn what_a_full_disk_does_not_take_is_refused_and_has_no_effect() {
    let root = root_with_web(FILES);
    let Some(disk) = SmallDisk::below(&root) else { return };
    let mut sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_up("web");
    disk.fill();
    let depart = ["sup", "depart", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"];
    let depart = || sup.hab(depart.into_iter().chain(["-r", &sup.ctl.to_string()]));
    for refused in [apply(&sup, &root, "1", "v = 2\n"), upload(&sup, &root), depart()] {
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("No space left on device"), "{said}");
    }
    assert_eq!(sup.get("/services/web/default/config").json()["v"], 1);
    assert_eq!(sup.get("/butterfly").json()["departure"]["list"], serde_json::json!({}));
    disk.empty();
    assert!(apply(&sup, &root, "1", "v = 2\n").status.success());
    assert!(upload(&sup, &root).status.success());
    // Not even a moment later.
    root.lose_power();
    let _ = sup.wait_exit();
    let sup = root.supervisor().in_place_of(&sup).start();
    sup.wait_json("/services/web/default/config", |config| config["v"] == 2);
    testkit::wait_for("the file", || fs::read(root.join("hab/svc/web/files/motd")).ok());
}

/// A system call, as strace shows it.
struct Call<'a>(&'a str);

impl Call<'_> {
    fn is(&self, name: &str) -> bool {
        self.0.starts_with(name) && self.0.contains(" = 0")
    }

    /// Text between `<` and `>`: paths of descriptors.
    fn paths(&self) -> Vec<&str> {
        self.0.split('<').skip(1).filter_map(|part| part.split('>').next()).collect()
    }

    /// Text between quotes: names.
    fn names(&self) -> Vec<&str> {
        self.0.split('"').skip(1).step_by(2).collect()
    }
}

/// Calls in order, of all threads and processes. Interrupted ones are joined.
fn calls(trace: &str) -> Vec<String> {
    let mut begun = std::collections::BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, beginning.to_owned());
        } else if let Some((_, end)) =
            call.strip_prefix("<... ").and_then(|call| call.split_once(" resumed>"))
        {
            calls.push(format!("{}{end}", begun.remove(pid).unwrap_or_default()));
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}

/// Marks of the journal that nothing acknowledged depends on: one that is lost or older in a power
/// failure is not wrong.
const UNSYNCED: [&str; 2] = ["journal.opening", "journal.seen"];

#[test]
fn every_state_file_is_synced_before_its_name_and_every_name_is_synced_too() {
    let has_strace = std::process::Command::new("strace").arg("-V").output();
    if !has_strace.is_ok_and(|output| output.status.success()) {
        return skip("strace is not installed");
    }
    let root = root_with_web(FILES);
    let trace = root.join("trace");
    let traced = "trace=fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat";
    let file = trace.display().to_string();
    // The tracer is the grandchild, so that the launcher is our child.
    let strace = ["strace", "-D", "-f", "-qq", "-y", "-o", &file, "-e", traced];
    let mut sup = root.supervisor().through(strace).start();
    let hab = |args: &[&str]| {
        let ctl = sup.ctl.to_string();
        let output = sup.hab(args.iter().copied().chain(["-r", &ctl]));
        assert!(output.status.success(), "{args:?}: {output:?}");
    };
    hab(&["svc", "load", "acme/web"]);
    wait_web(&sup, crate::is_up);
    hab(&["svc", "stop", "acme/web"]);
    hab(&["svc", "start", "acme/web"]);
    assert!(apply(&sup, &root, "1", "v = 2\n").status.success());
    hab(&["svc", "unload", "acme/web"]);
    assert_eq!(sup.stop(), 0);
    let trace = fs::read_to_string(&trace).expect("a trace");
    let calls = calls(&trace);
    let state = root.join("hab/sup/default").display().to_string();
    let mut written = std::collections::BTreeSet::new();
    let mut removed = 0;
    for (at, call) in calls.iter().enumerate() {
        let call = Call(call);
        let paths = call.paths();
        let below = paths.first().is_some_and(|path| path.starts_with(&state));
        let is_sync = |call: &Call<'_>, of: &str| {
            call.is("fsync") && call.paths().first().is_some_and(|path| *path == of)
        };
        let is_mark = call.names().get(1).is_some_and(|name| UNSYNCED.contains(name));
        if call.is("rename") && below && !is_mark {
            let names = call.names();
            let temporary = format!("{}/{}", paths[0], names[0]);
            let synced = calls[..at].iter().any(|before| is_sync(&Call(before), &temporary));
            assert!(synced, "{} is renamed before it is synced", names[1]);
            let synced = calls[at..].iter().any(|after| is_sync(&Call(after), paths[0]));
            assert!(synced, "the name of {} is not synced", names[1]);
            written.insert(names[1].to_owned());
        }
        // The name is a path here.
        let name = call.names().first().copied().unwrap_or_default().to_owned();
        if call.is("unlink") && name.starts_with(&state) && name.ends_with(".spec") {
            let specs = format!("{state}/specs");
            let next = calls[at + 1..].iter().find(|after| after.contains(&specs));
            assert!(next.is_some_and(|next| is_sync(&Call(next), &specs)), "{next:?}");
            removed += 1;
        }
    }
    let rumors = format!("{}.rst", root.read("hab/sup/default/MEMBER_ID"));
    for file in ["MEMBER_ID", "CTL_SECRET", "INCARNATION", "web.spec", &rumors] {
        assert!(written.contains(file), "{file} was not seen: {written:?}");
    }
    assert_eq!(removed, 1);
}
