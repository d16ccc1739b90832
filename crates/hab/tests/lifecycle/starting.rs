//! The start: its log lines, its failures, files that it does not touch.

use std::net::TcpListener;

use testkit::wait_for;

use crate::{is_up, lives, pid_of, root, root_with_web, wait_web, web};

#[test]
fn the_lines_of_a_start_come_in_the_order_that_scripts_wait_for() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    sup.wait_log("Starting http-gateway on");
    let log = sup.log();
    let id = root.read("hab/sup/default/MEMBER_ID");
    let lines = [
        "hab-sup(MR): chef/hab-sup (chef/hab-sup/2.1.78".to_owned(),
        format!("hab-sup(MR): Supervisor Member-ID {id}"),
        "The acme/web service was successfully loaded".into(),
        format!("hab-sup(MR): Starting gossip-listener on {}", sup.gossip),
        format!("hab-sup(MR): Starting ctl-gateway on {}", sup.ctl),
        format!("hab-sup(MR): Starting http-gateway on {}", sup.http),
    ];
    let mut rest = log.as_str();
    for line in lines {
        let at = rest.find(&line).unwrap_or_else(|| panic!("no '{line}' in order in:\n{log}"));
        rest = &rest[at..];
    }
}

#[test]
fn a_second_supervisor_on_one_root_is_refused_and_the_first_goes_on() {
    let root = root_with_web(&[]);
    let sup = root.supervisor().args(["acme/web"]).start();
    let pid = sup.wait_up("web");
    let mut second = root.supervisor().spawn();
    assert_eq!(second.wait_exit(), 86);
    let log = second.log();
    assert!(log.contains("Is another Supervisor process running?"), "{log}");
    assert_eq!(pid_of(&web(&sup)), pid);
    assert!(!root.read("hab/launcher/PID").is_empty(), "the pid file of the first is left alone");
}

#[test]
fn a_taken_http_port_ends_the_start_before_a_service_is_touched() {
    let root = root_with_web(&[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    root.spec("web", "ident = \"acme/web\"\n");
    let sup = root.supervisor().without_http_address();
    let mut sup = sup.args(["--listen-http", &address]).spawn();
    assert_eq!(sup.wait_exit(), 86);
    assert!(sup.log().contains(&format!("Unable to bind to address {address}.")), "{}", sup.log());
    assert!(!root.join("hab/svc/web").exists());
}

#[test]
fn port_zero_shows_the_real_ports() {
    let root = root_with_web(&[("EXPORTS", "")]);
    let sup = root.supervisor().without_http_address();
    let sup = sup.args(["--listen-http", "127.0.0.1:0", "acme/web"]).spawn();
    sup.wait_log("Starting http-gateway on 127.0.0.1:");
    let log = sup.log();
    let port = log.split("Starting http-gateway on 127.0.0.1:").nth(1).unwrap();
    let port: u16 = port.split('\n').next().unwrap().trim().parse().unwrap();
    assert_ne!(port, 0);
    let request = b"GET /services HTTP/1.0\r\n\r\n";
    let services = wait_for("an answer", || {
        testkit::request(([127, 0, 0, 1], port).into(), request).filter(|a| a.status() == 200)
    });
    assert_eq!(services.json()[0]["sys"]["http_gateway_port"], port);
}

#[test]
fn the_api_says_503_until_every_spec_was_read() {
    // A spec directory that is a pipe cannot be listed; the API must report the unknown state.
    let root = root();
    root.write("hab/sup/default/specs/web.spec", "ident = \"acme/nothing-here\"\n");
    let sup = root.supervisor().start();
    // Listed but refused specs count as read.
    assert_eq!(sup.get("/services").status(), 200);
    sup.wait_log("should be called 'nothing-here.spec'");
}

#[test]
fn everything_works_without_root_without_terminal_and_with_an_empty_environment() {
    use std::{os::unix::process::CommandExt, process::Command};
    if !rustix::process::geteuid().is_root() {
        // The other tests act as this test.
        return;
    }
    let root = root();
    let service = root.join("service");
    root.write("service/hooks/run", "#!/bin/sh\nid -u\nexec sleep 100000\n");
    root.write("service/hooks/health-check", "#!/bin/sh\necho fine\n");
    for entry in ["", "service", "service/hooks", "service/hooks/run", "service/hooks/health-check"]
    {
        std::os::unix::fs::chown(root.join(entry), Some(65534), Some(65534)).unwrap();
    }
    // The build directory may be closed to other users.
    let program = root.join("the-program");
    std::fs::copy(root.program(), &program).unwrap();
    let log = std::fs::File::create(root.join("log")).unwrap();
    let mut child = Command::new(&program)
        .args(["sup", "run", "--listen-http", "127.0.0.1:0", "--listen-ctl", "127.0.0.1:0"])
        .args(["--listen-gossip", "127.0.0.1:0"])
        .arg(&service)
        .env_clear()
        .env("FS_ROOT", root.path())
        .uid(65534)
        .gid(65534)
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let port = wait_for("the port", || {
        let text = root.read("log");
        let (_, rest) = text.split_once("Starting http-gateway on 127.0.0.1:")?;
        rest.split_once('\n')?.0.trim().parse::<u16>().ok()
    });
    let health = wait_for("health", || {
        let request = b"GET /services/service/default/health HTTP/1.0\r\n\r\n";
        testkit::request(([127, 0, 0, 1], port).into(), request).filter(|a| a.status() == 200)
    });
    assert_eq!(health.json()["stdout"], "fine\n");
    // The first health check may end before the output of the process is read.
    wait_for("the output", || root.read("log").contains("service.default(O): 65534").then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_plain_directory_runs_and_its_changes_are_picked_up() {
    let root = root();
    root.write("hello/hooks/run", "#!/bin/sh\necho {{cfg.word}}\nexec sleep 100000\n");
    root.write("hello/default.toml", "word = \"one\"\n");
    let sup = root.supervisor().args([root.join("hello")]).start();
    let first = sup.wait_up("hello");
    sup.wait_log("hello.default(O): one");
    root.write("hello/default.toml", "word = \"two\"\n");
    sup.wait_log("hello.default(O): two");
    let path = "/services/hello/default";
    let service = sup.wait_json(path, |service| is_up(service) && pid_of(service) != first);
    assert_eq!(service["last_process_state"]["termination_reason"], "package_updated");
    assert_eq!(service["restart_count"], 0);
    assert!(!lives(first));
}

#[test]
fn a_program_of_a_plain_directory_runs_from_its_release_and_a_new_one_takes_its_place() {
    use std::os::unix::fs::PermissionsExt;
    let root = root();
    let program = |text: &str| {
        // Complete atomically, with its mode.
        root.write("app/.server", &format!("#!/bin/sh\necho {text}\nexec sleep 100000\n"));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root.join("app/.server"), mode).unwrap();
        std::fs::rename(root.join("app/.server"), root.join("app/bin/server")).unwrap();
    };
    root.write("app/bin/data", "x");
    program("one");
    root.write("app/hooks/run", "#!/bin/sh\nexec {{pkg.path}}/bin/server\n");
    let sup = root.supervisor().args([root.join("app")]).start();
    sup.wait_log("app.default(O): one");
    // Another Supervisor does not restart an unchanged service.
    sup.signal(rustix::process::Signal::HUP);
    sup.wait_log("Reattaching to app.default");
    sup.wait_log_times("Starting http-gateway", 2);
    program("two");
    sup.wait_log("app.default(O): two");
    let log = sup.log();
    assert!(log.contains("app/bin/server has changed\n"), "{log}");
    assert_eq!(log.matches("app.default(O): one").count(), 1, "{log}");
    assert_eq!(log.matches("Restarting local/app with package").count(), 1, "{log}");
}

#[test]
fn a_directory_that_is_no_service_is_refused_with_a_hint() {
    let root = root();
    root.write("empty/readme", "nothing");
    let mut sup = root.supervisor().args([root.join("empty")]).spawn();
    assert_eq!(sup.wait_exit(), 86);
    assert!(sup.log().contains("A service directory holds hooks/run"), "{}", sup.log());
}

#[test]
fn fifty_services_present_at_start_all_come_up() {
    let root = root();
    for number in 0..50 {
        let name = format!("s{number}");
        root.package(&format!("acme/{name}/1.0/20250101000000"), &[("hooks/run", crate::RUN)]);
        root.spec(&name, &format!("ident = \"acme/{name}\"\n"));
    }
    let sup = root.supervisor().start();
    let services = sup.wait_json("/services", |services| {
        services.as_array().is_some_and(|all| all.len() == 50 && all.iter().all(is_up))
    });
    assert_eq!(services.as_array().unwrap().len(), 50);
    wait_web(&sup, serde_json::Value::is_null);
}
