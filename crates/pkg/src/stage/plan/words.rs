//! Words of bash and their values: quotes and expansions of known variables.

use super::{
    cursor::Cursor,
    glob::{self, Cut},
    values::{Known, Value},
};

/// Longest value in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of expansions.
const DEPTH_MAX: usize = 16;

/// Why the value of a word is unknown without bash.
pub(super) type Why = String;

/// A piece of a word after expansion.
enum Piece {
    Text {
        text: String,
        quoted: bool,
    },
    /// `"${array[@]}"`: one field for each element.
    List(Vec<String>),
}

/// The value of a word.
#[derive(Default)]
pub(super) struct Word(Vec<Piece>);

impl Word {
    fn push(&mut self, text: &str, quoted: bool) {
        match self.0.last_mut() {
            Some(Piece::Text { text: last, quoted: same }) if *same == quoted => {
                last.push_str(text);
            }
            _ => self.0.push(Piece::Text { text: text.into(), quoted }),
        }
    }

    /// As the value of an assignment: one text.
    pub(super) fn scalar(self) -> Result<String, Why> {
        let mut all = String::new();
        for piece in self.0 {
            match piece {
                Piece::Text { text, .. } => all.push_str(&text),
                Piece::List(items) => all.push_str(&items.join(" ")),
            }
            if all.len() > VALUE_BYTES_MAX {
                return Err(format!("it is longer than {VALUE_BYTES_MAX} bytes"));
            }
        }
        Ok(all)
    }

    /// As an element of an array or an argument: splits unquoted parts at blanks.
    pub(super) fn fields(self) -> Vec<String> {
        let mut fields = Vec::new();
        let mut open: Option<String> = None;
        for piece in self.0 {
            match piece {
                Piece::Text { text, quoted: true } => {
                    open.get_or_insert_default().push_str(&text);
                }
                Piece::Text { text, quoted: false } => {
                    for (index, part) in text.split([' ', '\t', '\n']).enumerate() {
                        if index > 0 {
                            fields.extend(open.take());
                        }
                        if !part.is_empty() {
                            open.get_or_insert_default().push_str(part);
                        }
                    }
                }
                Piece::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            fields.extend(open.take());
                        }
                        open.get_or_insert_default().push_str(item);
                    }
                }
            }
        }
        fields.extend(open);
        fields
    }
}

/// Where a word ends outside of quotes.
fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// Skips the word that begins here and returns its source.
pub(super) fn skip<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, super::cursor::Broken> {
    let from = cursor.at;
    while let Some(c) = cursor.peek() {
        let substitution = matches!(c, '<' | '>') && cursor.rest()[1..].starts_with('(');
        // `@(a|b)` of extended patterns.
        let pattern = c == '(' && matches!(cursor.before(), Some('?' | '*' | '+' | '@' | '!'));
        if substitution {
            cursor.take();
            cursor.skip_commands(from)?;
        } else if pattern && cursor.at > from {
            cursor.skip_commands(from)?;
        } else if ends_word(c) {
            break;
        } else {
            cursor.skip_piece()?;
        }
    }
    Ok(cursor.slice(from, cursor.at))
}

/// Expands the source of a word. `element`: it is an element of an array or an argument, where bash
/// expands braces and patterns.
pub(super) fn expand(source: &str, element: bool, known: &mut Known<'_>) -> Result<Word, Why> {
    let mut word = Word::default();
    let mut reader = Reader { cursor: Cursor::new(source), known, depth: 0 };
    reader.word(element, &mut word)?;
    Ok(word)
}

struct Reader<'a, 'k, 'e> {
    cursor: Cursor<'a>,
    known: &'k mut Known<'e>,
    depth: usize,
}

impl Reader<'_, '_, '_> {
    fn word(&mut self, element: bool, word: &mut Word) -> Result<(), Why> {
        while let Some(c) = self.cursor.peek() {
            match c {
                '\'' => word.push(&self.single(), true),
                '"' => self.double(word)?,
                '$' if self.cursor.rest().starts_with("$'") => {
                    self.cursor.take();
                    word.push(&self.ansi()?, true);
                }
                '$' if self.cursor.rest().starts_with("$\"") => {
                    self.cursor.take();
                    self.double(word)?;
                }
                '$' => self.dollar(false, word)?,
                '`' => return Err("it runs a command (`)".into()),
                '<' | '>' => return Err("it runs a command ('<(')".into()),
                '\\' => {
                    self.cursor.take();
                    match self.cursor.take() {
                        Some('\n') => {}
                        Some(c) => word.push(c.encode_utf8(&mut [0; 4]), true),
                        None => word.push("\\", true),
                    }
                }
                '~' if self.cursor.at == 0 => {
                    return Err("'~' is the home directory of the user who builds".into());
                }
                '*' | '?' | '[' if element => {
                    return Err(format!("'{c}' is a pattern outside of quotes"));
                }
                '{' if element && self.cursor.rest().contains([',', '.']) => {
                    return Err("'{' is expanded outside of quotes".into());
                }
                _ => {
                    self.cursor.take();
                    word.push(c.encode_utf8(&mut [0; 4]), false);
                }
            }
        }
        Ok(())
    }

    fn single(&mut self) -> String {
        self.cursor.take();
        let text = self.cursor.take_while(|c| c != '\'').to_owned();
        self.cursor.take();
        text
    }

    /// At the quote of `$'…'`.
    fn ansi(&mut self) -> Result<String, Why> {
        self.cursor.take();
        let mut text = String::new();
        loop {
            match self.cursor.take() {
                None | Some('\'') => return Ok(text),
                Some('\\') => text.push(match self.cursor.take() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('e' | 'E') => '\x1b',
                    Some(c @ ('\\' | '\'' | '"' | '?')) => c,
                    _ => return Err("it has an escape in $'…' that is not read here".into()),
                }),
                Some(c) => text.push(c),
            }
        }
    }

    fn double(&mut self, word: &mut Word) -> Result<(), Why> {
        self.cursor.take();
        // Quotes around nothing give an empty field.
        word.push("", true);
        loop {
            match self.cursor.peek() {
                None => return Ok(()),
                Some('"') => {
                    self.cursor.take();
                    return Ok(());
                }
                Some('$') => self.dollar(true, word)?,
                Some('`') => return Err("it runs a command (`)".into()),
                Some('\\') => {
                    self.cursor.take();
                    match self.cursor.take() {
                        Some('\n') => {}
                        Some(c @ ('$' | '`' | '"' | '\\')) => {
                            word.push(c.encode_utf8(&mut [0; 4]), true);
                        }
                        Some(c) => {
                            word.push("\\", true);
                            word.push(c.encode_utf8(&mut [0; 4]), true);
                        }
                        None => {}
                    }
                }
                Some(c) => {
                    self.cursor.take();
                    word.push(c.encode_utf8(&mut [0; 4]), true);
                }
            }
        }
    }

    /// `$name`, `${…}`, or a literal `$`.
    fn dollar(&mut self, quoted: bool, word: &mut Word) -> Result<(), Why> {
        self.cursor.take();
        match self.cursor.peek() {
            Some('(') => Err("it runs a command ('$(')".into()),
            Some('{') => {
                let from = self.cursor.at + 1;
                let mut end = self.cursor.clone();
                // The construct begins at the `$` before.
                end.at -= 1;
                end.skip_dollar(quoted).map_err(|broken| broken.what.to_owned())?;
                let inner = self.cursor.slice(from, end.at - 1).to_owned();
                self.cursor.at = end.at;
                self.parameter(&inner, quoted, word)
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                let text = self.known.get(name, "")?;
                match text {
                    Some(text) => word.push(&text, quoted),
                    None => return Err(format!("'${name}' is not known")),
                }
                Ok(())
            }
            Some(c)
                if c.is_ascii_digit() || matches!(c, '@' | '*' | '#' | '?' | '$' | '!' | '-') =>
            {
                Err(format!("'${c}' is known only while the plan runs"))
            }
            _ => {
                word.push("$", quoted);
                Ok(())
            }
        }
    }

    /// The inside of `${…}`.
    fn parameter(&mut self, inner: &str, quoted: bool, word: &mut Word) -> Result<(), Why> {
        let unread = || format!("'${{{inner}}}' needs bash");
        let (length, body) = match inner.strip_prefix('#') {
            Some(body) if !body.is_empty() => (true, body),
            _ => (false, inner),
        };
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        let (name, mut rest) = body.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(unread());
        }
        let mut index = "";
        if let Some(after) = rest.strip_prefix('[') {
            (index, rest) = after.split_once(']').ok_or_else(unread)?;
        }
        if matches!(index, "@" | "*") {
            let items = self.known.items(name)?;
            if length {
                word.push(&items.len().to_string(), quoted);
            } else if !rest.is_empty() {
                return Err(unread());
            } else if index == "@" && quoted {
                word.0.push(Piece::List(items));
            } else {
                word.push(&items.join(" "), quoted);
            }
            return Ok(());
        }
        let index = self.nested(index)?;
        if length {
            let text = self.known.get(name, &index)?.unwrap_or_default();
            word.push(&text.chars().count().to_string(), quoted);
            return Ok(());
        }
        let text = self.operate(name, &index, rest, unread)?;
        word.push(&text, quoted);
        Ok(())
    }

    /// Applies what follows the name in `${name…}`.
    fn operate(
        &mut self,
        name: &str,
        index: &str,
        rest: &str,
        unread: impl Fn() -> Why,
    ) -> Result<String, Why> {
        let unset = || format!("'${name}' is not known");
        let Some(first) = rest.chars().next() else {
            return self.known.get(name, index)?.ok_or_else(unset);
        };
        // `:-`, `:=`, `:+` test for emptiness, `-`, `=`, `+` only whether the variable is set.
        let (empty_counts, operator) = match rest.strip_prefix(':') {
            Some(operator) if operator.starts_with(['-', '=', '+', '?']) => (true, operator),
            _ => (false, rest),
        };
        if let Some(operator @ ('-' | '=' | '+' | '?')) = operator.chars().next() {
            let argument = &rest[if empty_counts { 2 } else { 1 }..];
            let value = self.known.look(name, index)?;
            let value = value.filter(|text| !empty_counts || !text.is_empty());
            return match (operator, value) {
                ('+', None) => Ok(String::new()),
                ('+', Some(_)) => self.nested(argument),
                (_, Some(value)) => Ok(value),
                ('?', None) => Err(unset()),
                ('=', None) => {
                    let value = self.nested(argument)?;
                    self.known.set(name, Value::Word(value.clone()));
                    Ok(value)
                }
                (_, None) => self.nested(argument),
            };
        }
        let text = self.known.get(name, index)?.ok_or_else(unset)?;
        let whole = |mark: &str| rest.strip_prefix(mark);
        match first {
            '#' | '%' => {
                let longest = rest[1..].starts_with(first);
                let pattern = glob::parse(&rest[if longest { 2 } else { 1 }..]);
                let pattern = self.pattern(pattern)?;
                let cut = match first {
                    '#' => Cut::Begin { longest },
                    _ => Cut::End { longest },
                };
                glob::strip(&text, &pattern, cut, &mut self.known.work)
            }
            '/' => {
                let all = rest[1..].starts_with('/');
                let body = &rest[if all { 2 } else { 1 }..];
                let (pattern, replacement) = glob::split_replacement(body);
                if pattern.starts_with(['#', '%']) {
                    return Err(unread());
                }
                let pattern = self.pattern(glob::parse(pattern))?;
                let replacement = self.nested(replacement)?;
                glob::replace(&text, &pattern, &replacement, all, &mut self.known.work)
            }
            ':' => substring(&text, &rest[1..]).ok_or_else(unread),
            '^' if whole("^^") == Some("") => Ok(text.to_uppercase()),
            ',' if whole(",,") == Some("") => Ok(text.to_lowercase()),
            '^' | ',' if rest.len() == 1 => {
                let mut chars = text.chars();
                let first_char = chars.next().map(|c| match first {
                    '^' => c.to_uppercase().to_string(),
                    _ => c.to_lowercase().to_string(),
                });
                Ok(first_char.unwrap_or_default() + chars.as_str())
            }
            _ => Err(unread()),
        }
    }

    /// Expands the variables in a pattern.
    fn pattern(&mut self, source: glob::Source) -> Result<glob::Pattern, Why> {
        match source.variable {
            None => Ok(source.pattern),
            Some(text) => Ok(glob::literal(&self.nested(&text)?)),
        }
    }

    /// A word inside of an expansion.
    fn nested(&mut self, source: &str) -> Result<String, Why> {
        if self.depth == DEPTH_MAX {
            return Err("its expansions are nested too deeply".into());
        }
        let mut word = Word::default();
        let depth = self.depth + 1;
        Reader { cursor: Cursor::new(source), known: self.known, depth }.word(false, &mut word)?;
        word.scalar()
    }
}

/// `offset` or `offset:length`, both plain numbers; a negative offset counts from the end.
fn substring(text: &str, range: &str) -> Option<String> {
    let (offset, length) = match range.split_once(':') {
        Some((offset, length)) => (offset, Some(length)),
        None => (range, None),
    };
    let count = i64::try_from(text.chars().count()).ok()?;
    let place = |number: &str, from_end: i64| -> Option<i64> {
        let number: i64 = number.trim().parse().ok()?;
        Some(if number < 0 { from_end + number } else { number })
    };
    let from = place(offset, count)?.clamp(0, count);
    let to = match length {
        None => count,
        Some(length) => match length.trim().parse::<i64>().ok()? {
            length if length < 0 => count + length,
            length => from.saturating_add(length),
        },
    };
    let to = to.clamp(from, count);
    let take = usize::try_from(to - from).ok()?;
    Some(text.chars().skip(usize::try_from(from).ok()?).take(take).collect())
}
