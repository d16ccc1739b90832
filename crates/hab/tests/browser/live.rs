//! What is on the page is what the Supervisor has: at once, and never longer than it is known.

use std::{fs, time::Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use testkit::{Chromium, Page, wait_for};

use super::{RUN, assert_content, listed, open, root, service, shop, texts, wait_settled};

/// The rows of the list, ordered by name: name, package, health, restarts, why.
fn cells(page: &Page<'_>) -> Vec<[String; 5]> {
    let script = "[...document.querySelectorAll('tbody tr')].map((row) => \
         ['th a', 'th small', '[data-label=Health] .mood', '[data-label=Restarts]', '.why'] \
         .map((cell) => row.querySelector(cell).textContent.trim()))";
    let mut rows: Vec<[String; 5]> = serde_json::from_value(page.value(script)).expect("rows");
    rows.sort_unstable();
    rows
}

fn agrees(item: &Value, [name, package, health, restarts, why]: &[String; 5]) -> bool {
    item["id"] == **name
        && item["package"] == **package
        && item["health"] == **health
        && item["restarts"]["total"].as_u64() == restarts.parse().ok()
        && item["why"].as_str().unwrap_or("–") == why
}

#[test]
fn the_list_is_what_the_api_says_with_failing_services_first() {
    let Some(browser) = Chromium::start() else { return };
    let root = shop();
    let sup = root.supervisor().start();
    wait_settled(&sup);
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "");
    page.wait("document.querySelectorAll('tbody tr').length === 5");
    // A service that ends and starts again changes between two looks.
    wait_for("the page and the API to agree", || {
        let names = texts(&page, "tbody th a");
        let expected = ["db.default", "worker.default", "cache.default", "web.default"];
        if names[..4] != expected {
            return None;
        }
        listed(&sup).iter().zip(cells(&page)).all(|(item, row)| agrees(item, &row)).then_some(())
    });
    page.wait("document.title.startsWith('(2) ')");
    assert_content(&page, &sup);
}

#[test]
fn a_service_proves_itself_after_a_failure_only() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    let sup = root.supervisor().start();
    let page = browser.page();
    open(&page, &sup, "");
    let mood = |state: &str, total: u32, age_s: u32, health: &str, why: Option<&str>| {
        let service = json!({"state": state, "desired": "up", "health": health, "why": why,
            "restarts": {"total": total}});
        page.value(&format!(
            "import(document.querySelector('link[rel=modulepreload][href*=mood]').href) \
               .then(({{ mood }}) => mood({{ ...{service}, \
                 since: new Date(Date.now() - {age_s}000).toISOString() }}))"
        ))
    };
    // Until failures become a crash loop, a service that is up again has no reason.
    assert_eq!(mood("up", 1, 0, "ok", None), "failing");
    assert_eq!(mood("up", 1, 31, "ok", None), "fine");
    assert_eq!(mood("up", 0, 0, "ok", None), "fine");
    assert_eq!(mood("up", 0, 0, "warning", Some("the check warns")), "warning");
    assert_eq!(mood("starting", 1, 0, "unknown", None), "failing");
    assert_eq!(mood("starting", 0, 0, "unknown", None), "changing");
}

#[test]
fn without_services_the_page_names_the_next_step() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    let sup = root.supervisor().start();
    let page = browser.page();
    page.look(360, 740, "dark");
    open(&page, &sup, "");
    page.wait("document.body.innerText.includes('No service is loaded')");
    assert!(page.value("document.body.innerText").as_str().expect("text").contains("hab svc load"));
    assert_content(&page, &sup);
}

#[test]
fn a_change_is_shown_without_a_reload() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    service(&root, "web", RUN, &[]);
    let sup = root.supervisor().start();
    sup.wait_up("web");
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "");
    page.wait("document.querySelector('tbody tr')");
    // The event's own time, and the moment at which its effect is drawn, are of one clock.
    page.value(
        "window.seen = null; new MutationObserver(() => { \
           if (document.querySelector('td[data-label=Restarts]')?.textContent !== '0') \
             requestAnimationFrame(() => { window.seen ??= Date.now(); }); \
         }).observe(document.body, { subtree: true, childList: true, characterData: true })",
    );
    let pid = sup.wait_up("web");
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("killed");
    let begun = Instant::now();
    page.wait("window.seen !== null");
    let exits = sup.get("/v1/events?type=process.exited&limit=1").json();
    let exited = exits["items"][0]["time"].as_str().expect("a time").to_owned();
    let after = page.value(&format!("window.seen - Date.parse({exited:?})"));
    println!("on the screen {after} ms after its event ({:?} after the kill)", begun.elapsed());
    assert_content(&page, &sup);
}

#[test]
fn a_lost_connection_is_shown_with_the_age_of_what_is_below() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    service(&root, "web", RUN, &[]);
    let mut sup = root.supervisor().start();
    sup.wait_up("web");
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "");
    page.wait("document.querySelector('tbody tr')");
    sup.stop();
    page.wait("document.querySelector('.link.failing')");
    page.wait("document.querySelector('main.stale') && document.querySelector('.banner')");
    let banner = texts(&page, ".banner").concat();
    assert!(banner.contains("Not connected to the Supervisor."), "{banner}");
    assert!(banner.contains("is how it was"), "{banner}");
    page.picture(&super::pictures().join("lost.png"), None);
    let again = root.supervisor().in_place_of(&sup).start();
    page.wait("document.querySelector('.link.fine') && !document.querySelector('.banner')");
    let since = wait_for("the service again", || {
        let up = again.get("/v1/services/web.default").json();
        (up["state"] == "up").then(|| up["since"].as_str().map(str::to_owned))?
    });
    page.wait(&format!("document.querySelector('td.lead time')?.dateTime === {since:?}"));
}

#[test]
fn the_page_of_a_request_shows_a_part_of_an_endless_answer_and_ends_it() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    let lines = "#!/bin/sh\nseq -f 'request %.0f, answered with status 200' 9000\n\
         echo all printed\nexec sleep 100000\n";
    service(&root, "loud", lines, &[]);
    // Its restarts keep events coming.
    service(&root, "broken", "#!/bin/sh\nexit 1\n", &[]);
    let sup = root.supervisor().start();
    wait_for("the lines of the service", || {
        let kept = root.join("hab/sup/default/logs/loud.default/current");
        fs::read_to_string(kept).ok()?.contains("all printed").then_some(())
    });
    let logs = "/v1/services/loud.default/logs?tail=10000";
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "");
    // The page follows the same stream for itself, as lines.
    page.value(
        "window.sent = []; const real = window.fetch; window.fetch = (to, options) => { \
           if (options.headers.Accept === 'application/json') \
             window.sent.push([String(to), options.signal]); \
           return real(to, options); }; 0",
    );
    let is_ended =
        |path: &str| format!("window.sent.findLast(([to]) => to.endsWith({path:?}))?.[1].aborted");
    let stream = "/v1/events/stream";
    page.value(&format!("location.hash = '#/get{stream}'"));
    page.wait("document.querySelector('main .evidence')?.textContent.includes('broken.default')");
    assert_eq!(page.value(&is_ended(stream)), false);
    page.value("location.hash = '#/api'");
    page.wait(&is_ended(stream));
    page.value(&format!("location.hash = '#/get{logs}'"));
    page.wait("document.querySelector('main')?.textContent.includes('first 200,000 characters')");
    assert_eq!(page.value(&is_ended(logs)), true);
    let shown = page.value("document.querySelector('.evidence').textContent.length");
    assert_eq!(shown, 200_000);
    assert_content(&page, &sup);
}
