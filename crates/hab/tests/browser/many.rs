//! A Supervisor with many services.

use testkit::Chromium;

use super::{RUN, assert_content, listed, open, pictures, root, service, texts};

const MANY: usize = 300;

#[test]
fn three_hundred_services_are_listed_and_filtered() {
    let Some(browser) = Chromium::start() else { return };
    let root = root();
    for number in 0..MANY {
        service(&root, &format!("app{number:03}"), RUN, &[]);
    }
    let crash = "#!/bin/sh\necho broken >&2\nexit 1\n";
    service(&root, "zebra", crash, &[]);
    let sup = root.supervisor().start();
    sup.wait_json("/v1/services/zebra.default", |it| it["state"] == "backing_off");
    let page = browser.page();
    page.look(1280, 860, "light");
    open(&page, &sup, "");
    page.wait(&format!("document.querySelectorAll('tbody tr').length === {}", MANY + 1));
    let mut names = texts(&page, "tbody th a");
    assert_eq!(names[0], "zebra.default");
    names.sort_unstable();
    let expected: Vec<_> = listed(&sup).into_iter().map(|it| it["id"].clone()).collect();
    assert_eq!(names, expected);
    page.press("/");
    page.type_text("app12");
    page.wait("document.querySelectorAll('tbody tr').length === 10");
    page.picture(&pictures().join("many.png"), Some(860));
    assert_content(&page, &sup);
}
