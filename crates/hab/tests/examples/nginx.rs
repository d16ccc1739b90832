//! nginx: a reload with changing workers, queried with a real client.

use testkit::wait_for;

use crate::common::{Example, ask, find, free_port};

#[test]
fn nginx_serves_the_changed_page_and_survives() {
    let Some(curl) = find("curl", "nginx").filter(|_| find("nginx", "nginx").is_some()) else {
        return;
    };
    let port = free_port();
    let nginx = Example::start("nginx", &format!("port = {port}\n"));
    let page = format!("http://127.0.0.1:{port}/");
    let get = |url: &str| ask(&curl, &["-sS", url]);
    assert!(get(&page).contains("Served by nginx, supervised by Roost"), "{}", get(&page));

    let usage = nginx.wait_port(port);
    assert!(usage["processes"].as_u64() > Some(1), "a master and its workers: {usage:#}");

    let pid = nginx.pid();
    let other_port = free_port();
    nginx.configure(&format!("port = {other_port}\ngreeting = \"changed\"\n"));
    let page = format!("http://127.0.0.1:{other_port}/");
    wait_for("the changed page", || get(&page).contains("<h1>changed</h1>").then_some(()));
    assert_eq!(nginx.pid(), pid, "reloaded, not restarted");
    nginx.wait_port(other_port);

    nginx.kill_and_wait_for_the_next();
    assert!(get(&page).contains("changed"));

    nginx.freeze();
    nginx.wait_health(503, "CRITICAL");
    nginx.wait_explained("health_critical");
    nginx.wait_recorded_health("critical");
    nginx.thaw();
    nginx.wait_health(200, "OK");
    nginx.wait_recorded_health("ok");

    nginx.stop();
    assert!(get(&page).contains("Failed to connect"), "{}", get(&page));
}
