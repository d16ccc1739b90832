//! Man pages: one for each command, found by `man`, and without complaints of a formatter.

use std::fs;

use super::{Installed, is_there, program, said};

#[test]
fn pages_are_formatted_without_a_warning() {
    if !is_there("groff") {
        return;
    }
    let installed = Installed::at("/usr");
    let mut count = 0;
    for entry in fs::read_dir(installed.path("share/man/man1")).expect("pages") {
        let page = entry.expect("a page").path();
        let output = program("groff").args(["-man", "-ww", "-z", "-Tutf8"]).arg(&page).output();
        assert_eq!(said(&output.expect("groff")), "", "{}", page.display());
        count += 1;
    }
    assert!(count > 30, "only {count} pages");
}

#[test]
fn man_finds_and_shows_them() {
    if !is_there("man") {
        return;
    }
    let installed = Installed::at("/usr");
    let mut man = program("man");
    man.env("MANPATH", installed.path("share/man")).env("MANWIDTH", "80");
    let page = said(&man.args(["--warnings", "hab-svc-load"]).output().expect("man"));
    assert!(page.starts_with("hab-svc-load(1)"), "{page}");
    for part in ["SYNOPSIS", "--force", "PKG_IDENT", "Roost 0."] {
        assert!(page.contains(part), "no {part} in {page}");
    }
}
