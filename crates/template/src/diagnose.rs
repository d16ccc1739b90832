//! Diagnosis of a template that does not parse.
//!
//! The parser reports which of its rules did not match; an author needs to know which tag is not
//! closed. So a refused template is scanned again, tag by tag.

/// Longest shown piece of a tag.
const MAX_SHOWN_CHARS: usize = 40;

/// An open block.
struct Open<'a> {
    name: &'a str,
    offset: usize,
    line: usize,
}

/// Offset of the fault in bytes and its description; `None` when it is not one of the usual ones.
pub(crate) fn diagnose(source: &str) -> Option<(usize, String)> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while let Some(found) = source[at..].find("{{") {
        let start = at + found;
        line += source[at..start].matches('\n').count();
        if source[..start].ends_with('\\') {
            at = start + 2;
            continue;
        }
        let inner = &source[start + 2..];
        let end = match end_of(inner) {
            Ok(end) => end,
            Err(missing) => {
                return Some((
                    start,
                    format!("{} is not closed: {missing} is missing", shown(&source[start..])),
                ));
            }
        };
        let tag = &inner[..end.content];
        if let Some(fault) = look_at(tag, start, line, &mut open) {
            return Some((start, fault));
        }
        let next = start + 2 + end.whole;
        line += source[start..next].matches('\n').count();
        at = next;
    }
    let last = open.pop()?;
    let name = last.name;
    Some((last.offset, format!("{{{{#{name}}}}} is never closed: {{{{/{name}}}}} is missing")))
}

/// Lengths of a tag after its opening braces.
struct End {
    content: usize,
    whole: usize,
}

fn end_of(inner: &str) -> Result<End, &'static str> {
    let opening = inner.trim_start_matches('~');
    if opening.starts_with("!--") {
        let content = inner.find("--}}").or_else(|| inner.find("--~}}")).ok_or("--}}")?;
        let whole = content + inner[content..].find("}}").ok_or("--}}")? + 2;
        return Ok(End { content, whole });
    }
    let closing = if opening.starts_with('{') { "}}}" } else { "}}" };
    let content = inner.find("}}").ok_or(closing)?;
    if closing == "}}}"
        && !inner[content + 2..].starts_with('}')
        && !inner[..content].ends_with('}')
    {
        return Err(closing);
    }
    // A tag cannot contain the start of another.
    let after_braces = inner.len() - inner.trim_start_matches(['~', '{']).len();
    if !opening.starts_with('!')
        && inner[after_braces..].find("{{").is_some_and(|at| at + after_braces < content)
    {
        return Err(closing);
    }
    let extra = inner[content + 2..].chars().take_while(|c| *c == '}').count();
    Ok(End { content, whole: content + 2 + extra })
}

/// The fault of one tag, as far as it shows without a grammar.
fn look_at<'a>(
    tag: &'a str,
    offset: usize,
    line: usize,
    open: &mut Vec<Open<'a>>,
) -> Option<String> {
    let text = tag.trim_matches(['~', '{', ' ', '\t', '\r', '\n']);
    let name_in = |text: &'a str| {
        let text = text.trim_start_matches(['>', '*', ' ']);
        text.split([' ', '\t', '\r', '\n', '~', '(']).next().unwrap_or_default()
    };
    match text.chars().next() {
        None => return Some("{{}} is empty: a value or a helper is expected".into()),
        Some('!') => return None,
        Some('#') => {
            let name = name_in(&text[1..]);
            if name.is_empty() {
                return Some("a block needs a name, as in {{#if cfg.key}}".into());
            }
            open.push(Open { name, offset, line });
        }
        Some('/') => {
            let name = name_in(&text[1..]);
            let Some(last) = open.pop() else {
                return Some(format!("{{{{/{name}}}}} closes nothing: no {{{{#{name}}}}} is open"));
            };
            if last.name != name {
                let (opened, line) = (last.name, last.line);
                return Some(format!(
                    "{{{{/{name}}}}} cannot close {{{{#{opened}}}}} of line {line}: \
                     {{{{/{opened}}}}} is expected"
                ));
            }
            return None;
        }
        Some('^') if open.is_empty() => return Some("{{^}} is outside of a block".into()),
        Some(_) if open.is_empty() && name_in(text) == "else" => {
            return Some("{{else}} is outside of a block".into());
        }
        Some(_) => {}
    }
    inside(text)
}

/// Faults between the braces.
fn inside(text: &str) -> Option<String> {
    let (mut depth, mut quote, mut before) = (0_i32, None, ' ');
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, '[') if before.is_alphanumeric() || before == '_' => {
                return Some(format!(
                    "{} has an index without a dot before it: write cfg.list.[0]",
                    shown(text)
                ));
            }
            (None, '|') if !text.contains(" as |") && !text.contains("as|") => {
                return Some(format!("{}: names in bars are allowed only after 'as'", shown(text)));
            }
            (None, _) => {}
        }
        if depth < 0 {
            return Some(format!("{} has one ) too many", shown(text)));
        }
        before = c;
    }
    if let Some(quote) = quote {
        return Some(format!("{}: a text is not closed, {quote} is missing", shown(text)));
    }
    (depth > 0).then(|| format!("{}: a ) is missing", shown(text)))
}

/// The start of a piece of a template, on one line.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_end();
    // Up to the next piece. This one may start with a multi-byte character.
    let next = line.char_indices().skip(2).find(|(at, _)| line[*at..].starts_with("{{"));
    let line = next.map_or(line, |(at, _)| &line[..at]).trim_end();
    match line.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::TemplateSet;

    fn error(source: &str) -> String {
        let sources = [("c".to_owned(), source.to_owned())];
        TemplateSet::new(sources).expect_err(source).to_string()
    }

    #[test]
    fn the_usual_faults_are_reported_with_their_place() {
        for (source, expected) in [
            ("a\nb {{#if cfg.x}\n", "c:2:3: {{#if cfg.x} is not closed: }} is missing"),
            ("exec {{pkg.path}/bin/x", "c:1:6: {{pkg.path}/bin/x is not closed: }} is missing"),
            ("{{pkg.path}/a {{cfg.x}}", "c:1:1: {{pkg.path}/a is not closed: }} is missing"),
            ("ü {{#if cfg.v}} unfinished", "c:1:3: {{#if}} is never closed: {{/if}} is missing"),
            (
                "{{#if a}}\n{{#each b}}\n{{/if}}",
                "c:3:1: {{/if}} cannot close {{#each}} of line 2: {{/each}} is expected",
            ),
            ("{{/if}}", "c:1:1: {{/if}} closes nothing: no {{#if}} is open"),
            ("{{else}}", "c:1:1: {{else}} is outside of a block"),
            ("{{}}", "c:1:1: {{}} is empty: a value or a helper is expected"),
            (
                "{{cfg.list[0]}}",
                "c:1:1: cfg.list[0] has an index without a dot before it: write cfg.list.[0]",
            ),
            ("{{toJson (cfg.a}}", "c:1:1: toJson (cfg.a: a ) is missing"),
            ("{{strJoin a \"x}}", "c:1:1: strJoin a \"x: a text is not closed, \" is missing"),
            ("{{!-- no end", "c:1:1: {{!-- no end is not closed: --}} is missing"),
            ("{{{a}}", "c:1:1: {{{a}} is not closed: }}} is missing"),
            ("{{> }}", "c:1:5: this cannot be understood as a template"),
        ] {
            let text = error(source);
            assert!(text.starts_with(expected), "{source:?}\n{text}\n{expected}");
        }
    }

    #[test]
    fn no_message_shows_internals_of_the_parser() {
        for source in [
            "{{#if}}{{/if}}{{a b=}}",
            "{{a..}}",
            "{{@}}",
            "{{a |x|}}",
            "{{{{raw}}}} x",
            "{{#>}}{{/}}",
            "{{#each a as |x}}{{/each}}",
            "{{a \u{1}}}",
            "{{#*inline}}{{/inline}}",
            "{{=}}",
        ] {
            let sources = [("c".to_owned(), source.to_owned())];
            let Err(error) = TemplateSet::new(sources) else { continue };
            let text = error.to_string();
            for inside in ["expected ", "InvalidSyntax", "TemplateError", "Some("] {
                assert!(!text.contains(inside) || text.contains("is expected"), "{source}: {text}");
            }
        }
    }
}
