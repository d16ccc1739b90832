//! Warnings about template syntax that Habitat deprecates.

/// One line with the old `object[index]` syntax, which silently means `object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deprecation {
    /// Name of the template.
    pub template: String,
    /// Line, from 1.
    pub line: usize,
    /// The original line.
    pub text: String,
    /// The corrected line.
    pub suggestion: String,
}

/// Lines of a template with `object[index]` instead of `object.[index]`: within a tag, a `[` that
/// does not follow a dot (Habitat's pattern is `(\{\{[^}]+[^.])(\[)`, reference: templates §4.2).
#[must_use]
pub fn deprecations(name: &str, source: &str) -> Vec<Deprecation> {
    source
        .lines()
        .enumerate()
        .filter_map(|(index, text)| {
            let suggestion = modernised(text)?;
            Some(Deprecation {
                template: name.into(),
                line: index + 1,
                text: text.into(),
                suggestion,
            })
        })
        .collect()
}

/// The line with a dot before each old index, or `None` without one.
fn modernised(line: &str) -> Option<String> {
    let mut new = String::with_capacity(line.len() + 1);
    let mut rest = line;
    let mut found = false;
    while let Some(start) = rest.find("{{") {
        let (before, tag) = rest.split_at(start + 2);
        let (tag, after) = tag.split_at(tag.find('}').unwrap_or(tag.len()));
        new.push_str(before);
        let mut previous: Vec<char> = Vec::with_capacity(2);
        for c in tag.chars() {
            // The pattern requires at least two characters between the braces and the bracket.
            if c == '[' && previous.len() == 2 && previous[1] != '.' {
                new.push('.');
                found = true;
            }
            new.push(c);
            if previous.len() == 2 {
                previous.remove(0);
            }
            previous.push(c);
        }
        rest = after;
    }
    new.push_str(rest);
    found.then_some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_without_a_dot_is_reported_with_its_line() {
        let found =
            deprecations("a.conf", "x\n{{#if cfg.list[1]}}y{{/if}} [z]\n{{cfg.list.[0]}}\n");
        assert_eq!(
            found,
            [Deprecation {
                template: "a.conf".into(),
                line: 2,
                text: "{{#if cfg.list[1]}}y{{/if}} [z]".into(),
                suggestion: "{{#if cfg.list.[1]}}y{{/if}} [z]".into(),
            }]
        );
    }

    #[test]
    fn brackets_outside_of_tags_are_not_an_index() {
        assert_eq!(deprecations("a", "[section]\n{ a[0] }\n{{x}}[1]"), []);
    }
}
