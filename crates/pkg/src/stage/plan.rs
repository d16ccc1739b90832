//! Literal assignments of a `plan.sh`.
//!
//! A plan is a bash script; this reads it without running it. The variables of [`NEEDED`] are
//! taken where they are assigned a literal in the first column: a word, `'text'`, `"text"`, an
//! array `(a b)` or an associative array `([key]=value)`. Words may name variables that were
//! assigned before, such as `$pkg_name`, and `$pkg_svc_config_path` and its like. Any other line
//! that assigns one of them is refused, because its value cannot be known here. All other lines
//! are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::metafile::Fault;

/// Variables that say something about the service, and the key in `roost.toml` that says the same.
pub(super) const NEEDED: [(&str, &str); 12] = [
    ("pkg_origin", "origin"),
    ("pkg_name", "name"),
    ("pkg_version", "version"),
    ("pkg_exports", "exports"),
    ("pkg_exposes", "exposes"),
    ("pkg_binds", "binds"),
    ("pkg_binds_optional", "binds_optional"),
    ("pkg_svc_run", "hooks/run"),
    ("pkg_svc_user", "user"),
    ("pkg_svc_group", "group"),
    ("pkg_shutdown_signal", "shutdown_signal"),
    ("pkg_shutdown_timeout_sec", "shutdown_timeout"),
];

/// Values whose end is not found before a plan is refused: each costs reading the rest of it.
const UNCLOSED_MAX: usize = 64;

/// Longest word in bytes, with the variables in it written out.
const WORD_BYTES_MAX: usize = 64 * 1024;

/// Stands for the package's name in paths until the whole plan is read.
pub(super) const NAME_PLACEHOLDER: &str = "@__pkg_name__@";

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Word(String),
    Array(Vec<String>),
    Map(Vec<(String, String)>),
}

/// Values with the line of their assignment; the last assignment counts.
pub(super) type Variables = BTreeMap<&'static str, (usize, Value)>;

/// Reads the assignments of a plan. `settled` are variables that are known from elsewhere, whose
/// lines are not needed; `known` can be named in words.
pub(super) fn parse(
    text: &str,
    settled: &BTreeSet<&str>,
    known: BTreeMap<String, String>,
) -> Result<Variables, Fault> {
    let needed = |name: &str| {
        let found = NEEDED.iter().map(|(variable, _)| *variable).find(|found| *found == name);
        found.filter(|found| !settled.contains(found))
    };
    let mut variables = Variables::new();
    let mut reader = Reader { text, at: 0, known };
    let (mut line, mut counted, mut unclosed) = (1, 0, 0);
    while !reader.rest().is_empty() {
        let start = reader.at;
        line += text[counted..start].matches('\n').count();
        counted = start;
        match reader.assignment() {
            Some(name) if needed(name).is_some() => {
                let value =
                    reader.value().and_then(|value| reader.end_of_command().map(|()| value));
                let value = value.map_err(|why| refuse(name, reader.line(), &why))?;
                if let (Some(name), Value::Word(word)) = (needed(name), &value) {
                    reader.known.insert(name.into(), word.clone());
                }
                variables.extend(needed(name).map(|name| (name, (line, value))));
            }
            // Another variable: its value may span lines that look like assignments.
            Some(_) => {
                if reader.skip_value().is_none() {
                    reader.at = start;
                    unclosed += 1;
                }
                if unclosed > UNCLOSED_MAX {
                    let problem = format!(
                        "this is one of more than {UNCLOSED_MAX} values without a closing quote \
                         or parenthesis; close them, or say in roost.toml what the plan says"
                    );
                    return Err(Fault { line, problem });
                }
                reader.next_line();
            }
            None => {
                reader.at = start;
                let physical = reader.next_line();
                if let Some(name) = mentioned(physical).and_then(needed) {
                    return Err(refuse(name, line, "it is assigned in a way that needs bash"));
                }
            }
        }
    }
    Ok(variables)
}

fn refuse(name: &str, line: usize, why: &str) -> Fault {
    let key = NEEDED.iter().find(|(variable, _)| *variable == name).map_or("", |(_, key)| *key);
    let instead = match key {
        "hooks/run" => "write hooks/run".to_owned(),
        key => format!("set '{key}' in roost.toml"),
    };
    let problem = format!(
        "the value of {name} is not known without running the plan: {why}; \
         assign it a literal in the first column, or {instead}"
    );
    Fault { line, problem }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The variable of [`NEEDED`] that a line assigns or defines anywhere in it.
fn mentioned(line: &str) -> Option<&'static str> {
    let code = line.trim_start();
    let code = if code.starts_with('#') { "" } else { code.split(" #").next().unwrap_or(code) };
    NEEDED.iter().map(|(name, _)| *name).find(|name| {
        code.match_indices(name).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let after = &code[at + name.len()..];
            let whole = before.is_none_or(|c| !is_name_char(c) && !matches!(c, '$' | '{' | '-'));
            let assigned = after.starts_with(['=', '[']) || after.starts_with("+=");
            whole && (assigned || after.trim_start().starts_with("()"))
        })
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    known: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        self.text[..self.at].matches('\n').count() + 1
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Goes behind the end of the line and gives what was left of it.
    fn next_line(&mut self) -> &'a str {
        let line = self.take_while(|c| c != '\n');
        self.eat("\n");
        line
    }

    /// The name of a plain assignment that begins here; stands behind its `=` then.
    fn assignment(&mut self) -> Option<&'a str> {
        while self.eat("declare -A ") || self.eat("export ") || self.eat("readonly ") {}
        let name = self.take_while(is_name_char);
        (!name.is_empty() && self.eat("=")).then_some(name)
    }

    /// Goes behind blanks, joined lines and, if asked to, line ends and comments.
    fn skip_blanks(&mut self, lines: bool) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\r') || lines && c == '\n');
            if lines && self.peek() == Some('#') {
                self.take_while(|c| c != '\n');
            } else if !self.eat("\\\n") {
                return;
            }
        }
    }

    fn end_of_command(&mut self) -> Result<(), String> {
        let spaced = self.at;
        self.skip_blanks(false);
        if self.eat(";") {
            self.skip_blanks(false);
        }
        match self.peek() {
            None => Ok(()),
            Some('\n') => {
                self.take();
                Ok(())
            }
            Some('#') if self.at > spaced => {
                self.next_line();
                Ok(())
            }
            Some(_) => {
                let rest = self.rest().lines().next().unwrap_or_default();
                let rest: String = rest.chars().take(40).collect();
                Err(format!("'{rest}' follows it in the same line"))
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        if !self.eat("(") {
            return self.word().map(Value::Word);
        }
        let (mut items, mut pairs) = (Vec::new(), Vec::new());
        loop {
            self.skip_blanks(true);
            match self.peek() {
                None => return Err("its '(' is not closed".into()),
                Some(')') => break,
                Some('[') => {
                    self.take();
                    let key = self.key()?;
                    pairs.push((key, self.word()?));
                }
                Some(';') => return Err("';' is not literal outside of quotes".into()),
                Some(_) => items.push(self.word()?),
            }
        }
        self.take();
        match (items.is_empty(), pairs.is_empty()) {
            (_, true) => Ok(Value::Array(items)),
            (true, false) => Ok(Value::Map(pairs)),
            (false, false) => Err("it mixes words and [key]=value".into()),
        }
    }

    /// A key behind its `[`, up to and with `]=`.
    fn key(&mut self) -> Result<String, String> {
        let raw = self.take_while(|c| !matches!(c, ']' | '\n'));
        let plain = raw.trim_matches(['"', '\'']);
        if !self.eat("]=") {
            return Err(format!("'[{raw}' is not followed by ']='"));
        }
        if plain.is_empty() || plain.contains(['$', '`', '\\', '"', '\'']) {
            return Err(format!("the key '{raw}' is no literal"));
        }
        Ok(plain.into())
    }

    /// A word of plain, single-quoted and double-quoted pieces; may be empty.
    fn word(&mut self) -> Result<String, String> {
        let mut word = String::new();
        let start = self.at;
        loop {
            match self.peek() {
                None | Some(' ' | '\t' | '\r' | '\n' | ';' | ')') => break,
                Some('\'') => {
                    self.take();
                    word.push_str(self.take_while(|c| c != '\''));
                    if !self.eat("'") {
                        return Err("its quote is not closed".into());
                    }
                }
                Some('"') => {
                    self.take();
                    self.double_quoted(&mut word)?;
                }
                Some('$') => self.expansion(&mut word)?,
                Some('\\') => {
                    self.take();
                    match self.take() {
                        Some('\n') => {}
                        Some(c) => word.push(c),
                        None => return Err("it ends in a backslash".into()),
                    }
                }
                Some('~') if self.at > start => word.extend(self.take()),
                Some('#') if self.at > start => word.extend(self.take()),
                Some(
                    c @ ('`' | '*' | '?' | '[' | '{' | '<' | '>' | '|' | '&' | '(' | '~' | '#'),
                ) => return Err(format!("'{c}' is not literal outside of quotes")),
                Some(_) => word.extend(self.take()),
            }
        }
        Ok(word)
    }

    /// The rest of a double-quoted piece, with its closing quote.
    fn double_quoted(&mut self, word: &mut String) -> Result<(), String> {
        loop {
            match self.peek() {
                None => return Err("its quote is not closed".into()),
                Some('$') => self.expansion(word)?,
                Some('`') => return Err("'`' runs a command".into()),
                Some('"') => {
                    self.take();
                    return Ok(());
                }
                Some('\\') => {
                    self.take();
                    match self.take() {
                        Some('\n') => {}
                        Some(c @ ('$' | '`' | '"' | '\\')) => word.push(c),
                        Some(c) => word.extend(['\\', c]),
                        None => return Err("its quote is not closed".into()),
                    }
                }
                Some(c) => {
                    self.take();
                    word.push(c);
                }
            }
        }
    }

    /// Adds `$name` or `${name}` of a known variable to a word.
    fn expansion(&mut self, word: &mut String) -> Result<(), String> {
        self.take();
        let braced = self.eat("{");
        let name = self.take_while(is_name_char);
        let closed = !braced || self.eat("}");
        match self.known.get(name) {
            Some(value) if closed && word.len() + value.len() > WORD_BYTES_MAX => {
                Err(format!("it is longer than {WORD_BYTES_MAX} bytes"))
            }
            Some(value) if closed => {
                word.push_str(value);
                Ok(())
            }
            _ if name.is_empty() || !closed => Err("'$' is not literal".into()),
            _ => Err(format!("'${name}' is not known")),
        }
    }

    /// Goes behind a value without understanding it; `None` when its end cannot be found.
    fn skip_value(&mut self) -> Option<()> {
        let array = self.eat("(");
        loop {
            match self.peek() {
                None => return (!array).then_some(()),
                Some('\n') if !array => return Some(()),
                Some(')') if array => {
                    self.take();
                    return Some(());
                }
                Some('\\') => {
                    self.take();
                    self.take();
                }
                Some('#') if self.text[..self.at].ends_with([' ', '\t', '\n', '(']) => {
                    self.take_while(|c| c != '\n');
                }
                Some(quote @ ('"' | '\'')) => {
                    self.take();
                    loop {
                        match self.take()? {
                            c if c == quote => break,
                            '\\' if quote == '"' => {
                                self.take();
                            }
                            _ => {}
                        }
                    }
                }
                Some(_) => {
                    self.take();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Variables, Fault> {
        let known = BTreeMap::from([("pkg_svc_data_path".into(), "/d/@__pkg_name__@".into())]);
        parse(text, &BTreeSet::new(), known)
    }

    fn word(text: &str) -> String {
        match read(&format!("pkg_name={text}\n")).unwrap().remove("pkg_name") {
            Some((1, Value::Word(word))) => word,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn words_are_literal_or_quoted() {
        for (text, expected) in [
            ("redis", "redis"),
            ("'a b'", "a b"),
            ("\"a b\"", "a b"),
            (r#""a \"b\" \n \\""#, r#"a "b" \n \"#),
            ("a'b'\"c\"d", "abcd"),
            ("1.0~rc1#2", "1.0~rc1#2"),
            ("a\\\nb", "ab"),
            ("a\\ b", "a b"),
            ("", ""),
            ("x # a comment", "x"),
            ("x;", "x"),
            ("x \\\n  ", "x"),
            ("\"$pkg_svc_data_path/x\"", "/d/@__pkg_name__@/x"),
            ("${pkg_svc_data_path}", "/d/@__pkg_name__@"),
        ] {
            assert_eq!(word(text), expected, "{text}");
        }
    }

    #[test]
    fn arrays_may_span_lines_and_hold_comments() {
        let text = "pkg_exposes=(port # main\n  \"ssl-port\"\n)\n\
                    pkg_exports=(\n  [port]=http.port\n  [\"host\"]=\"http.host\" # x\n)\n\
                    declare -A pkg_binds=( [db]=\"port host\" )\n";
        let read = read(text).unwrap();
        let array = Value::Array(vec!["port".into(), "ssl-port".into()]);
        assert_eq!(read["pkg_exposes"], (1, array));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let exports = vec![pair("port", "http.port"), pair("host", "http.host")];
        assert_eq!(read["pkg_exports"], (4, Value::Map(exports)));
        assert_eq!(read["pkg_binds"], (8, Value::Map(vec![pair("db", "port host")])));
    }

    #[test]
    fn earlier_words_can_be_named() {
        let read = read("pkg_name=app\npkg_svc_run=\"$pkg_name -c ${pkg_name}.conf\"\n").unwrap();
        assert_eq!(read["pkg_svc_run"].1, Value::Word("app -c app.conf".into()));
    }

    #[test]
    fn lines_that_need_bash_are_refused_with_their_number() {
        for text in [
            "pkg_version=$(git describe)",
            "pkg_version=`date`",
            "pkg_version=\"$(date)\"",
            "pkg_version=${VERSION:-1}",
            "pkg_version=\"$VERSION\"",
            "pkg_version=1 pkg_name=x",
            "pkg_version+=1",
            "pkg_version[0]=1",
            "pkg_version() {",
            "pkg_version ()",
            "  pkg_version=1",
            "if true; then pkg_version=1; fi",
            "local pkg_version=1",
            "pkg_version=(a",
            "pkg_version=\"a",
            "pkg_version='a",
            "pkg_version=(a [b]=c)",
            "pkg_version=([$b]=c)",
            "pkg_version=a&&b",
            "pkg_version=(a;b)",
            "pkg_version=~/x",
            "pkg_version=a\\",
        ] {
            let fault = read(&format!("# a plan\n{text}")).expect_err(text);
            assert_eq!(fault.line, 2, "{text}");
            assert!(fault.problem.contains("pkg_version"), "{text}: {fault:?}");
            assert!(fault.problem.contains("set 'version' in roost.toml"), "{fault:?}");
        }
    }

    #[test]
    fn other_lines_do_not_matter() {
        let text = "pkg_description=\"a\npkg_name=$(no)\n\"\n\
                    pkg_deps=(core/glibc\n pkg_name=$x\n)\n\
                    pkg_license='x\n'\n# pkg_name=$y\nfoo # pkg_name=$z\n\
                    do_build() {\n  make \"$pkg_name\" --x=${pkg_name}\n  return 0\n}\n\
                    echo ${pkg_version[0]} ${pkg_name=x}; ./configure --pkg_name=x\n\
                    pkg_source=http://x/${pkg_name}-$(uname).tgz\n\
                    my_pkg_name=$1\npkg_name=app";
        let read = read(text).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read["pkg_name"].1, Value::Word("app".into()));
    }

    #[test]
    fn marks_in_comments_and_words_of_other_values_open_nothing() {
        for text in ["x=1 # don't\npkg_name=a\n# don't", "x=(a#b)\npkg_name=a\ny=(c)"] {
            assert_eq!(read(text).unwrap()["pkg_name"], (2, Value::Word("a".into())), "{text}");
        }
    }

    #[test]
    fn values_without_end_are_passed_over_but_not_for_ever() {
        let plan = |count: usize| "x=(\n".repeat(count) + "pkg_name=a";
        assert_eq!(read(&plan(64)).unwrap()["pkg_name"], (65, Value::Word("a".into())));
        assert_eq!(read(&plan(65)).unwrap_err().line, 65);
    }

    #[test]
    fn words_that_name_themselves_do_not_grow_without_end() {
        let plan = "pkg_name=a\n".to_owned() + &"pkg_name=$pkg_name\"$pkg_name\"\n".repeat(40);
        assert!(read(&plan).unwrap_err().problem.contains("longer than 65536 bytes"));
    }

    #[test]
    fn what_is_settled_elsewhere_is_not_needed() {
        let settled = BTreeSet::from(["pkg_version"]);
        let read =
            parse("pkg_version=$(x)\npkg_name=a\n  pkg_version=1", &settled, BTreeMap::new());
        assert_eq!(read.unwrap().keys().copied().collect::<Vec<_>>(), ["pkg_name"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(pkg_name=|pkg_exports=|[]\\[()\"'$\\\\ \n#=a{}~ü;`])*") {
            let _ = read(&text);
        }

        #[test]
        fn single_quotes_keep_everything(inner in "[^']{0,20}") {
            prop_assert_eq!(word(&format!("'{inner}'")), inner);
        }
    }
}
