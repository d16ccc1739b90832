//! Errors of configuration and templates: in Habitat's words where a command or a response shows
//! them, and in words for the author of the file, with the position.

use std::fmt;

use handlebars::RenderErrorReason as Reason;

use crate::{diagnose::diagnose, limits::MAX_CONFIG_BYTES};

/// A configuration source that cannot be read as configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML.
    #[error("Failed to parse TOML: {0}")]
    Toml(TomlFault),
    /// The value of the environment variable `HAB_<PACKAGE>` is neither TOML nor JSON.
    #[error("Unable to find valid TOML or JSON in {0} ENVVAR")]
    Environment(String),
    /// Longer than [`MAX_CONFIG_BYTES`]; the number is the length in bytes.
    #[error(
        "Configuration of {0} bytes is too large. Maximum allowed is {MAX_CONFIG_BYTES} bytes."
    )]
    TooLarge(usize),
}

/// A fault in a TOML text, and its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TomlFault {
    /// The parser's message of several lines, including the faulty one.
    pub text: String,
    /// The fault, in one line.
    pub message: String,
    /// Line and column, both from 1.
    pub position: (usize, usize),
}

impl TomlFault {
    pub(crate) fn new(source: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        Self {
            text: error.to_string(),
            message: error.message().trim().replace('\n', ", "),
            position: position(source, offset),
        }
    }
}

/// Line and column of an offset, both from 1; columns count characters.
pub(crate) fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(offset)];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// A template that cannot be loaded: `NAME:LINE:COLUMN: reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    name: String,
    position: Option<(usize, usize)>,
    reason: String,
}

impl TemplateError {
    pub(crate) fn refused(name: &str, reason: String) -> Self {
        Self { name: name.into(), position: None, reason }
    }

    /// Describes for the author why the parser failed.
    pub(crate) fn of_syntax(name: &str, source: &str, error: &handlebars::TemplateError) -> Self {
        let (offset, reason) = diagnose(source).unwrap_or_else(|| {
            let offset = error.pos().map_or(0, |place| offset(source, place));
            let reason = match error.reason() {
                handlebars::TemplateErrorReason::InvalidSyntax(_) => {
                    "this cannot be understood as a template".into()
                }
                reason => reason.to_string(),
            };
            (offset, reason)
        });
        Self { name: name.into(), position: Some(position(source, offset)), reason }
    }

    /// Name of the template: path relative to `config/`, or the hook's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Line and column, both from 1, if known.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }

    /// The reason, without name and position.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

fn offset(source: &str, (line, column): (usize, usize)) -> usize {
    let before: usize =
        source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let columns = source[before.min(source.len())..].char_indices();
    let column = columns.map(|(at, _)| at).nth(column.saturating_sub(1));
    column.map_or(source.len(), |at| before + at)
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for TemplateError {}

/// A template that cannot be rendered:
/// `Error rendering "<template>" line <l>, col <c>: <reason>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError {
    /// Name of the template: path relative to `config/`, or the hook's name.
    pub template: String,
    /// Line and column, both from 1, of the tag that failed.
    pub position: Option<(usize, usize)>,
    /// The reason, in Habitat's words.
    pub reason: String,
    /// The reason, in words for the author of the template.
    pub explanation: String,
}

/// Separates the two forms of a helper's reason.
pub(crate) const EXPLANATION_MARK: char = '\0';

impl RenderError {
    pub(crate) fn new(template: &str, error: &handlebars::RenderError) -> Self {
        let text = error.reason().to_string();
        let (reason, explanation) = match text.split_once(EXPLANATION_MARK) {
            Some((reason, explanation)) => (reason.to_owned(), explanation.to_owned()),
            None => (text.clone(), explain(error.reason()).unwrap_or(text)),
        };
        Self {
            template: error.template_name.clone().unwrap_or_else(|| template.to_owned()),
            position: error.line_no.zip(error.column_no),
            reason,
            explanation,
        }
    }
}

/// `None` where the library's text is sufficient.
fn explain(reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::HelperNotFound(name) => format!(
            "there is no helper '{name}'; a value alone is written {{{{{name}}}}}, and names of \
             helpers count upper and lower case"
        ),
        Reason::PartialNotFound(name) => format!(
            "there is no template '{name}' to include; {{{{> name}}}} takes the path below config/"
        ),
        Reason::DecoratorNotFound(name) => format!("there is no decorator '{name}'"),
        Reason::ParamNotFoundForIndex(helper, index) => {
            format!("'{helper}' needs at least {} parameters", index + 1)
        }
        Reason::ParamNotFoundForName(helper, name) => {
            format!("'{helper}' needs another parameter, '{name}'")
        }
        Reason::ParamTypeMismatchForName(helper, name, kind)
        | Reason::HashTypeMismatchForName(helper, name, kind) => {
            format!("'{helper}' needs its parameter '{name}' to be of another kind: {kind}")
        }
        Reason::InvalidParamType(_) => {
            "the parameter is of a kind that the helper cannot use; loops need a list or a table"
                .into()
        }
        Reason::InvalidJsonIndex(index) => format!(
            "'{index}' is not an element of a list; write the number of an element, as in cfg.list.[0]"
        ),
        Reason::IOError(error) => error.to_string(),
        _ => return None,
    })
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error rendering \"{}\"", self.template)?;
        if let Some((line, column)) = self.position {
            write!(f, " line {line}, col {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for RenderError {}
