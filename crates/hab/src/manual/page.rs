//! Man pages: the options from the parser, and the other parts from [`super::Manual`].

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_mangen::Man;

use super::{
    ENVIRONMENT, EXIT, KEY_FILES, Manual, REMOTE_ENVIRONMENT, REMOTE_FILES, is_remote, uses_keys,
};

/// Writes the page of a command, with its full name, into the directory.
pub(crate) fn write_page(command: &Command, directory: &Path) -> io::Result<PathBuf> {
    let man = Man::new(command.clone())
        .source(concat!("Roost ", env!("CARGO_PKG_VERSION")))
        .manual("Roost");
    let path = directory.join(man.get_filename());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|inner| !inner.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let full_name = command.get_display_name().unwrap_or("hab").replace('-', " ");
    append(&mut page, command, &words_of(command, &full_name))?;
    fs::write(&path, page)?;
    Ok(path)
}

/// The words after `hab`. Names of commands contain hyphens, so the table decides.
fn words_of(command: &Command, full_name: &str) -> String {
    let words = full_name.strip_prefix("hab").unwrap_or_default().trim();
    let name = command.get_name();
    match words.strip_suffix(&name.replace('-', " ")) {
        Some(group) if !words.is_empty() => format!("{group}{name}").trim().into(),
        _ => words.into(),
    }
}

fn append(page: &mut Vec<u8>, command: &Command, words: &str) -> io::Result<()> {
    let manual = Manual::of(words);
    if let Some(manual) = manual.filter(|manual| !manual.examples.is_empty()) {
        writeln!(page, ".SH EXAMPLES")?;
        for (line, what) in manual.examples {
            writeln!(page, ".PP\n{}\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE", text(what), text(line))?;
        }
    }
    let mut files: Vec<(&str, &str)> = Vec::new();
    if is_remote(command) {
        files.extend(REMOTE_FILES);
    }
    if uses_keys(command) {
        files.extend(KEY_FILES);
    }
    files.extend(manual.map_or(&[][..], |manual| manual.files));
    section(page, "FILES", &files)?;
    let bound: Vec<(String, String)> = command.get_arguments().filter_map(variable).collect();
    let mut environment: Vec<(&str, &str)> =
        bound.iter().map(|(name, help)| (name.as_str(), help.as_str())).collect();
    if is_remote(command) {
        environment.extend(REMOTE_ENVIRONMENT);
    }
    environment.extend(ENVIRONMENT);
    section(page, "ENVIRONMENT", &environment)?;
    section(page, "EXIT STATUS", manual.map_or(EXIT, |manual| manual.exit))?;
    see_also(page, command, words)
}

/// The variable of an option and its description.
fn variable(option: &clap::Arg) -> Option<(String, String)> {
    let name = option.get_env()?.to_str()?.to_owned();
    let long = option.get_long().map(|long| format!("--{long}"));
    let shown = long.unwrap_or_else(|| option.get_id().to_string().to_uppercase());
    Some((name, format!("Default of {shown}.")))
}

fn section(page: &mut Vec<u8>, heading: &str, rows: &[(&str, &str)]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(page, ".SH \"{heading}\"")?;
    for (name, what) in rows {
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", text(name), text(what))?;
    }
    Ok(())
}

/// The group of the command, its own subcommands, and the program.
fn see_also(page: &mut Vec<u8>, command: &Command, words: &str) -> io::Result<()> {
    let mut names: Vec<String> = Vec::new();
    if let Some((group, _)) = words.rsplit_once(' ') {
        names.push(format!("hab-{}", group.replace(' ', "-")));
    }
    if !words.is_empty() {
        names.push("hab".into());
    }
    let prefix =
        if words.is_empty() { String::new() } else { format!("{}-", words.replace(' ', "-")) };
    let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set());
    names.extend(inner.map(|inner| format!("hab-{prefix}{}", inner.get_name())));
    writeln!(page, ".SH \"SEE ALSO\"")?;
    let names: Vec<String> =
        names.iter().map(|name| format!("\\fB{}\\fR(1)", text(name))).collect();
    writeln!(page, "{}", names.join(", "))
}

/// Escapes text so that it contains no requests or escapes.
fn text(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\e").replace('-', "\\-");
    // A dot or an apostrophe would start a request.
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}
