//! Changes of the text of a file. What people wrote by hand stays as it is.

use std::path::Path;

use roost_ident::time::rfc3339_s;
use roost_text::shown;

use crate::{
    Fault, Rules, Scopes,
    form::{NAME_RULE, NEVER, is_name, parse},
};

/// Begins a file that `hab sup token` makes.
const HEAD: &str =
    "# Tokens of the HTTP API: hab sup run --http-tokens FILE. See docs/access.md.\n";

/// A token for a file.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// What it may read.
    pub scopes: Scopes,
    /// When it ends, in milliseconds since 1970; `None` is never.
    pub expires_ms: Option<u64>,
}

/// The text with one more token. `text` is `None` when there is no file yet.
///
/// # Errors
/// When the name is wrong or taken, or the file has a fault.
pub fn added(path: &Path, text: Option<&str>, new: &NewToken<'_>) -> Result<String, Fault> {
    if !is_name(new.name) {
        let problem = format!("'{}' cannot be the name of a token", shown(new.name));
        return Err(Fault::new(path, problem, NAME_RULE));
    }
    let text = text.unwrap_or(HEAD);
    let before = parse(path, text)?;
    if before.tokens.iter().any(|token| *token.name == *new.name) {
        let problem = format!("there is a token '{}' already", new.name);
        let remedy = format!("choose another name, or 'hab sup token revoke {}' first", new.name);
        return Err(Fault::new(path, problem, remedy));
    }
    let hash: String = new.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let scopes: Vec<String> = new.scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
    let expires = new.expires_ms.map_or(format!("\"{NEVER}\""), rfc3339_s);
    let text = format!(
        "{}\n[[token]]\nname = \"{}\"\nsha256 = \"{hash}\"\nscopes = [{}]\nexpires = {expires}\n",
        with_line_end(text),
        new.name,
        scopes.join(", "),
    );
    let after = parse(path, &text)?;
    match after.tokens.len() == before.tokens.len() + 1 && after.certificates == before.certificates
    {
        true => Ok(text),
        false => Err(by_hand(path)),
    }
}

/// The text without a token.
///
/// # Errors
/// When there is no such token, the file has a fault, or its form is beyond this function.
pub fn removed(path: &Path, text: &str, name: &str) -> Result<String, Fault> {
    let before = parse(path, text)?;
    if !before.tokens.iter().any(|token| *token.name == *name) {
        let problem = format!("there is no token '{}'", shown(name));
        return Err(Fault::new(path, problem, "'hab sup token list' shows the tokens"));
    }
    let rest = |rules: &Rules| -> Vec<_> {
        rules.tokens.iter().filter(|token| *token.name != *name).cloned().collect()
    };
    let wanted = Rules { tokens: rest(&before), certificates: before.certificates.clone() };
    // Which block it is shows by what is left when that is gone.
    let blocks = blocks(text);
    let candidates = blocks.iter().map(|block| {
        let (start, end) = (block.start, block.end);
        with_line_end(&format!("{}{}", &text[..start], text[end..].trim_start_matches('\n')))
    });
    let is_right = |text: &String| {
        // A file without an entry still needs a line.
        parse(path, text).is_ok_and(|rules| rules == wanted)
    };
    let mut candidates =
        candidates.map(|text| if text.trim().is_empty() { HEAD.into() } else { text });
    candidates.find(is_right).ok_or_else(|| by_hand(path))
}

/// Where the blocks below `[[token]]` are in the text. Each ends with its last line that is neither
/// blank nor a comment: what follows that line is about the next entry.
fn blocks(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut blocks = Vec::new();
    let mut open: Option<std::ops::Range<usize>> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let content = line.trim_start();
        if content.starts_with('[') {
            blocks.extend(open.take());
            let header: String = line.split_whitespace().collect();
            open = header.starts_with("[[token]]").then_some(start..end);
        } else if let Some(block) = &mut open
            && !content.is_empty()
            && !content.starts_with('#')
        {
            block.end = end;
        }
    }
    blocks.extend(open);
    blocks
}

fn with_line_end(text: &str) -> String {
    let text = text.trim_end_matches('\n');
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

fn by_hand(path: &Path) -> Fault {
    Fault::new(path, "its form is too unusual for this command", "change it with an editor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    fn path() -> &'static Path {
        Path::new("t")
    }

    fn new(name: &str, byte: u8) -> NewToken<'_> {
        let scopes = [Scope::Read, Scope::Logs].into_iter().collect();
        NewToken { name, digest: [byte; 32], scopes, expires_ms: Some(1_000) }
    }

    #[test]
    fn tokens_come_and_go_and_the_rest_stays() {
        let one = added(path(), None, &new("a", 1)).expect("added");
        let by_hand = format!(
            "{one}# for the page\n\n[[certificate]]\nsubject = \"CN=x\"\nscopes = [\"read\"]"
        );
        let two = added(path(), Some(&by_hand), &new("b", 2)).expect("added");
        let rules = parse(path(), &two).expect("valid");
        assert_eq!(rules.tokens[1].scopes.to_string(), "read, logs");
        assert_eq!(rules.tokens[1].expires_ms, Some(1_000));
        let without = removed(path(), &two, "b").expect("removed");
        assert_eq!(without, format!("{by_hand}\n"));
        let none = removed(path(), &without, "a").expect("removed");
        let rest = "# for the page\n\n[[certificate]]\nsubject = \"CN=x\"\nscopes = [\"read\"]\n";
        assert_eq!(none, format!("{HEAD}\n{rest}"), "the comment of the next entry stays");
        let forever = NewToken { expires_ms: None, ..new("c", 3) };
        let text = added(path(), None, &forever).expect("added");
        assert_eq!(parse(path(), &text).expect("valid").tokens[0].expires_ms, None);
        let last = removed(path(), text.split_once("\n\n").expect("a head").1, "c");
        assert_eq!(last.as_deref(), Ok(HEAD), "a file without an entry is not empty");
    }

    #[test]
    fn what_cannot_be_done_changes_nothing() {
        let text = added(path(), None, &new("a", 1)).expect("added");
        let error = |result: Result<String, Fault>| result.expect_err("refused").to_string();
        assert!(error(added(path(), Some(&text), &new("a", 2))).contains("a token 'a' already"));
        assert!(error(added(path(), Some(&text), &new("b", 1))).contains("already"));
        assert!(error(added(path(), Some(&text), &new("x y", 1))).contains("cannot be the name"));
        assert!(error(added(path(), Some("[[x"), &new("b", 1))).starts_with("t:1: "));
        assert!(error(removed(path(), &text, "b")).contains("there is no token 'b'"));
        let inline = format!(
            "token = [{{ name = \"a\", sha256 = \"{}\", scopes = [\"read\"], expires = \"never\" }}]\n",
            "0".repeat(64)
        );
        assert!(error(removed(path(), &inline, "a")).contains("with an editor"));
    }
}
