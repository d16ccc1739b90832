//! What can be wrong with configuration and templates, in Habitat's words.

use std::fmt;

use crate::limits::MAX_CONFIG_BYTES;

/// A configuration source that cannot be read as configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML; the text is the parser's, with line, column and the offending line.
    #[error("Failed to parse TOML: {0}")]
    Toml(String),
    /// The value of the environment variable `HAB_<PACKAGE>` is neither TOML nor JSON.
    #[error("Unable to find valid TOML or JSON in {0} ENVVAR")]
    Environment(String),
    /// Longer than [`MAX_CONFIG_BYTES`]; the number is the length in bytes.
    #[error(
        "Configuration of {0} bytes is too large. Maximum allowed is {MAX_CONFIG_BYTES} bytes."
    )]
    TooLarge(usize),
}

/// A template that cannot be loaded.
///
/// Its text is Habitat's debug form, `TemplateError { reason: InvalidSyntax("expected ..."), ..`;
/// [`TemplateError::explain`] is for people.
#[derive(Debug)]
pub struct TemplateError(Box<handlebars::TemplateError>);

impl TemplateError {
    pub(crate) fn refused(name: &str, reason: String) -> Self {
        let reason = handlebars::TemplateErrorReason::InvalidSyntax(reason);
        handlebars::TemplateError::of(reason).in_template(name.to_owned()).into()
    }

    /// Name of the template: path relative to `config/`, or the hook's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name().map(String::as_str)
    }

    /// Line and column, both from 1, when the parser knows them.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        self.0.pos()
    }

    /// What is wrong, without name and position.
    #[must_use]
    pub fn reason(&self) -> String {
        self.0.reason().to_string()
    }

    /// Several lines that show the place in the template.
    #[must_use]
    pub fn explain(&self) -> String {
        self.0.to_string()
    }
}

impl From<handlebars::TemplateError> for TemplateError {
    fn from(error: handlebars::TemplateError) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
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
    /// What is wrong.
    pub reason: String,
}

impl RenderError {
    pub(crate) fn new(template: &str, error: &handlebars::RenderError) -> Self {
        Self {
            template: error.template_name.clone().unwrap_or_else(|| template.to_owned()),
            position: error.line_no.zip(error.column_no),
            reason: error.reason().to_string(),
        }
    }
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
