//! Parts of help texts and man pages besides options: examples, files, environment, exit codes.

mod page;
mod table;

use clap::Command;

pub(crate) use page::write_page;

/// Rows of a page: names or commands, and their meaning.
type Rows = &'static [(&'static str, &'static str)];

/// Documentation of a command besides its options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manual {
    /// Its words after `hab`; empty for the program itself.
    command: &'static str,
    /// Command lines with their effect.
    examples: Rows,
    /// Files it reads or writes, besides those of its group.
    files: Rows,
    /// Exit codes; empty for those of every command.
    exit: Rows,
}

/// Exit codes of most commands.
const EXIT: Rows = &[
    ("0", "Done."),
    ("1", "It failed; standard error shows the reason."),
    ("2", "Wrong command line, or an unsupported option."),
];

/// Variables that every command reads.
const ENVIRONMENT: Rows = &[
    (
        "FS_ROOT",
        "Directory used as /: all files of Roost are below its subdirectory hab. Commands \
         need the same value as their Supervisor.",
    ),
    ("NO_COLOR, HAB_NOCOLORING", "No colours, also on a terminal."),
    ("HAB_GLYPH_STYLE", "full, limited or ascii: the signs in front of lines."),
    ("RUST_LOG", "Filter of the diagnostic log on standard error."),
];

/// Variables of commands that talk to a Supervisor.
const REMOTE_ENVIRONMENT: Rows = &[(
    "HAB_CTL_SECRET",
    "The secret of the control gateway; else ctl_secret in cli.toml, else that of the Supervisor on \
     this machine.",
)];

/// Files of commands that talk to a Supervisor.
const REMOTE_FILES: Rows = &[
    ("/hab/sup/default/CTL_SECRET", "The secret of the Supervisor on this machine."),
    (
        "/hab/etc/cli.toml, ~/.hab/etc/cli.toml",
        "Settings of commands, of root and of other users: listen_ctl, ctl_secret, certificates.",
    ),
];

/// Files of commands that use keys.
const KEY_FILES: Rows =
    &[("/hab/cache/keys, ~/.hab/cache/keys", "Keys, of root and of other users.")];

impl Manual {
    /// The entry of a command.
    fn of(words: &str) -> Option<&'static Self> {
        table::MANUALS.iter().find(|manual| manual.command == words)
    }
}

/// Adds the examples to the help of every command.
pub(crate) fn with_examples(program: Command) -> Command {
    fn add(mut command: Command, words: &str) -> Command {
        let names: Vec<String> =
            command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
        for name in names {
            let inner = if words.is_empty() { name.clone() } else { format!("{words} {name}") };
            command = command.mut_subcommand(name, |command| add(command, &inner));
        }
        match Manual::of(words) {
            Some(manual) if !manual.examples.is_empty() => {
                let lines = manual.examples.iter();
                let text: String =
                    lines.map(|(line, what)| format!("\n  {line}\n      {what}")).collect();
                command.after_help(format!("Examples:{text}"))
            }
            _ => command,
        }
    }
    add(program, "")
}

/// Whether the command has an option for the Supervisor's address.
fn is_remote(command: &Command) -> bool {
    command.get_arguments().any(|option| option.get_id() == "remote_sup")
}

/// Whether the command reads or writes keys.
fn uses_keys(command: &Command) -> bool {
    command.get_arguments().any(|option| option.get_id() == "cache_key_path")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    /// The command with these words.
    fn find<'a>(program: &'a Command, words: &str) -> Option<&'a Command> {
        words
            .split(' ')
            .filter(|word| !word.is_empty())
            .try_fold(program, |command, word| command.find_subcommand(word))
    }

    #[test]
    fn every_command_has_examples_and_every_example_is_a_command_line() {
        let program = cli::command();
        for manual in table::MANUALS {
            assert!(
                find(&program, manual.command).is_some(),
                "{} is not a command",
                manual.command
            );
            for (line, _) in manual.examples {
                // A pipe, a variable or a redirection belongs to the shell.
                let own = line.split(['|', '<', '>']).find(|part| part.contains("hab "));
                let words: Vec<&str> = own
                    .unwrap_or_else(|| panic!("{line}"))
                    .split_whitespace()
                    .skip_while(|word| *word != "hab")
                    .collect();
                let tried = cli::command().try_get_matches_from(&words);
                let fine = match &tried {
                    Ok(_) => true,
                    // Files and hosts of examples need not exist.
                    Err(error) => error.kind() == clap::error::ErrorKind::ValueValidation,
                };
                assert!(fine, "{line}: {}", tried.expect_err("an error"));
            }
        }
        let mut without = Vec::new();
        collect(&program, "", &mut without);
        assert!(without.is_empty(), "no examples: {without:?}");
    }

    fn collect(command: &Command, words: &str, without: &mut Vec<String>) {
        let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set());
        for inner in inner.filter(|inner| inner.get_name() != "help") {
            let words = format!("{words} {}", inner.get_name());
            collect(inner, words.trim_start(), without);
        }
        // `hab pkg` has examples only for commands with more than one line of text.
        if !command.has_subcommands()
            && !words.starts_with("pkg ")
            && Manual::of(words).is_none_or(|manual| manual.examples.is_empty())
        {
            without.push(words.into());
        }
    }
}
