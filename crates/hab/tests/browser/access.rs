//! Tokens, and what is hidden.

use std::{
    fs::{Permissions, set_permissions},
    os::unix::fs::PermissionsExt,
};

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
    // Without the token there is nothing about the Supervisor.
    let locked = sup.get("/").text();
    assert!(!locked.contains("/v1/") && !locked.contains("<meta name=\"supervisor-version\""));
    page.type_text("wrong");
    page.press("Enter");
    page.wait(
        "document.querySelector('.wrong')?.textContent.includes('not known to this Supervisor')",
    );
    page.picture(&super::pictures().join("wrong-token.png"), None);
    page.value(
        "document.querySelector('#token').value = ''; document.querySelector('#token').focus()",
    );
    page.type_text("sekret");
    page.press("Enter");
    page.wait("document.querySelector('tbody th a')?.textContent === 'web.default'");
    // With it there is: the page Ring is offered where its path is known.
    let known = "[...document.querySelectorAll('nav a')].some((it) => it.textContent === 'Ring') && \
         /^Version \\d/.test(document.querySelector('footer').textContent)";
    assert_eq!(page.value(known), true);
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

/// The hashes of `old-token`, which has expired, and of `logs-token`.
const TOKENS: &str = "[[token]]\nname = \"old\"\n\
    sha256 = \"9bdf10a691a1cfda89d9ff66629d1609ab176cec9b6a3146a8929f28937a9fce\"\n\
    scopes = [\"read\"]\nexpires = 2020-01-01T00:00:00Z\n\
    [[token]]\nname = \"lines\"\n\
    sha256 = \"7311e1a06584090bb0d27aac90d755e102dd00c638b99ac31b3cb40364989016\"\n\
    scopes = [\"logs\"]\nexpires = \"never\"\n";

#[test]
fn the_form_shows_why_a_token_is_refused() {
    let Some(browser) = Chromium::start() else { return };
    let root = super::root();
    super::service(&root, "web", super::RUN, &[]);
    root.write("tokens.toml", TOKENS);
    let file = root.join("tokens.toml");
    set_permissions(&file, Permissions::from_mode(0o600)).expect("set");
    let args = ["--http-tokens".to_owned(), file.display().to_string()];
    let sup = root.supervisor().env("HAB_SUP_GATEWAY_AUTH_TOKEN", "sekret").args(args).start();
    let page = browser.page();
    page.look(1280, 860, "light");
    page.open(&address(&sup, ""));
    page.wait("document.activeElement?.id === 'token'");
    for source in ["HAB_SUP_GATEWAY_AUTH_TOKEN", "--http-tokens"] {
        assert!(texts(&page, "#about").concat().contains(source), "{source}");
    }
    assert_eq!(texts(&page, ".wrong"), Vec::<String>::new());
    let refused = [
        ("old-token", "The token 'old' has expired."),
        ("other-token", "The token is not known to this Supervisor."),
        ("logs-token", "needs the scope 'read'"),
    ];
    for (token, reason) in refused {
        page.value(
            "document.querySelector('#token').value = ''; document.querySelector('#token').focus()",
        );
        page.type_text(token);
        page.press("Enter");
        page.wait(&format!("document.querySelector('.wrong')?.textContent.includes({reason:?})"));
    }
    // The refused token is not kept.
    assert_eq!(page.value("sessionStorage.length"), 0);
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
