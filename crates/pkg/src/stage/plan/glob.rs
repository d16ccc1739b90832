//! Patterns of `${name%pattern}` and similar expansions.
//!
//! The run time is bounded, as plans are foreign input.

use super::words::Why;

/// Longest text and pattern that are compared.
const TEXT_MAX: usize = 1024;
const PATTERN_MAX: usize = 64;

/// One step of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Char(char),
    Any,
    Many,
    /// `[a-z]`; true when it is negated.
    Class(Vec<(char, char)>, bool),
}

/// A pattern in steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Step>);

/// A pattern as written: one that names variables is first expanded and is then plain text.
pub(super) struct Source {
    pub(super) pattern: Pattern,
    pub(super) variable: Option<String>,
}

pub(super) fn literal(text: &str) -> Pattern {
    Pattern(text.chars().map(Step::Char).collect())
}

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Source {
    if text.contains(['$', '`']) {
        return Source { pattern: literal(""), variable: Some(text.into()) };
    }
    let mut steps = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => steps.push(Step::Many),
            '?' => steps.push(Step::Any),
            '\\' => steps.extend(chars.next().map(Step::Char)),
            quote @ ('\'' | '"') => {
                while let Some(c) = chars.next_if(|c| *c != quote) {
                    steps.push(Step::Char(c));
                }
                chars.next();
            }
            '[' if chars.clone().any(|c| c == ']') => {
                let negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
                let mut ranges = Vec::new();
                let mut first = true;
                while let Some(from) = chars.next_if(|c| first || *c != ']') {
                    first = false;
                    let mut ahead = chars.clone();
                    let to = match (ahead.next(), ahead.next()) {
                        (Some('-'), Some(to)) if to != ']' => {
                            chars = ahead;
                            to
                        }
                        _ => from,
                    };
                    ranges.push((from, to));
                }
                chars.next();
                steps.push(Step::Class(ranges, negated));
            }
            c => steps.push(Step::Char(c)),
        }
    }
    Source { pattern: Pattern(steps), variable: None }
}

/// Splits `pattern/replacement`.
pub(super) fn split_replacement(body: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '/' => return (&body[..at], &body[at + 1..]),
            _ => {}
        }
    }
    (body, "")
}

/// The ends of all matches that begin at the start of the text, in characters.
fn ends(text: &[char], pattern: &Pattern, work: &mut u64) -> Result<Vec<usize>, Why> {
    let size = (text.len() as u64 + 1) * (pattern.0.len() as u64 + 1);
    *work = work.checked_sub(size).ok_or("its patterns take too long to compare")?;
    // Numbers of characters that the steps so far can have consumed.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for step in &pattern.0 {
        let mut next = vec![false; text.len() + 1];
        let mut open = false;
        for at in 0..=text.len() {
            if *step == Step::Many {
                open |= reached[at];
                next[at] = open;
            } else if at > 0 && reached[at - 1] {
                next[at] = match step {
                    Step::Char(c) => text[at - 1] == *c,
                    Step::Any => true,
                    Step::Class(ranges, negated) => {
                        let within =
                            |(from, to): &(char, char)| (*from..=*to).contains(&text[at - 1]);
                        ranges.iter().any(within) != *negated
                    }
                    Step::Many => false,
                };
            }
        }
        reached = next;
    }
    Ok((0..=text.len()).filter(|at| reached[*at]).collect())
}

fn checked(text: &str, pattern: &Pattern) -> Result<Vec<char>, Why> {
    if text.len() > TEXT_MAX || pattern.0.len() > PATTERN_MAX {
        return Err("its pattern or text is too long to compare".into());
    }
    Ok(text.chars().collect())
}

/// Where a pattern is cut off, and how much: the shortest piece that matches, or the longest.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// `${text#pattern}`, `${text##pattern}`.
    Begin { longest: bool },
    /// `${text%pattern}`, `${text%%pattern}`.
    End { longest: bool },
}

/// A text without what a pattern matches at its begin or end.
pub(super) fn strip(
    text: &str,
    pattern: &Pattern,
    cut: Cut,
    work: &mut u64,
) -> Result<String, Why> {
    let text = checked(text, pattern)?;
    let rest = match cut {
        Cut::Begin { longest } => {
            let ends = ends(&text, pattern, work)?;
            let end = if longest { ends.last() } else { ends.first() };
            &text[end.copied().unwrap_or(0)..]
        }
        Cut::End { longest } => {
            let mut from: Vec<usize> = (0..=text.len()).collect();
            if !longest {
                from.reverse();
            }
            let mut end = text.len();
            for at in from {
                if ends(&text[at..], pattern, work)?.last() == Some(&(text.len() - at)) {
                    end = at;
                    break;
                }
            }
            &text[..end]
        }
    };
    Ok(rest.iter().collect())
}

/// `${text/pattern/replacement}`, `${text//pattern/replacement}`.
pub(super) fn replace(
    text: &str,
    pattern: &Pattern,
    replacement: &str,
    all: bool,
    work: &mut u64,
) -> Result<String, Why> {
    let text = checked(text, pattern)?;
    let (mut out, mut at) = (String::new(), 0);
    while at < text.len() {
        match ends(&text[at..], pattern, work)?.last().copied().filter(|end| *end > 0) {
            Some(end) => {
                *work = work.checked_sub(replacement.len() as u64).ok_or("it is too long")?;
                out.push_str(replacement);
                at += end;
                if !all {
                    break;
                }
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out.extend(&text[at..]);
    Ok(out)
}
