//! The command level: how bash divides a plan into commands, blocks and functions.
//!
//! The module [`assignments`](self::assignments) evaluates what the commands assign.

mod assignments;

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    cursor::{Broken, Cursor},
    values::Known,
    words,
};

/// Deepest chain of files that a plan reads with `source`, and the largest number of them.
const SOURCES_DEPTH_MAX: usize = 8;
const SOURCES_MAX: usize = 32;
/// Deepest nesting of compound commands.
const BLOCKS_MAX: usize = 256;

/// A line of a plan, or of a file that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::stage) struct Place {
    /// The file; `None` for the plan itself.
    pub(in crate::stage) file: Option<PathBuf>,
    /// The line, from 1.
    pub(in crate::stage) line: usize,
}

/// Reads a file that a plan names: returns its path and text, or why it cannot be read.
pub(in crate::stage) type Include<'e> = dyn FnMut(&str) -> Result<(PathBuf, String), String> + 'e;

/// The effects of a whole script.
pub(super) struct Effects<'e, 'i> {
    pub(super) known: Known<'e>,
    pub(super) include: &'i mut Include<'e>,
    /// Place of the last assignment of each variable.
    pub(super) places: BTreeMap<String, Place>,
    /// Functions, and variables that functions assign: name, place, function.
    pub(super) functions: Vec<(String, Place)>,
    pub(super) in_functions: Vec<(String, Place, String)>,
    /// Warnings about parts that are not read.
    pub(super) warnings: Vec<(Place, String)>,
    sources: usize,
}

impl<'e, 'i> Effects<'e, 'i> {
    pub(super) fn new(known: Known<'e>, include: &'i mut Include<'e>) -> Self {
        Self {
            known,
            include,
            places: BTreeMap::new(),
            functions: Vec::new(),
            in_functions: Vec::new(),
            warnings: Vec::new(),
            sources: 0,
        }
    }
}

/// An open compound command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    /// `if`, `while`, `for`: its content may or may not run.
    Conditional,
    Case,
    Brace,
    Subshell,
    Function(String),
}

/// Whether an assignment takes effect.
enum Scope {
    Always,
    Perhaps,
    Function(String),
    Never,
}

/// One assignment.
struct Assignment<'a> {
    at: usize,
    name: &'a str,
    index: Option<&'a str>,
    append: bool,
    value: Source<'a>,
}

enum Source<'a> {
    Word(&'a str),
    List(Vec<Element<'a>>),
}

struct Element<'a> {
    /// Key and whether the value is appended.
    key: Option<(&'a str, bool)>,
    word: &'a str,
}

pub(super) struct Script<'a, 's, 'e, 'i> {
    cursor: Cursor<'a>,
    file: Option<PathBuf>,
    line: (usize, usize),
    blocks: Vec<(Block, usize)>,
    /// The name of a function whose body comes next.
    function: Option<String>,
    /// The next command depends on the one before (`&&`, `||`).
    depends: bool,
    /// That next command has not started yet.
    awaits: bool,
    depth: usize,
    effects: &'s mut Effects<'e, 'i>,
}

/// Why the rest of a script was not read.
pub(super) enum End {
    Done,
    Broken { place: Place, problem: String },
}

impl<'a, 's, 'e, 'i> Script<'a, 's, 'e, 'i> {
    pub(super) fn new(
        text: &'a str,
        file: Option<PathBuf>,
        effects: &'s mut Effects<'e, 'i>,
    ) -> Self {
        Self {
            cursor: Cursor::new(text),
            file,
            line: (0, 1),
            blocks: Vec::new(),
            function: None,
            depends: false,
            awaits: false,
            depth: 0,
            effects,
        }
    }

    pub(super) fn run(mut self) -> End {
        match self.commands() {
            Ok(()) => match self.blocks.last() {
                None => End::Done,
                Some((block, at)) => {
                    let what = match block {
                        Block::Conditional => "an 'if' or a loop that is not ended",
                        Block::Case => "a 'case' without 'esac'",
                        Block::Brace | Block::Function(_) => "a '{' that is not closed",
                        Block::Subshell => "a '(' that is not closed",
                    };
                    let at = *at;
                    self.broken(&Broken { at, what })
                }
            },
            Err(broken) => self.broken(&broken),
        }
    }

    fn broken(&mut self, broken: &Broken) -> End {
        let place = self.place(broken.at);
        let problem = format!("{}: bash could not read on from here either", broken.what);
        End::Broken { place, problem }
    }

    /// The line of an offset. Offsets mostly come in order, so lines are counted once.
    fn place(&mut self, at: usize) -> Place {
        let (counted, line) = if self.line.0 <= at { self.line } else { (0, 1) };
        let line = line + self.cursor.slice(counted, at).matches('\n').count();
        self.line = (at, line);
        Place { file: self.file.clone(), line }
    }

    fn commands(&mut self) -> Result<(), Broken> {
        // A pattern of `case` comes next.
        let mut pattern = false;
        loop {
            if pattern {
                pattern = false;
                self.pattern()?;
                continue;
            }
            self.cursor.skip_blanks();
            let at = self.cursor.at;
            match self.cursor.peek() {
                None => return Ok(()),
                Some('\n') => {
                    self.cursor.line_end()?;
                    // `a &&` continues on the next line.
                    self.depends &= self.awaits;
                }
                Some('#') => self.cursor.skip_comment(),
                Some(';') => {
                    self.cursor.take();
                    self.depends = false;
                    if self.cursor.eat(";") || self.cursor.eat("&") {
                        self.cursor.eat("&");
                        pattern = self.top() == Some(&Block::Case);
                    }
                }
                Some('&') => {
                    self.cursor.take();
                    self.depends = self.cursor.eat("&");
                    self.awaits = self.depends;
                }
                Some('|') => {
                    self.cursor.take();
                    (self.depends, self.awaits) = (true, true);
                    if !self.cursor.eat("|") {
                        self.cursor.eat("&");
                    }
                }
                Some('(') if self.cursor.rest().starts_with("((") => {
                    self.cursor.skip_arithmetic(at)?;
                }
                Some('(') => {
                    self.cursor.take();
                    self.open(Block::Subshell, at)?;
                }
                Some(')') => {
                    self.cursor.take();
                    match self.blocks.pop() {
                        Some((Block::Subshell, _)) => {}
                        _ => return Err(Broken { at, what: "a ')' that closes nothing" }),
                    }
                }
                Some(_) => {
                    self.awaits = false;
                    pattern = self.command()?;
                }
            }
        }
    }

    fn top(&self) -> Option<&Block> {
        self.blocks.last().map(|(block, _)| block)
    }

    fn open(&mut self, block: Block, at: usize) -> Result<(), Broken> {
        if self.blocks.len() == BLOCKS_MAX {
            return Err(Broken { at, what: "commands in each other, too deeply" });
        }
        let block = match (self.function.take(), block) {
            (Some(name), Block::Brace) => Block::Function(name),
            (_, block) => block,
        };
        self.blocks.push((block, at));
        Ok(())
    }

    fn close(
        &mut self,
        at: usize,
        fits: impl Fn(&Block) -> bool,
        what: &'static str,
    ) -> Result<(), Broken> {
        match self.blocks.pop() {
            Some((block, _)) if fits(&block) => Ok(()),
            _ => Err(Broken { at, what }),
        }
    }

    /// A pattern of `case` with its `)`, or `esac`.
    fn pattern(&mut self) -> Result<(), Broken> {
        self.cursor.skip_lines()?;
        let at = self.cursor.at;
        let rest = self.cursor.rest();
        let after = rest.strip_prefix("esac").map(|rest| rest.chars().next());
        if after.is_some_and(|c| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != ')')) {
            self.cursor.at += 4;
            return self.close(at, |block| *block == Block::Case, "an 'esac' without 'case'");
        }
        self.cursor.eat("(");
        loop {
            match self.cursor.peek() {
                None => return Err(Broken { at, what: "a pattern of 'case' without ')'" }),
                Some(')') => {
                    self.cursor.take();
                    return Ok(());
                }
                Some('(') => self.cursor.skip_commands(at)?,
                Some('\n') => self.cursor.line_end()?,
                Some(_) => self.cursor.skip_piece()?,
            }
        }
    }

    /// One command that begins with a word. True when a pattern of `case` comes next.
    fn command(&mut self) -> Result<bool, Broken> {
        let at = self.cursor.at;
        let word = self.ahead();
        match word {
            "if" | "while" | "until" => self.word_and_open(word, Block::Conditional, at)?,
            "for" | "select" => {
                self.word_and_open(word, Block::Conditional, at)?;
                self.cursor.skip_blanks();
                if self.cursor.rest().starts_with("((") {
                    self.cursor.skip_arithmetic(at)?;
                } else {
                    let place = self.place(at);
                    let name = words::skip(&mut self.cursor)?;
                    self.set_unknown(name, &place, "it is the variable of a loop");
                    // The loop's list consists of words, not commands.
                    self.cursor.skip_lines()?;
                    if self.ahead() == "in" {
                        self.rest_of_command()?;
                    }
                }
            }
            "case" => {
                self.cursor.at += word.len();
                self.cursor.skip_blanks();
                words::skip(&mut self.cursor)?;
                self.cursor.skip_lines()?;
                if self.ahead() != "in" {
                    return Err(Broken { at, what: "a 'case' without 'in'" });
                }
                self.cursor.at += 2;
                self.open(Block::Case, at)?;
                return Ok(true);
            }
            "then" | "else" | "elif" | "do" | "!" | "time" | "coproc" => {
                self.cursor.at += word.len();
            }
            "fi" | "done" => {
                self.cursor.at += word.len();
                let what = "a 'fi' or 'done' that ends nothing";
                self.close(at, |block| *block == Block::Conditional, what)?;
            }
            "esac" => {
                self.cursor.at += word.len();
                self.close(at, |block| *block == Block::Case, "an 'esac' without 'case'")?;
            }
            "{" => self.word_and_open(word, Block::Brace, at)?,
            "}" => {
                self.cursor.at += 1;
                let fits = |block: &Block| matches!(block, Block::Brace | Block::Function(_));
                self.close(at, fits, "a '}' that closes nothing")?;
            }
            "[[" => self.test(at)?,
            "function" => {
                self.cursor.at += word.len();
                self.cursor.skip_blanks();
                let name = words::skip(&mut self.cursor)?;
                self.named_function(name, at)?;
            }
            _ => self.simple()?,
        }
        Ok(false)
    }

    fn word_and_open(&mut self, word: &str, block: Block, at: usize) -> Result<(), Broken> {
        self.cursor.at += word.len();
        self.open(block, at)
    }

    /// The plain word that begins here, up to a blank or an operator.
    fn ahead(&self) -> &'a str {
        let rest = self.cursor.rest();
        let end = rest.find(|c: char| {
            matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
        });
        &rest[..end.unwrap_or(rest.len())]
    }

    /// Skips `[[ … ]]`.
    fn test(&mut self, at: usize) -> Result<(), Broken> {
        self.cursor.at += 2;
        loop {
            match self.cursor.peek() {
                None => return Err(Broken { at, what: "a '[[' without ']]'" }),
                Some(']')
                    if self.cursor.rest().starts_with("]]")
                        && matches!(self.cursor.before(), Some(' ' | '\t' | '\n')) =>
                {
                    self.cursor.at += 2;
                    return Ok(());
                }
                Some('\n') => self.cursor.line_end()?,
                Some(_) => self.cursor.skip_piece()?,
            }
        }
    }

    /// After the name of a function.
    fn named_function(&mut self, name: &str, at: usize) -> Result<(), Broken> {
        self.cursor.skip_blanks();
        if self.cursor.eat("(") {
            self.cursor.skip_blanks();
            self.cursor.eat(")");
        }
        self.cursor.skip_lines()?;
        let place = self.place(at);
        if !self.is_in_function() {
            self.effects.functions.push((name.into(), place));
        }
        self.function = Some(name.into());
        if !self.cursor.rest().starts_with(['{', '(']) {
            // A body such as `if …; fi` is rare; its assignments count as conditional.
            self.function = None;
        }
        Ok(())
    }

    fn is_in_function(&self) -> bool {
        self.blocks.iter().any(|(block, _)| matches!(block, Block::Function(_)))
    }

    fn scope(&self) -> Scope {
        for (block, _) in &self.blocks {
            match block {
                Block::Function(name) => return Scope::Function(name.clone()),
                Block::Subshell => return Scope::Never,
                _ => {}
            }
        }
        let perhaps = |block: &Block| matches!(block, Block::Conditional | Block::Case);
        match self.depends || self.blocks.iter().any(|(block, _)| perhaps(block)) {
            true => Scope::Perhaps,
            false => Scope::Always,
        }
    }

    /// Skips to the end of the command without reading its words.
    fn rest_of_command(&mut self) -> Result<(), Broken> {
        while self.argument(false)?.is_some() {}
        Ok(())
    }

    /// The next word of a command, skipping redirections; `None` at its end. With `declares` an
    /// assignment is one word including its array.
    fn argument(&mut self, declares: bool) -> Result<Option<Argument<'a>>, Broken> {
        loop {
            self.cursor.skip_blanks();
            let at = self.cursor.at;
            match self.cursor.peek() {
                None | Some('\n' | ';' | '|' | ')') => return Ok(None),
                Some('#') => {
                    self.cursor.skip_comment();
                    return Ok(None);
                }
                Some('&') if !self.cursor.rest().starts_with("&>") => return Ok(None),
                Some('(') => self.cursor.skip_commands(at)?,
                Some('<' | '>') if self.cursor.rest()[1..].starts_with('(') => {
                    return words::skip(&mut self.cursor).map(|word| Some(Argument::Word(word)));
                }
                Some('<' | '>' | '&') => {
                    let input = self.cursor.eat("<");
                    if input && self.cursor.rest().starts_with('<') {
                        let string = self.cursor.rest().starts_with("<<");
                        self.cursor.redirection()?;
                        if string {
                            self.cursor.skip_blanks();
                            words::skip(&mut self.cursor)?;
                        }
                    } else {
                        self.cursor.take_while(|c| matches!(c, '<' | '>' | '&' | '|'));
                        self.cursor.skip_blanks();
                        words::skip(&mut self.cursor)?;
                    }
                }
                Some(_) => {
                    if declares && let Some(assignment) = self.assignment()? {
                        return Ok(Some(Argument::Assignment(assignment)));
                    }
                    let word = words::skip(&mut self.cursor)?;
                    // The number of a redirection is not an argument.
                    let number = word.bytes().all(|byte| byte.is_ascii_digit());
                    if number && self.cursor.rest().starts_with(['<', '>']) {
                        continue;
                    }
                    return Ok(Some(Argument::Word(word)));
                }
            }
        }
    }

    /// An assignment that begins here, with its value.
    fn assignment(&mut self) -> Result<Option<Assignment<'a>>, Broken> {
        let start = self.cursor.clone();
        let at = self.cursor.at;
        let name = self.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        let mut index = None;
        if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
            if self.cursor.eat("[") {
                index = self.bracket()?;
            }
            let append = self.cursor.eat("+");
            if self.cursor.eat("=") {
                let value = match self.cursor.peek() {
                    Some('(') => Source::List(self.list()?),
                    _ => Source::Word(words::skip(&mut self.cursor)?),
                };
                return Ok(Some(Assignment { at, name, index, append, value }));
            }
        }
        self.cursor = start;
        Ok(None)
    }

    /// After a `[`: the text up to and including its `]`; `None` without one on the line.
    fn bracket(&mut self) -> Result<Option<&'a str>, Broken> {
        let from = self.cursor.at;
        loop {
            match self.cursor.peek() {
                None | Some('\n') => return Ok(None),
                Some(']') => {
                    self.cursor.take();
                    return Ok(Some(self.cursor.slice(from, self.cursor.at - 1)));
                }
                Some(_) => self.cursor.skip_piece()?,
            }
        }
    }

    /// At the `(` of an array.
    fn list(&mut self) -> Result<Vec<Element<'a>>, Broken> {
        let at = self.cursor.at;
        self.cursor.take();
        let mut elements = Vec::new();
        loop {
            self.cursor.skip_lines()?;
            match self.cursor.peek() {
                None => return Err(Broken { at, what: "a '(' that is not closed" }),
                Some(')') => {
                    self.cursor.take();
                    return Ok(elements);
                }
                Some('[') => {
                    let start = self.cursor.clone();
                    self.cursor.take();
                    let key = self.bracket()?;
                    let append = self.cursor.eat("+");
                    let key = key.filter(|_| self.cursor.eat("="));
                    if key.is_none() {
                        self.cursor = start;
                    }
                    let word = words::skip(&mut self.cursor)?;
                    elements.push(Element { key: key.map(|key| (key, append)), word });
                }
                Some(_) => {
                    let from = self.cursor.at;
                    let word = words::skip(&mut self.cursor)?;
                    if self.cursor.at == from {
                        return Err(Broken { at: from, what: "an operator inside of an array" });
                    }
                    elements.push(Element { key: None, word });
                }
            }
        }
    }
}

enum Argument<'a> {
    Word(&'a str),
    Assignment(Assignment<'a>),
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
