//! The form of a file, and its check.

use std::{collections::HashMap, ops::Range, path::Path, sync::Arc};

use roost_ident::time::parse_rfc3339_ms;
use roost_text::shown;
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::{CertificateRule, ENTRIES_MAX, Fault, NAME_BYTES_MAX, Rules, Scope, Scopes, TokenRule};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Token>,
    #[serde(default)]
    certificate: Vec<Certificate>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: Spanned<String>,
    sha256: Spanned<String>,
    scopes: Spanned<Vec<Spanned<String>>>,
    /// Not optional: a file that is cut before it must not make a token last.
    expires: Spanned<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificate {
    subject: Spanned<String>,
    scopes: Spanned<Vec<Spanned<String>>>,
}

/// Reads the text of a file.
///
/// # Errors
/// The first fault: one rule that is not understood makes the file unusable.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Rules, Fault> {
    Reader { path, text }.rules()
}

/// True for the name of a token: it is shown in logs and messages, and given on command lines.
pub(crate) fn is_name(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(fine) && !text.starts_with('-')
}

/// The end of a token without one.
pub(crate) const NEVER: &str = "never";

/// The rule for names, in words.
pub(crate) const NAME_RULE: &str =
    "a name is up to 64 letters, digits, '.', '_' and '-', and does not begin with '-'";

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn rules(&self) -> Result<Rules, Fault> {
        if self.text.trim().is_empty() {
            // A file that is being written starts like this, and must not revoke every token.
            return Err(self.fault("it is empty", "write at least a line with a comment"));
        }
        let file: File = toml::from_str(self.text).map_err(|error| {
            let fault = self.fault(
                error.message().trim_end_matches('.'),
                "correct it; docs/access.md has an example",
            );
            let line = error.span().map(|span| self.line(&span));
            line.map_or(fault.clone(), |line| fault.in_line(line))
        })?;
        for (count, what) in
            [(file.token.len(), "tokens"), (file.certificate.len(), "certificates")]
        {
            if count > ENTRIES_MAX {
                let problem = format!("it has {count} {what}, at most {ENTRIES_MAX} are allowed");
                return Err(self.fault(&problem, "remove some"));
            }
        }
        let mut lines = HashMap::new();
        let tokens = file
            .token
            .iter()
            .map(|token| self.token(token, &mut lines))
            .collect::<Result<_, _>>()?;
        let mut lines = HashMap::new();
        let certificates = file.certificate.iter();
        let certificates = certificates
            .map(|certificate| self.certificate(certificate, &mut lines))
            .collect::<Result<_, _>>()?;
        Ok(Rules { tokens, certificates })
    }

    fn token(&self, token: &Token, lines: &mut HashMap<String, usize>) -> Result<TokenRule, Fault> {
        let name = token.name.get_ref();
        if !is_name(name) {
            let problem = format!("'{}' cannot be the name of a token", shown(name));
            return Err(self.at(&token.name, &problem, NAME_RULE));
        }
        self.only_once(&token.name, name, lines)?;
        let hash = token.sha256.get_ref();
        let Some(digest) = digest(hash) else {
            let remedy = "it takes 64 hexadecimal digits: printf %s TOKEN | sha256sum";
            return Err(self.at(&token.sha256, "sha256 is not a SHA-256 hash", remedy));
        };
        // Two rules for one token: which of them counts?
        self.only_once(&token.sha256, &hash.to_ascii_lowercase(), lines)?;
        Ok(TokenRule {
            name: Arc::from(name.as_str()),
            digest,
            scopes: self.scopes(&token.scopes)?,
            expires_ms: self.expires(&token.expires)?,
        })
    }

    fn certificate(
        &self,
        certificate: &Certificate,
        lines: &mut HashMap<String, usize>,
    ) -> Result<CertificateRule, Fault> {
        let text = certificate.subject.get_ref();
        let subject: roost_tls::Subject = text.parse().map_err(|error| {
            let problem = format!("'{}' is not the subject of a certificate: {error}", shown(text));
            let remedy = "write it as 'openssl x509 -noout -subject' prints it, such as \
                          'O=Acme, CN=prometheus'";
            self.at(&certificate.subject, &problem, remedy)
        })?;
        self.only_once(&certificate.subject, subject.as_str(), lines)?;
        Ok(CertificateRule { subject, scopes: self.scopes(&certificate.scopes)? })
    }

    fn scopes(&self, words: &Spanned<Vec<Spanned<String>>>) -> Result<Scopes, Fault> {
        let parse = |word: &Spanned<String>| {
            word.get_ref().parse::<Scope>().map_err(|error| {
                let problem = format!("there is no scope '{}'", shown(word.get_ref()));
                self.at(word, &problem, &error.to_string())
            })
        };
        let scopes: Scopes = words.get_ref().iter().map(parse).collect::<Result<_, _>>()?;
        match scopes.is_empty() {
            true => Err(self.at(words, "scopes is empty", "name at least one scope")),
            false => Ok(scopes),
        }
    }

    fn expires(&self, value: &Spanned<Value>) -> Result<Option<u64>, Fault> {
        let text = match value.get_ref() {
            Value::String(text) if text == NEVER => return Ok(None),
            Value::String(text) => text.clone(),
            Value::Datetime(time) => time.to_string(),
            _ => String::new(),
        };
        parse_rfc3339_ms(&text).map(Some).ok_or_else(|| {
            let remedy = "write date, time and offset, such as 2027-01-31T00:00:00Z, or \"never\"";
            self.at(value, "expires is not a point in time", remedy)
        })
    }

    fn only_once<T>(
        &self,
        at: &Spanned<T>,
        text: &str,
        lines: &mut HashMap<String, usize>,
    ) -> Result<(), Fault> {
        match lines.insert(text.into(), self.line(&at.span())) {
            None => Ok(()),
            Some(line) => {
                let problem = format!("this is in line {line} already");
                Err(self.at(at, &problem, "remove one of the two"))
            }
        }
    }

    fn at<T>(&self, at: &Spanned<T>, problem: &str, remedy: &str) -> Fault {
        self.fault(problem, remedy).in_line(self.line(&at.span()))
    }

    fn fault(&self, problem: &str, remedy: &str) -> Fault {
        Fault::new(self.path, problem, remedy)
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digit = |ascii: u8| char::from(ascii).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn parsed(text: &str) -> Result<Rules, String> {
        parse(Path::new("t"), text).map_err(|fault| fault.to_string())
    }

    fn token(name: &str, rest: &str) -> String {
        let expires = if rest.contains("expire") { "" } else { "expires = \"never\"\n" };
        format!("[[token]]\nname = \"{name}\"\nsha256 = \"{HASH}\"\n{rest}\n{expires}")
    }

    #[test]
    fn tokens_and_certificates_are_read() {
        let text = token("prom", "scopes = [\"read\", \"logs\"]\nexpires = 2027-01-31T00:00:00Z")
            + "[[token]]\nname = \"b\"\nsha256 = \"00"
            + &HASH[2..].to_uppercase()
            + "\"\nscopes = [\"probe\"]\nexpires = \"1970-01-01T01:00:01+01:00\"\n"
            + "[[certificate]]\nsubject = \"O = Acme,CN=prom\"\nscopes = [\"ring\"]\n";
        let rules = parsed(&text).expect("valid");
        assert_eq!(rules.tokens[0].name.as_ref(), "prom");
        assert_eq!(rules.tokens[0].expires_ms, Some(1_801_353_600_000));
        // printf secret | sha256sum
        assert_eq!(Some(rules.tokens[0].digest), crate::digest_of("secret"));
        assert_eq!(rules.tokens[0].scopes.to_string(), "read, logs");
        assert_eq!(rules.tokens[1].expires_ms, Some(1000));
        assert_eq!(rules.certificates[0].subject.as_str(), "O=Acme, CN=prom");
        assert_eq!(parsed("# none\n"), Ok(Rules::default()));
    }

    #[test]
    fn every_fault_is_named_with_line_and_remedy() {
        let read = "scopes = [\"read\"]";
        for (text, expected) in [
            (String::new(), "t: it is empty; write at least"),
            (" \n".into(), "t: it is empty; write at least"),
            (token("a b", read), "t:2: 'a b' cannot be the name of a token; a name is"),
            (token("", read), "t:2: '' cannot be"),
            (token("-a", read), "t:2: '-a' cannot be"),
            (token("a", read) + &token("a", read), "t:7: this is in line 2 already; remove one"),
            (token("a", read) + &token("b", read), "t:8: this is in line 3 already; remove one"),
            (token("a", "scopes = [\"read\", \"admin\"]"), "t:4: there is no scope 'admin'; exp"),
            (token("a", "scopes = []"), "t:4: scopes is empty; name"),
            (token("a", "scopes = \"read\""), "t:4: invalid type"),
            (token("a", ""), "t:1: missing field `scopes`"),
            (token("a", &format!("{read}\nexpires = \"soon\"")), "t:5: expires is not a point"),
            (token("a", &format!("{read}\nexpires = 2027-01-31")), "t:5: expires is not a point"),
            (token("a", &format!("{read}\nexpires = 7")), "t:5: expires is not a point"),
            (token("a", &format!("{read}\nexpire = 7")), "t:5: unknown field `expire`"),
            ("[[tokens]]\n".into(), "t:1: unknown field `tokens`"),
            ("[[token]]\nname = \"a".into(), "t:2: "),
            (
                "[[token]]\nname = \"a\"\nsha256 = \"sekret\"\nscopes = [\"read\"]\nexpires = \"never\""
                    .into(),
                "t:3: sha256 is not a SHA-256 hash; it takes",
            ),
            (
                "\n[[certificate]]\nsubject = \"prom\"\nscopes = [\"read\"]".into(),
                "t:3: 'prom' is not the subject of a certificate",
            ),
        ] {
            let error = parsed(&text).expect_err(expected);
            assert!(error.starts_with(expected), "{error} instead of {expected}");
            assert!(error.contains("; ") && !error.contains("sekret"), "{error}");
        }
        let many: String = (0..=ENTRIES_MAX)
            .map(|n| format!("[[certificate]]\nsubject = \"CN={n}\"\nscopes = [\"read\"]\n"))
            .collect();
        let error = parsed(&many).expect_err("too many");
        assert!(error.contains("1001 certificates, at most 1000"), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_rules_or_a_fault(text in "\\PC*") {
            let _ = parsed(&text);
        }

        /// A file that is cut anywhere is refused, or grants what it says as a whole, or nothing.
        #[test]
        fn a_file_that_is_cut_never_grants_anything_else(cut in 0..200_usize) {
            let text = token("prom", "scopes = [\"read\"]\nexpires = 2027-01-31T00:00:00Z");
            let whole = parsed(&text).expect("valid");
            if let Ok(rules) = parsed(&text[..cut.min(text.len())]) {
                prop_assert!(rules.tokens.is_empty() || rules.tokens == whole.tokens);
            }
        }
    }
}
