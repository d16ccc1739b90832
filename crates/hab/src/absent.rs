//! Commands of Habitat that Roost does not have. Each prints one line with the alternative and
//! exits with code 2.
//!
//! To add one of these commands, put it into [`crate::cli`] and remove its line here; a test fails
//! while it is in both.

use clap::Command;

/// A command that Roost does not have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Absent {
    /// Its words after `hab`.
    pub(crate) words: &'static str,
    /// The alternative, in sentences.
    pub(crate) instead: &'static str,
}

const BUILDER: &str = "Roost does not talk to Builder; use Habitat's own `hab`, or the web page of \
                       Builder.";
const KEYS: &str = "Roost does not talk to Builder; move keys with `hab origin key export` and \
                    `hab origin key import`.";
const ARCHIVES: &str = "Roost does not talk to Builder yet; copy archives to the machine and install \
                        them: `hab pkg install FILE.hart`.";

const fn absent(words: &'static str, instead: &'static str) -> Absent {
    Absent { words, instead }
}

/// All of them.
pub(crate) const ABSENT: &[Absent] = &[
    absent("bldr channel create", BUILDER),
    absent("bldr channel demote", BUILDER),
    absent("bldr channel destroy", BUILDER),
    absent("bldr channel list", BUILDER),
    absent("bldr channel promote", BUILDER),
    absent("origin create", BUILDER),
    absent("origin delete", BUILDER),
    absent("origin depart", BUILDER),
    absent("origin info", BUILDER),
    absent("origin invitations accept", BUILDER),
    absent("origin invitations ignore", BUILDER),
    absent("origin invitations list", BUILDER),
    absent("origin invitations pending", BUILDER),
    absent("origin invitations rescind", BUILDER),
    absent("origin invitations send", BUILDER),
    absent("origin key download", KEYS),
    absent("origin key upload", KEYS),
    absent("origin rbac set", BUILDER),
    absent("origin rbac show", BUILDER),
    absent("origin transfer", BUILDER),
    absent("pkg bulkupload", ARCHIVES),
    absent("pkg channels", ARCHIVES),
    absent("pkg delete", ARCHIVES),
    absent("pkg demote", ARCHIVES),
    absent("pkg download", ARCHIVES),
    absent("pkg promote", ARCHIVES),
    absent("pkg search", ARCHIVES),
    absent("pkg upload", ARCHIVES),
    absent(
        "plan init",
        "Create a directory with an executable file hooks/run, and run it: `hab sup run DIR`. The \
         user guide starts with one.",
    ),
    absent(
        "studio",
        "Roost runs a directory as it is: `hab sup run DIR`; `hab pkg build DIR` makes a package \
         of one.",
    ),
    absent(
        "supportbundle",
        "Pack the needed files yourself, without the secrets CTL_SECRET and *.key: `tar --exclude \
         CTL_SECRET --exclude '*.key' -czf bundle.tar.gz /hab/sup`, and the log: `journalctl -u \
         hab-sup`.",
    ),
];

/// The message for a command line whose command Roost does not have.
pub(crate) fn answer(program: &Command, arguments: &[String]) -> Option<String> {
    let mut words: Vec<&str> =
        arguments.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
    if words.first() == Some(&"help") {
        words.remove(0);
    }
    // Commands of the program take precedence, even below a group of these words.
    if has(program, &words) {
        return None;
    }
    let found = ABSENT.iter().find(|absent| begins_with(&words, absent.words));
    if let Some(absent) = found {
        return Some(format!("hab {}: {}", absent.words, absent.instead));
    }
    // A group alone, such as `hab origin`.
    let group = words.join(" ");
    let first = ABSENT.iter().find(|absent| absent.words.starts_with(&format!("{group} ")));
    first.filter(|_| !group.is_empty()).map(|absent| format!("hab {group}: {}", absent.instead))
}

/// Whether the words, as far as they are commands, are a group or command of the program.
fn has(program: &Command, words: &[&str]) -> bool {
    let mut command = program;
    for word in words {
        if !command.has_subcommands() {
            return true;
        }
        match command.find_subcommand(word) {
            Some(inner) => command = inner,
            None => return false,
        }
    }
    true
}

fn begins_with(words: &[&str], command: &str) -> bool {
    let command: Vec<&str> = command.split(' ').collect();
    words.starts_with(&command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn answer_of(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        answer(&cli::command(), &words)
    }

    #[test]
    fn an_absent_command_prints_one_line() {
        for line in [
            "studio enter -k acme",
            "studio --help",
            "help studio",
            "origin key upload acme",
            "bldr channel",
            "plan init web",
        ] {
            let text = answer_of(line).unwrap_or_else(|| panic!("{line}"));
            assert!(text.starts_with("hab ") && !text.contains('\n'), "{text}");
        }
        for line in ["svc load x", "plan render x", "nonsense", "--version", "plan", "sup term"] {
            assert_eq!(answer_of(line), None, "{line}");
        }
    }

    #[test]
    fn no_command_is_both_present_and_absent() {
        let program = cli::command();
        for absent in ABSENT {
            let words: Vec<&str> = absent.words.split(' ').collect();
            assert!(!has(&program, &words), "{} exists: remove it from the list", absent.words);
            assert!(absent.instead.ends_with('.'), "{}", absent.words);
        }
    }
}
