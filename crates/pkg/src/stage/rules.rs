//! What does not belong to the service in a service directory.
//!
//! Rules have the syntax of `.gitignore`; the last matching one decides, and `!` includes an entry
//! again. They come from this module, from `.habignore` files, which apply to their directory, and
//! from `ignore` in `roost.toml`.

use std::sync::OnceLock;

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use crate::metafile::Fault;

/// The file with rules.
pub(super) const FILE: &str = ".habignore";
/// Largest file with rules in bytes.
pub(super) const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Marks cache directories of programs (`bford.info/cachedir`).
pub(super) const CACHE_TAG: &str = "CACHEDIR.TAG";
/// Start of a valid mark.
pub(super) const CACHE_SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

/// Everywhere: files of editors and version control.
const EVERYWHERE: &[&str] = &[
    "*~",
    "*.bak",
    "*.sw?",
    "4913",
    "\\#*\\#",
    ".\\#*",
    "*___jb_tmp___",
    "*___jb_old___",
    ".goutputstream-*",
    ".nfs*",
    ".DS_Store",
    ".habignore",
    ".git",
    ".hg/",
    ".svn/",
    ".bzr/",
    ".jj/",
    "CVS/",
    "_darcs/",
];
/// Outside of templates also: hidden files, and output of commands.
const OUTSIDE_OF_TEMPLATES: &[&str] = &[".*", "__pycache__/", "/results/"];

/// The decision of the rules about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does not belong to the service.
    Out,
    /// A rule includes it.
    In,
    /// No rule matches.
    Unsaid,
}

/// Rules of a directory and its parents.
#[derive(Debug, Clone)]
pub(super) struct Rules(Vec<Gitignore>);

impl Rules {
    /// The rules that apply in every directory.
    pub(super) fn common() -> Self {
        static RULES: OnceLock<[Gitignore; 2]> = OnceLock::new();
        let [outside, everywhere] = RULES.get_or_init(|| {
            [OUTSIDE_OF_TEMPLATES, EVERYWHERE].map(|lines| {
                let mut builder = GitignoreBuilder::new("/");
                for line in lines {
                    // A test checks these literals.
                    let _ = builder.add_line(None, line);
                }
                builder.build().unwrap_or_else(|_| Gitignore::empty())
            })
        });
        Self(vec![outside.clone(), everywhere.clone()])
    }

    /// These rules plus the lines of a directory's own file. `dir` is its path, empty for the top.
    pub(super) fn with<'a>(
        &self,
        dir: &str,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Fault> {
        let mut builder = GitignoreBuilder::new(format!("/{dir}"));
        for (index, line) in lines.into_iter().enumerate() {
            let fault = |error: &ignore::Error| Fault {
                line: index + 1,
                problem: format!("'{line}' is not a rule as in .gitignore: {error}"),
            };
            builder.add_line(None, line.trim_end_matches('\r')).map_err(|error| fault(&error))?;
        }
        let rules =
            builder.build().map_err(|error| Fault { line: 1, problem: error.to_string() })?;
        let mut all = self.0.clone();
        all.push(rules);
        Ok(Self(all))
    }

    /// The decision about a path below the top.
    pub(super) fn verdict(&self, path: &str, is_dir: bool) -> Verdict {
        self.decide(&self.0, path, is_dir)
    }

    /// The decision about a template, where hidden files count.
    pub(super) fn verdict_on_template(&self, path: &str, is_dir: bool) -> Verdict {
        self.decide(&self.0[1..], path, is_dir)
    }

    fn decide(&self, rules: &[Gitignore], path: &str, is_dir: bool) -> Verdict {
        let path = format!("/{path}");
        for rules in rules.iter().rev() {
            match rules.matched(&path, is_dir) {
                Match::Ignore(_) => return Verdict::Out,
                Match::Whitelist(_) => return Verdict::In,
                Match::None => {}
            }
        }
        Verdict::Unsaid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editors_version_control_and_own_output_are_left_out() {
        let rules = Rules::common();
        for (path, is_dir, out) in [
            ("server", false, false),
            ("bin/server~", false, true),
            ("bin/.server.swp", false, true),
            ("bin/server.swx", false, true),
            ("bin/server.bak", false, true),
            ("4913", false, true),
            ("web/4913", false, true),
            ("web/49130", false, false),
            ("#web#", false, true),
            (".#web", false, true),
            ("#web", false, false),
            (".git", true, true),
            (".git", false, true),
            (".env", false, true),
            ("CVS", true, true),
            ("CVS", false, false),
            ("results", true, true),
            ("web/results", true, false),
            ("results", false, false),
            ("lib/__pycache__", true, true),
        ] {
            assert_eq!(rules.verdict(path, is_dir) == Verdict::Out, out, "{path}");
        }
        for (path, is_dir, out) in [
            ("config/.htaccess", false, false),
            ("config/.git", true, true),
            ("config/.#a.conf", false, true),
            ("config/.a.conf.swp", false, true),
            ("config/a.conf~", false, true),
            ("config/results", true, false),
        ] {
            assert_eq!(rules.verdict_on_template(path, is_dir) == Verdict::Out, out, "{path}");
        }
    }

    #[test]
    fn users_rules_win_and_those_of_a_directory_hold_below_it() {
        let rules = Rules::common();
        let rules = rules.with("", ["# data", "*.log", "!results/", "/tmp/", "!.well-known/"]);
        let rules = rules.unwrap();
        assert_eq!(rules.verdict("web/a.log", false), Verdict::Out);
        assert_eq!(rules.verdict("results", true), Verdict::In);
        assert_eq!(rules.verdict("tmp", true), Verdict::Out);
        assert_eq!(rules.verdict("web/tmp", true), Verdict::Unsaid);
        assert_eq!(rules.verdict(".well-known", true), Verdict::In);
        let below = rules.with("web", ["/out", "!keep.log"]).unwrap();
        assert_eq!(below.verdict("web/out", false), Verdict::Out);
        assert_eq!(below.verdict("web/a/out", false), Verdict::Unsaid);
        assert_eq!(below.verdict("web/keep.log", false), Verdict::In);
    }

    #[test]
    fn an_invalid_rule_is_reported_with_its_line() {
        let fault = Rules::common().with("", ["*.log", "a{b"]).err();
        assert!(fault.is_none_or(|fault| fault.line == 2));
        let fault = Rules::common().with("", ["*.log", "[z-a]"]).unwrap_err();
        assert_eq!(fault.line, 2, "{fault:?}");
    }
}
