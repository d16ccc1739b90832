//! The lexical level of bash: where quotes, substitutions, comments and here-documents end.
//!
//! This level does not interpret anything. It skips each construct as bash would, so that text
//! inside one that looks like an assignment is not taken for one.

use std::collections::VecDeque;

/// Deepest nesting of substitutions.
const DEPTH_MAX: usize = 64;

/// A construct that is not closed, or nested too deeply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Offset of its beginning in bytes.
    pub(super) at: usize,
    /// The problem.
    pub(super) what: &'static str,
}

/// A here-document whose body begins after the end of the line.
#[derive(Debug, Clone)]
struct HereDocument {
    at: usize,
    delimiter: String,
    /// `<<-`: leading tabs of the delimiter are removed.
    tabs: bool,
}

/// A position in a script.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) at: usize,
    here: VecDeque<HereDocument>,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, here: VecDeque::new(), depth: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The text between two offsets.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        &self.text[from..to]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn before(&self) -> Option<char> {
        self.text[..self.at].chars().next_back()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    pub(super) fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Skips blanks and line continuations.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t'));
            if !self.eat("\\\n") {
                return;
            }
        }
    }

    /// Skips blanks, line ends and comments.
    pub(super) fn skip_lines(&mut self) -> Result<(), Broken> {
        loop {
            self.skip_blanks();
            match self.peek() {
                Some('\n') => self.line_end()?,
                Some('#') => self.skip_comment(),
                _ => return Ok(()),
            }
        }
    }

    /// Skips to the end of the line.
    pub(super) fn skip_comment(&mut self) {
        self.take_while(|c| c != '\n');
    }

    /// Skips the line end and the here-documents that begin there.
    pub(super) fn line_end(&mut self) -> Result<(), Broken> {
        self.eat("\n");
        while let Some(document) = self.here.pop_front() {
            loop {
                if self.rest().is_empty() {
                    let what = "a here-document without its last line";
                    return Err(Broken { at: document.at, what });
                }
                let line = self.take_while(|c| c != '\n');
                self.eat("\n");
                let line = if document.tabs { line.trim_start_matches('\t') } else { line };
                if line == document.delimiter {
                    break;
                }
            }
        }
        Ok(())
    }

    /// After a `<<` or `<<-`: records the here-document.
    pub(super) fn here_document(&mut self) -> Result<(), Broken> {
        let at = self.at;
        let tabs = self.eat("-");
        self.skip_blanks();
        let from = self.at;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => self.skip_single()?,
                '"' => self.skip_double()?,
                '\\' => {
                    self.take();
                    self.take();
                }
                _ => drop(self.take()),
            }
        }
        let delimiter = self.slice(from, self.at).replace(['\'', '"', '\\'], "");
        self.here.push_back(HereDocument { at, delimiter, tabs });
        Ok(())
    }

    /// Skips a single-quoted piece.
    pub(super) fn skip_single(&mut self) -> Result<(), Broken> {
        let at = self.at;
        self.take();
        self.take_while(|c| c != '\'');
        match self.eat("'") {
            true => Ok(()),
            false => Err(Broken { at, what: "a quote (') that is not closed" }),
        }
    }

    /// Skips the `'…'` of `$'…'`, where a backslash escapes a quote.
    pub(super) fn skip_ansi(&mut self) -> Result<(), Broken> {
        self.skip_escaped('\'', "a quote ($') that is not closed")
    }

    /// Skips a double-quoted piece.
    pub(super) fn skip_double(&mut self) -> Result<(), Broken> {
        let at = self.at;
        self.take();
        loop {
            match self.peek() {
                None => return Err(Broken { at, what: "a quote (\") that is not closed" }),
                Some('"') => {
                    self.take();
                    return Ok(());
                }
                Some('\\') => {
                    self.take();
                    self.take();
                }
                Some('$') => self.skip_dollar(true)?,
                Some('`') => self.skip_backticks()?,
                Some(_) => drop(self.take()),
            }
        }
    }

    pub(super) fn skip_backticks(&mut self) -> Result<(), Broken> {
        self.skip_escaped('`', "a '`' that is not closed")
    }

    /// Goes behind a piece that ends with `close`, unless a backslash stands before it.
    fn skip_escaped(&mut self, close: char, what: &'static str) -> Result<(), Broken> {
        let at = self.at;
        self.take();
        loop {
            match self.take() {
                Some(c) if c == close => return Ok(()),
                Some('\\') => drop(self.take()),
                Some(_) => {}
                None => return Err(Broken { at, what }),
            }
        }
    }

    /// Skips any construct that starts with `$`.
    pub(super) fn skip_dollar(&mut self, quoted: bool) -> Result<(), Broken> {
        let at = self.at;
        self.take();
        match self.peek() {
            Some('(') if self.rest().starts_with("((") => self.skip_arithmetic(at),
            Some('(') => self.skip_commands(at),
            Some('{') => self.skip_braces(at),
            Some('\'') if !quoted => self.skip_ansi(),
            Some('"') if !quoted => self.skip_double(),
            _ => Ok(()),
        }
    }

    /// At the `{` of `${…}`.
    fn skip_braces(&mut self, at: usize) -> Result<(), Broken> {
        self.deeper(at)?;
        self.take();
        loop {
            match self.peek() {
                None => return Err(Broken { at, what: "a '${' that is not closed" }),
                Some('}') => {
                    self.take();
                    self.depth -= 1;
                    return Ok(());
                }
                Some('\\') => {
                    self.take();
                    self.take();
                }
                Some('\'') => self.skip_single()?,
                Some('"') => self.skip_double()?,
                Some('`') => self.skip_backticks()?,
                Some('$') => self.skip_dollar(false)?,
                Some(_) => drop(self.take()),
            }
        }
    }

    /// At the first `(` of `((…))`. A subshell in a substitution, which looks the same, ends with
    /// its parentheses too.
    pub(super) fn skip_arithmetic(&mut self, at: usize) -> Result<(), Broken> {
        self.deeper(at)?;
        self.take();
        let mut parentheses = 1_usize;
        while parentheses > 0 {
            match self.peek() {
                None => return Err(Broken { at, what: "a '((' that is not closed" }),
                Some('(') => {
                    self.take();
                    parentheses += 1;
                }
                Some(')') => {
                    self.take();
                    parentheses -= 1;
                }
                Some(_) => self.skip_piece()?,
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// At the `(` of `$(…)`, `<(…)` or an array to ignore: skips to after the `)` that closes it.
    /// The `)` of a `case` pattern closes nothing.
    pub(super) fn skip_commands(&mut self, at: usize) -> Result<(), Broken> {
        self.deeper(at)?;
        self.take();
        let mut parentheses = 1_usize;
        // For each open `case`, the number of open parentheses at its start.
        let mut cases: Vec<usize> = Vec::new();
        let mut begins = true;
        loop {
            let word_begins = self
                .before()
                .is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | ';' | '(' | ')' | '&' | '|'));
            match self.peek() {
                None => return Err(Broken { at, what: "a '(' that is not closed" }),
                Some('(') => {
                    self.take();
                    parentheses += 1;
                    begins = true;
                }
                Some(')') => {
                    self.take();
                    begins = true;
                    if cases.last() != Some(&parentheses) {
                        parentheses -= 1;
                    }
                    if parentheses == 0 {
                        self.depth -= 1;
                        return Ok(());
                    }
                }
                Some('\n') => {
                    self.line_end()?;
                    begins = true;
                }
                Some('#') if word_begins => self.skip_comment(),
                Some(' ' | '\t') => drop(self.take()),
                Some(';' | '&' | '|') => {
                    self.take();
                    begins = true;
                }
                Some('<') => {
                    self.take();
                    self.redirection()?;
                }
                Some(c) if word_begins && c.is_ascii_alphabetic() => {
                    let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                    let ends = self
                        .peek()
                        .is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | ';' | ')' | '\\'));
                    match word {
                        "case" if begins && ends => cases.push(parentheses),
                        "esac" if ends => drop(cases.pop()),
                        _ => {}
                    }
                    begins = matches!(word, "then" | "do" | "else" | "elif" | "if" | "while");
                }
                Some(_) => {
                    begins = self.peek() == Some('{');
                    self.skip_piece()?;
                }
            }
        }
    }

    /// After a `<`: records a here-document; a here-string begins an ordinary word.
    pub(super) fn redirection(&mut self) -> Result<(), Broken> {
        if self.rest().starts_with("<<") {
            self.at += 2;
        } else if self.eat("<") {
            self.here_document()?;
        }
        Ok(())
    }

    /// Skips one piece of a word: a quoted one, a substitution, or one character.
    pub(super) fn skip_piece(&mut self) -> Result<(), Broken> {
        match self.peek() {
            Some('\\') => {
                self.take();
                self.take();
            }
            Some('\'') => self.skip_single()?,
            Some('"') => self.skip_double()?,
            Some('`') => self.skip_backticks()?,
            Some('$') => self.skip_dollar(false)?,
            _ => drop(self.take()),
        }
        Ok(())
    }

    fn deeper(&mut self, at: usize) -> Result<(), Broken> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(Broken { at, what: "substitutions in each other, too deeply" }),
            false => Ok(()),
        }
    }
}
