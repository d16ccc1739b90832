//! The page of commands against the program's own help.

use std::process::Command;

use crate::read;

fn help(command: &[String]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_hab"))
        .args(command)
        .arg("--help")
        .env_clear()
        .output()
        .expect("the program starts");
    String::from_utf8(output.stdout).expect("text")
}

/// All commands except groups, with their help.
fn leaves(command: &[String], found: &mut Vec<(String, String)>) {
    let help = help(command);
    let Some(list) = help.split("\nCommands:\n").nth(1) else {
        found.push((format!("hab {}", command.join(" ")), help));
        return;
    };
    for line in list.lines().take_while(|line| line.starts_with("  ")) {
        // The second line of an explanation is indented further.
        let name = line.strip_prefix("  ").filter(|name| !name.starts_with(' '));
        if let Some(name) = name.and_then(|name| name.split(' ').next())
            && name != "help"
        {
            leaves(&[command, &[name.to_owned()]].concat(), found);
        }
    }
}

#[test]
fn every_command_and_option_is_on_the_page_and_no_other() {
    let mut found = Vec::new();
    leaves(&[], &mut found);
    let page = read("docs/commands.md");
    let mut missing = Vec::new();
    let mut listed = Vec::new();
    for (command, help) in &found {
        let heading = format!("### {command}");
        let Some(section) = section(&page, &heading) else {
            missing.push(heading);
            continue;
        };
        let options = |text: &str| -> Vec<String> {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let long = words.filter(|word| word.starts_with("--") && word.len() > 2);
            long.map(str::to_owned).collect()
        };
        let listed_here = options(section);
        for option in options(help).into_iter().filter(|option| option != "--help") {
            if !listed_here.contains(&option) {
                missing.push(format!("{command} {option}"));
            }
        }
        listed.push(heading);
    }
    let unknown: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("### ") && !listed.iter().any(|known| known == line))
        .collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "not on the page: {missing:#?}\nnot in the program: {unknown:#?}"
    );
}

/// The text below a heading, up to the next one.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let start = page.find(&format!("{heading}\n"))? + heading.len();
    let rest = &page[start..];
    Some(rest.find("\n#").map_or(rest, |end| &rest[..end]))
}
