//! Syntax of metafiles, the small text files in a package's root
//! (reference: packages §4.5 to §4.7).
//!
//! Pure parsers from text to facts or to the faulty line. White space around the whole content is
//! ignored; lines inside it are taken literally.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use roost_ident::{Hook, PackageIdent, ShutdownSignal};

use crate::read::ReadError;

/// Largest metafile, and largest `default.toml`, in bytes.
pub const MAX_METAFILE_BYTES: u64 = 1024 * 1024;

/// Default seconds between the shutdown signal and SIGKILL.
pub const DEFAULT_SHUTDOWN_TIMEOUT_S: u32 = 8;

/// Why the facts of a package could not be read. The text names file, line and remedy.
#[derive(Debug, thiserror::Error)]
pub enum MetafileError {
    /// A metafile cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A metafile is malformed.
    #[error("{}:{line}: {problem}", path.display())]
    Syntax {
        /// The affected path.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The problem and its remedy.
        problem: String,
    },
    /// A dependency is needed to compute the environment and is not installed.
    #[error("{}:{line}: Cannot find package: {ident}; install it", path.display())]
    MissingDependency {
        /// The metafile that names the dependency.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The dependency.
        ident: String,
    },
    /// The identifier is not fully qualified, or cannot be a path.
    #[error(
        "Fully-qualified package identifier was expected, but found: \"{0}\"; \
         write origin/name/version/release"
    )]
    NotARelease(String),
}

/// A fault in the text of a metafile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line number, from 1.
    pub line: usize,
    /// The problem and its remedy.
    pub problem: String,
}

impl Fault {
    /// Adds the path of the file.
    #[must_use]
    pub fn within(self, path: &Path) -> MetafileError {
        MetafileError::Syntax { path: path.into(), line: self.line, problem: self.problem }
    }
}

/// A bind as declared by a package: a name, and the keys that the other side must export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageBind {
    /// Name of the bind.
    pub name: String,
    /// Required keys; empty when any service satisfies the bind.
    pub exports: Vec<String>,
}

/// Whether hooks of a package may rely on the interpreter package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PackageType {
    /// Hooks have the interpreter's directories in `PATH`.
    #[default]
    Standard,
    /// Hooks have only the programs of the machine.
    Native,
}

/// Lines with their numbers in the file, without white space around the whole text.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let body = text.trim_start();
    let skipped = text[..text.len() - body.len()].matches('\n').count();
    body.trim_end().lines().enumerate().map(move |(index, line)| (skipped + index + 1, line))
}

/// The single value of a file, with its line. It may contain blanks.
fn word(text: &str) -> (usize, &str) {
    let line = lines(text).next().map_or(1, |(line, _)| line);
    (line, text.trim())
}

/// `DEPS`, `TDEPS`: one fully qualified identifier per line.
///
/// # Errors
/// When a line is not such an identifier, including an empty line in the middle.
pub fn parse_idents(text: &str) -> Result<Vec<(usize, PackageIdent)>, Fault> {
    lines(text)
        .map(|(line, entry)| {
            let ident = entry.parse::<PackageIdent>().and_then(PackageIdent::validate);
            let problem = match ident {
                Ok(ident) if ident.is_fully_qualified() => return Ok((line, ident)),
                Ok(_) => "Fully-qualified package identifier was expected, but found",
                Err(_) => "Invalid package identifier",
            };
            let problem = format!("{problem}: \"{entry}\"; write origin/name/version/release");
            Err(Fault { line, problem })
        })
        .collect()
}

/// `BINDS`, `BINDS_OPTIONAL`: `name=key key` per line, in file order. Everything after a second `=`
/// is ignored.
///
/// # Errors
/// When a line has no `=`, including an empty line in the middle.
pub fn parse_binds(text: &str) -> Result<Vec<PackageBind>, Fault> {
    lines(text)
        .map(|(line, entry)| {
            let mut pieces = entry.split('=');
            let (Some(name), Some(keys)) = (pieces.next(), pieces.next()) else {
                let problem = format!("'{entry}' is not a bind; write name=key key");
                return Err(Fault { line, problem });
            };
            Ok(PackageBind {
                name: name.into(),
                exports: keys.split_whitespace().map(Into::into).collect(),
            })
        })
        .collect()
}

/// `EXPORTS`, `RUNTIME_ENVIRONMENT`, `RUNTIME_ENVIRONMENT_PATHS`: `key=value` per line, split at
/// the first `=`; the later of two equal keys wins. `form` is the expected form, for the error.
///
/// # Errors
/// When a line has no `=`.
pub fn parse_pairs(text: &str, form: &str) -> Result<BTreeMap<String, String>, Fault> {
    lines(text)
        .map(|(line, entry)| {
            let (key, value) = entry.split_once('=').ok_or_else(|| Fault {
                line,
                problem: format!("'{entry}' has no '='; write {form}"),
            })?;
            Ok((key.into(), value.into()))
        })
        .collect()
}

/// `EXPOSES`: unchecked words.
#[must_use]
pub fn parse_exposes(text: &str) -> Vec<String> {
    text.split_whitespace().map(Into::into).collect()
}

/// `PATH`: the entries inside `/hab/pkgs/O/N/V/R` of the package itself. Entries and identifier are
/// logical paths, without `FS_ROOT`.
#[must_use]
pub fn parse_path(text: &str, ident: &PackageIdent) -> Vec<String> {
    let own = Path::new("/hab/pkgs").join(ident.to_string());
    let inside = |entry: &&str| Path::new(entry).starts_with(&own);
    text.trim().split(':').filter(inside).map(Into::into).collect()
}

/// `PACKAGE_TYPE`.
///
/// # Errors
/// When the word is neither `standard` nor `native`.
pub fn parse_type(text: &str) -> Result<PackageType, Fault> {
    match word(text) {
        (_, "standard") => Ok(PackageType::Standard),
        (_, "native") => Ok(PackageType::Native),
        (line, other) => {
            let problem = format!("Invalid package type: {other}. Write standard or native");
            Err(Fault { line, problem })
        }
    }
}

/// `SHUTDOWN_SIGNAL`.
///
/// # Errors
/// When the word is not a signal name in upper case without `SIG`.
pub fn parse_signal(text: &str) -> Result<ShutdownSignal, Fault> {
    let (line, name) = word(text);
    name.parse().map_err(|_| {
        let known: Vec<_> = ShutdownSignal::ALL.iter().map(|signal| signal.as_str()).collect();
        let known = known.join(", ");
        Fault { line, problem: format!("Failed to parse '{name}' as a signal; use one of {known}") }
    })
}

/// `SHUTDOWN_TIMEOUT`: seconds.
///
/// # Errors
/// When it is not an unsigned 32-bit number.
pub fn parse_timeout_s(text: &str) -> Result<u32, Fault> {
    let (line, number) = word(text);
    number.parse().map_err(|error| Fault {
        line,
        problem: format!("'{number}' is not a number of seconds ({error}); write a decimal number"),
    })
}

/// `HOOK_TIMEOUTS`, a metafile of Roost: `hook=seconds` per line, how long each hook may run.
///
/// # Errors
/// Not the name of a hook with a limit, or not a number of seconds above 0.
pub fn parse_hook_timeouts(text: &str) -> Result<BTreeMap<Hook, u32>, Fault> {
    let limited = |hook: &Hook| *hook != Hook::Run;
    lines(text)
        .map(|(line, entry)| {
            let fault = |problem| Fault { line, problem };
            let Some((name, seconds)) = entry.split_once('=') else {
                return Err(fault(format!("'{entry}' is not a limit; write hook=seconds")));
            };
            let hook = name.parse::<Hook>().ok().filter(limited).ok_or_else(|| {
                let known: Vec<_> = Hook::ALL
                    .iter()
                    .filter(|hook| limited(hook))
                    .map(|hook| hook.as_str())
                    .collect();
                fault(format!(
                    "'{name}' is not a hook with a limit; use one of {}",
                    known.join(", ")
                ))
            })?;
            let seconds = seconds.parse().ok().filter(|seconds| *seconds > 0).ok_or_else(|| {
                fault(format!("'{seconds}' is not a number of seconds above 0 for '{hook}'"))
            })?;
            Ok((hook, seconds))
        })
        .collect()
}

/// `INSTALL_HOOK_STATUS`: the exit code of the install hook.
///
/// # Errors
/// When it is not a number.
pub fn parse_hook_status(text: &str) -> Result<i32, Fault> {
    let (line, number) = word(text);
    number.parse().map_err(|error| Fault {
        line,
        problem: format!(
            "'{number}' is not an exit code ({error}); remove the file to run the install hook again"
        ),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_of_hooks_name_a_hook_and_a_time() {
        let limits = parse_hook_timeouts("init=7200\nuninstall=5\n").unwrap();
        assert_eq!(limits, [(Hook::Init, 7200), (Hook::Uninstall, 5)].into());
        for (text, problem) in [
            ("init", "'init' is not a limit; write hook=seconds"),
            ("run=5", "'run' is not a hook with a limit; use one of "),
            ("nosuch=5", "'nosuch' is not a hook with a limit"),
            ("init=0", "'0' is not a number of seconds above 0 for 'init'"),
            ("init=-1", "'-1' is not"),
            ("init=99999999999", "'99999999999' is not"),
        ] {
            let fault = parse_hook_timeouts(&format!("post-run=1\n{text}\n")).unwrap_err();
            assert!(fault.line == 2 && fault.problem.starts_with(problem), "{fault:?}");
        }
    }

    #[test]
    fn white_space_around_the_content_does_not_count() {
        let idents = parse_idents("\n\n a/b/1/2\nc/d/3/4 \n\n").unwrap();
        assert_eq!(idents[0], (3, "a/b/1/2".parse().unwrap()));
        assert_eq!(idents[1], (4, "c/d/3/4".parse().unwrap()));
        assert_eq!(parse_idents(" \n").unwrap(), []);
        assert_eq!(parse_binds("").unwrap(), []);
        assert!(parse_pairs("\n", "k=v").unwrap().is_empty());
    }

    #[test]
    fn dependencies_are_fully_qualified() {
        let fault = parse_idents("a/b/1/2\na/b/1").unwrap_err();
        assert_eq!(
            fault,
            Fault {
                line: 2,
                problem: "Fully-qualified package identifier was expected, but found: \"a/b/1\"; \
                          write origin/name/version/release"
                    .into()
            }
        );
        assert_eq!(parse_idents("a/b/1/2\n\na/b/1/3").unwrap_err().line, 2);
        assert_eq!(parse_idents("a/../1/2").unwrap_err().line, 1);
    }

    #[test]
    fn binds_may_need_nothing_and_end_at_the_second_equals_sign() {
        let binds = parse_binds("db=port  host=ignored\nany=\n").unwrap();
        assert_eq!(binds[0].exports, ["port", "host"]);
        assert_eq!(binds[1], PackageBind { name: "any".into(), exports: vec![] });
        assert_eq!(parse_binds("db=port\n\nx=y").unwrap_err().line, 2);
        assert_eq!(
            parse_binds("db").unwrap_err().problem,
            "'db' is not a bind; write name=key key"
        );
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign_and_the_later_wins() {
        let pairs = parse_pairs("b=1\na=x=y\nb=2", "k=v").unwrap();
        assert_eq!(
            pairs.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), "x=y".to_owned()), ("b".to_owned(), "2".to_owned())]
        );
        let fault = parse_pairs("a=1\nport", "key=path.in.config").unwrap_err();
        assert_eq!(fault.line, 2);
        assert_eq!(fault.problem, "'port' has no '='; write key=path.in.config");
    }

    #[test]
    fn path_entries_of_others_are_dropped() {
        let ident = "a/b/1/2".parse().unwrap();
        let text = "/hab/pkgs/a/b/1/2/bin:/usr/bin::/hab/pkgs/a/b/1/22/bin:/r/hab/pkgs/a/b/1/2\n";
        assert_eq!(parse_path(text, &ident), ["/hab/pkgs/a/b/1/2/bin"]);
    }

    #[test]
    fn single_words_are_checked() {
        assert_eq!(parse_type("native\n").unwrap(), PackageType::Native);
        let fault = parse_type("\nNative").unwrap_err();
        assert_eq!(fault.line, 2);
        assert_eq!(fault.problem, "Invalid package type: Native. Write standard or native");
        assert_eq!(parse_signal("HUP\n").unwrap(), ShutdownSignal::Hup);
        let fault = parse_signal("SIGHUP").unwrap_err();
        assert!(fault.problem.starts_with("Failed to parse 'SIGHUP' as a signal"));
        assert_eq!(parse_timeout_s("3\n").unwrap(), 3);
        for bad in ["", "-1", "3s", "4294967296"] {
            assert!(parse_timeout_s(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_hook_status("-1\n").unwrap(), -1);
        assert!(parse_hook_status("ok").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "[a-z/=: \n\r\t0-9\u{85}ü]{0,60}") {
            let ident = "a/b/1/2".parse().unwrap();
            let _ = (parse_idents(&text), parse_binds(&text), parse_pairs(&text, "k=v"));
            let _ = (parse_type(&text), parse_signal(&text), parse_timeout_s(&text));
            let _ = (parse_hook_status(&text), parse_exposes(&text), parse_path(&text, &ident));
        }

        #[test]
        fn a_fault_names_a_line_of_the_file(text in "[a=\n/ ]{0,30}") {
            let count = text.lines().count().max(1);
            for fault in [parse_idents(&text).err(), parse_binds(&text).err(),
                          parse_pairs(&text, "k=v").err(), parse_timeout_s(&text).err()] {
                let Some(fault) = fault else { continue };
                prop_assert!(fault.line >= 1 && fault.line <= count, "{fault:?}");
            }
        }
    }
}
