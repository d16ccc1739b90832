//! What a plan says about packaging, beyond what staging reads: literal words and arrays.

use std::path::Path;

use super::BuildError;
use crate::{
    metafile::{Fault, MAX_METAFILE_BYTES},
    read::read_text,
};

/// What a directory says about its package. Without a plan everything is empty but the programs.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) has_plan: bool,
    /// The plan itself, for the manifest.
    pub(super) plan: Option<String>,
    pub(super) dependencies: Vec<String>,
    pub(super) build_dependencies: Vec<String>,
    /// Directories of programs, relative to the package; `None` where nothing is said.
    pub(super) bin_dirs: Option<Vec<String>>,
    pub(super) lib_dirs: Vec<String>,
    pub(super) include_dirs: Vec<String>,
    pub(super) pconfig_dirs: Vec<String>,
    pub(super) interpreters: Vec<String>,
    pub(super) description: String,
    pub(super) maintainer: String,
    pub(super) license: String,
    pub(super) upstream_url: String,
    pub(super) source: String,
    pub(super) shasum: String,
}

/// Reads the plan of a directory.
pub(super) fn read(dir: &Path) -> Result<Declared, BuildError> {
    let target = roost_ident::PackageTarget::active().to_string();
    let places =
        [format!("{target}/"), format!("habitat/{target}/"), String::new(), "habitat/".into()];
    for place in places {
        let path = dir.join(format!("{place}plan.sh"));
        if let Some(text) = read_text(&path, MAX_METAFILE_BYTES)? {
            return parse(&text).map_err(|fault| BuildError::fault(&path, fault));
        }
    }
    Ok(Declared::default())
}

fn parse(text: &str) -> Result<Declared, Fault> {
    let list = |name: &str| Ok::<_, Fault>(values(text, name)?.unwrap_or_default());
    let word = |name: &str| Ok::<_, Fault>(list(name)?.join(" "));
    // Where free text is computed, it is left out; where dependencies are, nobody knows them.
    let text_of = |name: &str| word(name).unwrap_or_default();
    Ok(Declared {
        has_plan: true,
        plan: Some(text.into()),
        dependencies: list("pkg_deps")?,
        build_dependencies: list("pkg_build_deps")?,
        bin_dirs: values(text, "pkg_bin_dirs")?,
        lib_dirs: list("pkg_lib_dirs")?,
        include_dirs: list("pkg_include_dirs")?,
        pconfig_dirs: list("pkg_pconfig_dirs")?,
        interpreters: list("pkg_interpreters")?,
        description: text_of("pkg_description"),
        maintainer: text_of("pkg_maintainer"),
        license: text_of("pkg_license"),
        upstream_url: text_of("pkg_upstream_url"),
        source: text_of("pkg_source"),
        shasum: text_of("pkg_shasum"),
    })
}

/// The words of the last assignment of a variable: `name=word`, `name="text"`, `name=(a b)`, over
/// several lines if need be. `None` when it is not assigned.
fn values(text: &str, name: &str) -> Result<Option<Vec<String>>, Fault> {
    let mut found = None;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix(name);
        let value_at = match rest {
            Some(rest) if rest.starts_with('=') => Some(at + name.len() + 1),
            Some(rest) if rest.starts_with("+=") => {
                return Err(unknown(name, number + 1, "'+='"));
            }
            _ => None,
        };
        if let Some(value_at) = value_at {
            let value = words(&text[value_at..]);
            found = Some(value.map_err(|what| unknown(name, number + 1, what))?);
        }
        at += line.len();
    }
    Ok(found)
}

fn unknown(name: &str, line: usize, what: &str) -> Fault {
    let problem = format!(
        "the value of {name} needs bash ({what}), which is not run; assign it literal words"
    );
    Fault { line, problem }
}

/// Words up to the end of a value.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let (is_array, text) = text.strip_prefix('(').map_or((false, text), |rest| (true, rest));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some('$' | '`') if c == '"' => return Err("'$'"),
                        Some('\\') if c == '"' => word.extend(chars.next()),
                        Some(other) => word.push(other),
                        None => return Err("a quote that is not closed"),
                    }
                }
            }
            '$' | '`' | '*' | '?' => return Err("'$', '`', '*' or '?'"),
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            ')' if is_array => {
                words.extend(word);
                return Ok(words);
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                other => word.get_or_insert_default().extend(other),
            },
            c if c.is_whitespace() => {
                words.extend(word.take());
                if !is_array {
                    return Ok(words);
                }
            }
            ';' | '&' | '|' if !is_array => {
                words.extend(word);
                return Ok(words);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    if is_array {
        return Err("'(' without ')'");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_arrays_are_read_and_what_needs_bash_is_refused() {
        let plan = "pkg_deps=(core/a # one\n  'core/b' \"core/c\"\n)\npkg_license=('MIT' \"BSD 3\")\n\
                    pkg_bin_dirs=(bin)\npkg_description=\"Says \\\"hello\\\"\"\npkg_source=$base/x\n";
        let declared = parse(plan).expect("literal");
        assert_eq!(declared.dependencies, ["core/a", "core/b", "core/c"]);
        assert_eq!(declared.bin_dirs.as_deref(), Some(&["bin".to_owned()][..]));
        assert_eq!(declared.license, "MIT BSD 3");
        assert_eq!(declared.description, "Says \"hello\"");
        assert_eq!(declared.source, "");
        for plan in ["x=1\npkg_deps=($(deps))\n", "\npkg_deps+=(a/b)\n", "\npkg_deps=(a/b\n"] {
            let fault = parse(plan).expect_err(plan);
            assert_eq!(fault.line, 2, "{plan}");
            assert!(fault.problem.contains("pkg_deps"), "{}", fault.problem);
        }
    }
}
