//! Compares `docs/commands.md` with the program: the first sentence, usage and option table of each
//! command word by word. `UPDATE_DOCS=1 cargo test -p hab --bin hab page` writes them; the text
//! between usage and table is written by hand and stays.

use std::{env, fs, path::PathBuf};

use clap::{Arg, ArgAction, Command};

use crate::absent::ABSENT;

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md"))
}

/// Commands that are not groups, with their words.
fn leaves<'a>(command: &'a Command, words: &str, found: &mut Vec<(String, &'a Command)>) {
    for inner in command.get_subcommands() {
        let words = format!("{words} {}", inner.get_name());
        if inner.is_hide_set() || inner.get_name() == "help" {
            continue;
        }
        if inner.has_subcommands() {
            leaves(inner, &words, found);
        } else {
            found.push((words, inner));
        }
    }
}

fn usage(command: &Command, words: &str) -> String {
    let text = command.clone().render_usage().to_string();
    // It starts with the program's name in this context.
    let (_, rest) = text.split_once(command.get_name()).unwrap_or(("", &text));
    format!("    {words}{}", rest.trim_end())
}

/// The table of arguments and options; headings of the help text become rows.
fn table(command: &Command) -> String {
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|option| !option.is_hide_set())
        .filter(|option| !matches!(option.get_id().as_str(), "help" | "version"))
        .collect();
    if shown.is_empty() {
        return String::new();
    }
    let mut out = "| | |\n|---|---|\n".to_owned();
    let mut add = |option: &Arg| {
        out.push_str(&format!("| `{}` | {} |\n", name(option), meaning(option)));
    };
    shown.iter().filter(|it| it.is_positional()).for_each(|it| add(it));
    let options: Vec<&Arg> = shown.into_iter().filter(|it| !it.is_positional()).collect();
    options.iter().filter(|it| it.get_help_heading().is_none()).for_each(|it| add(it));
    let mut headings: Vec<&str> = Vec::new();
    for heading in options.iter().filter_map(|it| it.get_help_heading()) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading in headings {
        out.push_str(&format!("| **{heading}** | |\n"));
        for option in options.iter().filter(|it| it.get_help_heading() == Some(heading)) {
            out.push_str(&format!("| `{}` | {} |\n", name(option), meaning(option)));
        }
    }
    out
}

fn name(option: &Arg) -> String {
    let text = option.to_string();
    match option.get_short().zip(option.get_long()) {
        Some((short, _)) => format!("-{short}, {text}"),
        None => text,
    }
}

fn meaning(option: &Arg) -> String {
    let mut text = option.get_help().map(ToString::to_string).unwrap_or_default();
    let values = option.get_possible_values();
    let values: Vec<String> = values.iter().map(|value| value.get_name().to_owned()).collect();
    let takes_value =
        !matches!(option.get_action(), ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count);
    let defaults: Vec<_> =
        option.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        text.push_str(&format!(" [default: {}]", defaults.join(" ")));
    }
    if takes_value && !values.is_empty() {
        text.push_str(&format!(" [possible values: {}]", values.join(", ")));
    }
    if let Some(variable) = option.get_env() {
        text.push_str(&format!(" [{}]", variable.to_string_lossy()));
    }
    text.replace('|', "\\|")
}

/// The section of a command: `own` is the hand-written text.
fn section(command: &Command, words: &str, own: &str) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut out =
        format!("### hab{words}\n\n{about}.\n\n{}\n", usage(command, &format!("hab{words}")));
    if !own.is_empty() {
        out.push_str(&format!("\n{own}\n"));
    }
    let table = table(command);
    if !table.is_empty() {
        out.push_str(&format!("\n{table}"));
    }
    out
}

/// The hand-written text of a section: everything after the usage and before the table.
fn own_text(section: &str) -> String {
    let behind = section.splitn(4, "\n\n").nth(3).unwrap_or_default();
    let end = behind.find("| | |\n").unwrap_or(behind.len());
    let text = behind[..end].trim();
    // A section without text of its own has its table here.
    if text.starts_with('|') { String::new() } else { text.into() }
}

/// The list of absent commands.
fn absent() -> String {
    let rows: String =
        ABSENT.iter().map(|it| format!("| `hab {}` | {} |\n", it.words, it.instead)).collect();
    format!("| Command of Habitat | Instead |\n|---|---|\n{rows}")
}

const ABSENT_HEADING: &str = "## Commands of Habitat that Roost does not have\n";

/// The page as it should be.
fn expected(page: &str) -> String {
    let mut program = super::command();
    program.build();
    let mut commands = Vec::new();
    leaves(&program, "", &mut commands);
    let (page, tail) = page.split_once(ABSENT_HEADING).unwrap_or((page, ""));
    let mut out = String::new();
    let mut known = Vec::new();
    for (index, part) in page.split("\n### hab").enumerate() {
        if index == 0 {
            out.push_str(part);
            continue;
        }
        let words = part.lines().next().unwrap_or_default();
        let command = commands.iter().find(|(name, _)| name == words);
        let Some((words, command)) = command else {
            panic!("docs/commands.md has a section of hab{words}, which is not a command")
        };
        known.push(words.clone());
        // The heading of the next chapter follows the section.
        let (body, chapter) = match part.find("\n\n\n## ") {
            Some(end) => part.split_at(end),
            None => (part, ""),
        };
        let text = section(command, words, &own_text(body));
        out.push_str(&format!("\n{}{chapter}", text.trim_end_matches('\n')));
        if chapter.is_empty() {
            out.push('\n');
        }
    }
    let missing: Vec<_> =
        commands.iter().map(|it| &it.0).filter(|words| !known.contains(words)).collect();
    assert!(missing.is_empty(), "docs/commands.md has no section of {missing:?}");
    let text = tail.split("| Command of Habitat |").next().unwrap_or_default().trim();
    format!("{}\n\n\n{ABSENT_HEADING}\n{text}\n\n{}", out.trim_end(), absent())
}

#[test]
fn the_page_of_commands_matches_the_help() {
    let found = fs::read_to_string(page()).expect("the page");
    let expected = expected(&found);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(page(), &expected).expect("written");
        return;
    }
    let different = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "docs/commands.md differs from --help: {different:#?}\nUPDATE_DOCS=1 cargo test -p hab --bin \
         hab page writes it"
    );
}

#[test]
fn options_that_are_not_supported_yet_are_not_shown_and_named_on_the_page() {
    let page = fs::read_to_string(page()).expect("the page");
    let mut program = super::command();
    program.build();
    let mut commands = Vec::new();
    leaves(&program, "", &mut commands);
    for (words, command) in commands {
        for option in command.get_arguments() {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            if help.contains("not supported yet") {
                let long = option.get_long().expect("an option");
                assert!(option.is_hide_set(), "{words} --{long}");
                assert!(page.contains(&format!("`--{long}`")), "--{long} is not on the page");
            }
        }
    }
}
