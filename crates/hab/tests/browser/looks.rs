//! Every page in every look: no violation of what axe-core checks, nothing beside the page, and a
//! picture.

use std::{env, path::Path};

use serde_json::Value;
use testkit::{Chromium, Page, Supervisor};

use super::{assert_content, open, pictures, shop, wait_settled};

const AXE: &str = include_str!("../../../dashboard/checks/axe.min.js");

const PAGES: &[(&str, &str)] = &[
    ("services", "#/services"),
    ("service", "#/services/web.default"),
    ("failing", "#/services/worker.default"),
    ("gone", "#/services/none.default"),
    ("events", "#/events"),
    ("ring", "#/ring"),
    ("supervisor", "#/supervisor"),
    ("api", "api"),
    ("request", "#/get/v1/services/db.default/health"),
];

/// Looks, and whether axe-core checks the pages in them: it takes seconds for each.
const LOOKS: &[(u32, u32, &str, bool)] = &[
    (1280, 860, "light", true),
    (1280, 860, "dark", true),
    (1120, 800, "light", false),
    (800, 1100, "light", false),
    (360, 740, "light", true),
    (360, 740, "dark", false),
    (3840, 2160, "light", false),
];

/// What axe-core finds.
fn violations(page: &Page<'_>) -> Vec<String> {
    page.value(&format!("if (!window.axe) {{ {AXE} }}; 0"));
    let script = "axe.run(document).then((found) => found.violations.map((it) => \
         `${it.id}: ${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 200) + ' ' + \
         node.any.concat(node.all).map((check) => check.message).join()).join(' || ')}`))";
    serde_json::from_value(page.value(script)).expect("a list")
}

/// Opens all that is folded, and waits until it has been loaded.
fn unfold(page: &Page<'_>) {
    page.value(
        "document.querySelectorAll('details:not([open])').forEach((it) => { it.open = true; })",
    );
    page.wait("!document.querySelector('main').textContent.includes('Loading …')");
}

#[test]
fn looks_pass_the_checks_for_people_who_see_hear_or_type_otherwise() {
    let Some(browser) = Chromium::start() else { return };
    let root = shop();
    let sup = root.supervisor().start();
    wait_settled(&sup);
    let page = browser.page();
    let mut wrong = Vec::new();
    for &(width, height, scheme, is_checked) in LOOKS {
        page.look(width, height, scheme);
        for (name, place) in PAGES {
            open(&page, &sup, place);
            unfold(&page);
            if *name == "service" {
                page.wait("document.querySelectorAll('.lines canvas').length === 2");
            }
            let beside = page.value("document.documentElement.scrollWidth - innerWidth");
            if beside.as_i64() != Some(0) {
                wrong.push(format!("{name} {scheme} {width}: {beside} pixels beside the page"));
            }
            page.picture(&pictures().join(format!("{name}-{scheme}-{width}.png")), None);
            if is_checked {
                let found = violations(&page).into_iter();
                wrong.extend(found.map(|it| format!("{name} {scheme} {width}: {it}")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_content(&page, &sup);
    if env::var_os("UPDATE_PICTURES").is_some() {
        write_pictures(&page, &sup);
    }
}

/// The pictures of the documentation.
fn write_pictures(page: &Page<'_>, sup: &Supervisor) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, place, width, height, scheme) in [
        ("services", "#/services", 1120, 620, "light"),
        ("services-dark", "#/services", 1120, 620, "dark"),
        ("service", "#/services/worker.default", 1120, 980, "light"),
        ("phone", "#/services", 360, 720, "dark"),
    ] {
        page.look(width, height, scheme);
        open(page, sup, place);
        page.wait("document.querySelectorAll('.strip > *').length > 0");
        page.wait("document.querySelector('.services, .log time')");
        // The name of the machine is not the same everywhere.
        page.value("document.querySelector('.brand bdi').textContent = 'shop-1'");
        page.wait(
            "![...document.querySelectorAll('td[data-label=CPU]')].some((it) => \
                   it.parentElement.matches('.fine') && it.textContent === '–')",
        );
        page.picture(&folder.join(format!("{name}.png")), Some(height));
    }
}

#[test]
fn a_page_without_scripts_is_a_table() {
    let Some(browser) = Chromium::start() else { return };
    let root = shop();
    let sup = root.supervisor().start();
    wait_settled(&sup);
    let page = browser.page();
    page.call("Emulation.setScriptExecutionDisabled", &serde_json::json!({ "value": true }));
    page.look(1280, 860, "light");
    page.open(&super::address(&sup, ""));
    page.wait("document.querySelectorAll('table.services tbody tr').length === 5");
    let row = page.value("document.querySelector('tbody tr:has(bdi)').innerText");
    assert!(matches!(row, Value::String(text) if text.contains("cache.default")));
    page.picture(&pictures().join("without-scripts.png"), None);
}
