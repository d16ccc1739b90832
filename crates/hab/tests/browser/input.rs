//! Foreign text, and a keyboard without a mouse.

use testkit::Chromium;

use super::{address, assert_content, open, root, service, shop, texts, wait_settled};

/// Prints markup, escape sequences, marks of direction and a line of 1 MB.
const HOSTILE: &str = "#!/bin/sh\n\
    echo '<script>window.hit = 1</script><img src=x onerror=\"window.hit = 2\">'\n\
    printf '\\033[31mred\\033[0m \\033]0;title\\007 \\342\\200\\256desrever\\n'\n\
    head -c 1000000 /dev/zero | tr '\\0' x; echo\n\
    echo last line\n\
    exec sleep 100000\n";

#[test]
fn foreign_text_changes_nothing() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    let check = "#!/bin/sh\necho '<b onmouseover=\"window.hit = 3\">bold</b>'\nexit 2\n";
    let config = "colour = \"<svg onload='window.hit = 4'>\"\n\"</td><script>window.hit = 5</script>\" = 1\n";
    service(&root, "odd", HOSTILE, &[("hooks/health-check", check), ("default.toml", config)]);
    let sup = root.supervisor().start();
    sup.wait_json("/v1/services/odd.default", |it| it["health"] == "critical");
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "#/services/odd.default");
    page.wait("document.querySelector('.log')?.textContent.includes('last line')");
    page.value("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
    page.wait("document.querySelector('.values tbody tr')");
    page.wait("document.querySelector('.check .evidence')");
    let log = texts(&page, ".log").concat();
    assert!(log.contains("<script>window.hit = 1</script><img src=x"), "{log:.500}");
    assert!(log.contains("red"), "the colour is left out");
    assert!(log.contains("⟨U+202E⟩desrever"), "the direction is shown");
    assert!(log.len() < 600_000, "long lines are cut: {}", log.len());
    assert!(!log.contains('\u{1b}') && !log.contains('\u{202e}'));
    let values = texts(&page, ".values").concat();
    assert!(values.contains("<svg onload='window.hit = 4'>"), "{values}");
    let found = page.value(
        "[window.hit ?? null, document.querySelectorAll('main img, main script, main b[onmouseover]').length, \
          document.documentElement.scrollWidth - innerWidth]",
    );
    assert_eq!(found, serde_json::json!([null, 0, 0]));
    open(&page, &sup, "#/services/%3Cimg%20src%3Dx%20onerror%3D%22window.hit%3D6%22%3E");
    open(&page, &sup, "#/get/v1/%3Cimg%20src%3Dx%20onerror%3D%22window.hit%3D7%22%3E");
    open(&page, &sup, "#/events");
    assert_eq!(page.value("window.hit ?? null"), serde_json::Value::Null);
    assert_content(&page, &sup);
}

#[test]
fn a_link_leads_to_no_other_server() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    let sup = root.supervisor().start();
    let page = browser.page();
    page.look(1280, 860, "light");
    let elsewhere = ["https://evil.example/x", "//evil.example/x", "///evil.example/x"];
    for path in elsewhere.into_iter().chain(["\\\\evil.example/x", "data:,x", "../../x"]) {
        open(&page, &sup, &format!("#/get/{path}"));
        page.wait("document.querySelector('main .note, main .evidence')");
        let command = texts(&page, ".command code").concat();
        let own = format!("curl -s '{}", address(&sup, ""));
        assert!(command.starts_with(&own), "{path}: {command}");
        assert_content(&page, &sup);
    }
}

#[test]
fn a_keyboard_is_enough() {
    let Some(browser) = Chromium::start() else { return };
    let root = shop();
    let sup = root.supervisor().start();
    wait_settled(&sup);
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "");
    page.wait("document.querySelectorAll('tbody tr').length === 5");
    page.press("Tab");
    assert_eq!(page.value("document.activeElement.textContent"), "To the content");
    page.press("/");
    page.wait("document.activeElement.id === 'search'");
    page.type_text("we");
    page.wait("document.querySelectorAll('tbody tr').length === 1");
    page.press("Tab");
    assert_eq!(page.value("document.activeElement.textContent"), "web.default");
    page.press("Enter");
    page.wait("document.querySelector('h1')?.textContent.includes('web.default')");
    page.wait("document.querySelector('.answer')");
    page.wait(
        "document.querySelector('.windows') && document.querySelector('.log time, .log .mark')",
    );
    // Each thing that acts can be reached and shows that it has the focus.
    let mut reached = Vec::new();
    for _ in 0..60 {
        page.press("Tab");
        let at = page.value(
            "(() => { const it = document.activeElement; return it === document.body ? null : \
              [it.tagName, it.textContent.trim().slice(0, 30), getComputedStyle(it).outlineStyle]; })()",
        );
        if at.is_null() {
            break;
        }
        assert_ne!(at[2], "none", "{at}");
        reached.push(at[1].as_str().unwrap_or_default().to_owned());
    }
    for wanted in ["Services", "7 days", "Pause", "Configuration"] {
        assert!(reached.iter().any(|it| it.contains(wanted)), "{wanted}: {reached:?}");
    }
    open(&page, &sup, "");
    page.press("/");
    page.type_text("x");
    page.press("Escape");
    page.wait("document.querySelectorAll('tbody tr').length === 5");
    assert_content(&page, &sup);
}
