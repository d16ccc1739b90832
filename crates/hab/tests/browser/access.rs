//! Tokens, and what is hidden.

use testkit::Chromium;

use super::{address, open, shop, texts, wait_settled};

#[test]
fn a_token_is_asked_for_once_and_kept_in_the_tab_alone() {
    let Some(browser) = Chromium::start() else { return };
    let root = super::root();
    super::service(&root, "web", super::RUN, &[]);
    let sup = root.supervisor().env("HAB_SUP_GATEWAY_AUTH_TOKEN", "sekret").start();
    let page = browser.page();
    page.look(1280, 860, "light");
    page.open(&address(&sup, ""));
    page.wait("document.activeElement?.id === 'token'");
    assert!(!page.value("document.body.innerText").as_str().expect("text").contains("web.default"));
    page.type_text("wrong");
    page.press("Enter");
    page.wait("document.querySelector('.wrong')?.textContent.includes('not the token')");
    page.picture(&super::pictures().join("wrong-token.png"), None);
    page.value(
        "document.querySelector('#token').value = ''; document.querySelector('#token').focus()",
    );
    page.type_text("sekret");
    page.press("Enter");
    page.wait("document.querySelector('tbody th a')?.textContent === 'web.default'");
    // A reload does not ask again; another tab does.
    page.call("Page.reload", &serde_json::json!({}));
    page.wait("document.querySelector('tbody th a')?.textContent === 'web.default'");
    assert_eq!(
        page.value("[localStorage.length, document.cookie, location.search]"),
        serde_json::json!([0, "", ""])
    );
    let other = browser.page();
    other.open(&address(&sup, ""));
    other.wait("document.querySelector('#token')");
    assert!(page.requested().iter().all(|it| !it.contains("sekret")));
    assert_eq!(page.complaints(), Vec::<String>::new());
}

#[test]
fn what_is_redacted_is_not_on_the_page() {
    let Some(browser) = Chromium::start() else { return };
    let root = shop();
    let sup = root.supervisor().env("HAB_FEAT_REDACT_HTTP", "1").start();
    wait_settled(&sup);
    let page = browser.page();
    page.look(1280, 860, "light");
    for name in ["web", "db", "worker"] {
        open(&page, &sup, &format!("#/services/{name}.default"));
        page.wait("document.querySelector('section[aria-label=Health] .result, section[aria-label=Health] .note')");
        page.value("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
        page.wait("document.body.innerText.includes('HAB_FEAT_REDACT_HTTP')");
        let text = page.value("document.body.innerText").as_str().expect("text").to_owned();
        for secret in ["200 OK in", "too many clients", "Traceback", "hunter2", "db.internal"] {
            assert!(!text.contains(secret), "{name}: {secret}");
        }
        assert_eq!(texts(&page, ".log"), Vec::<String>::new());
    }
    assert_eq!(page.complaints(), Vec::<String>::new());
}
