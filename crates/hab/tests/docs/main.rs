//! The documentation is accurate: its commands run as shown, its links have targets, its list of
//! commands matches the program.

mod citations;
mod commands;
mod console;
mod crates;
mod imports;
mod links;
mod session;
mod width;

use std::{fs, path::PathBuf};

/// A path below the root of the repository.
fn repository(relative: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(relative)
}

/// A file of the repository.
fn read(relative: &str) -> String {
    let path = repository(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_commands_of_the_monitoring_page_print_what_it_says() {
    session::play(&console::steps(&read("docs/monitoring.md")));
}

#[test]
fn the_commands_of_the_user_guide_print_what_it_says() {
    session::play(&console::steps(&read("docs/user-guide.md")));
}

#[test]
fn the_checks_of_a_change_end_with_the_test_command_of_the_readme() {
    let readme = read("README.md");
    let section = readme.split("## Test it").nth(1).expect("the section");
    let command = section.split("```sh\n").nth(1).and_then(|text| text.lines().next());
    let command = command.expect("a command");
    let checks = read(".ci/run");
    assert!(checks.contains(&format!("\n{command} 2>&1 | tee")), "{command}");
}

#[test]
fn every_metric_is_in_the_operator_guide() {
    let guide = read("docs/operator-guide.md");
    let directory = std::fs::read_dir(repository("crates/sup/src/metrics")).expect("a directory");
    let of_sup = directory.map(|entry| entry.expect("a file").path());
    let sources: String = of_sup
        .chain([repository("crates/api/src/metrics.rs")])
        .map(|path| std::fs::read_to_string(path).expect("a source"))
        .collect();
    let names: Vec<&str> =
        sources.split('"').filter(|text| text.starts_with("hab_") && !text.contains(' ')).collect();
    assert!(names.len() > 20, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|it| !guide.contains(&format!("`{it}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
