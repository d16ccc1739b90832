//! The pure part of `hab plan render`: one template, no Supervisor (reference: templates §9.1).

use serde_json::{Value, json};

use crate::{
    config::{check_size, parse_toml},
    error::{ConfigError, RenderError, TemplateError},
    set::TemplateSet,
    value::{merge_json, to_json},
};

/// Why a template could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PlanRenderError {
    /// `default.toml` or `user.toml` is not valid.
    #[error("{}", toml_text(.0))]
    Toml(ConfigError),
    /// The mock data is not valid JSON.
    #[error("Can't deserialize JSON: {0}")]
    Json(serde_json::Error),
    /// The mock data is too long.
    #[error(transparent)]
    TooLarge(ConfigError),
    /// The template cannot be loaded.
    #[error("{}", template_text(.0))]
    Template(TemplateError),
    /// The template cannot be rendered.
    #[error(transparent)]
    Render(RenderError),
}

/// The command uses a different text for the error that a Supervisor calls `Failed to parse TOML`.
fn toml_text(error: &ConfigError) -> String {
    match error {
        ConfigError::Toml(fault) => format!("Can't deserialize TOML: {fault}"),
        other => other.to_string(),
    }
}

/// The template's text is used as its name, so the name is left out.
fn template_text(error: &TemplateError) -> String {
    let place = error.position().map_or(String::new(), |(l, c)| format!(" line {l}, col {c}"));
    format!("Error in template{place}: {}", error.reason())
}

/// The context: `{"cfg": <default.toml>}`, merged with `{"cfg": <user.toml>}`, merged with the mock
/// document. Objects merge by key, everything else replaces. There is no `sys`, `pkg`, `svc` or
/// `bind` unless the mock data has them.
///
/// # Errors
/// A source that is not valid or too long.
pub fn context(
    default_toml: &str,
    user_toml: Option<&str>,
    mock_json: Option<&str>,
) -> Result<Value, PlanRenderError> {
    let mut context = cfg(default_toml)?;
    if let Some(text) = user_toml {
        merge_json(&mut context, cfg(text)?);
    }
    if let Some(text) = mock_json {
        check_size(text).map_err(PlanRenderError::TooLarge)?;
        merge_json(&mut context, serde_json::from_str(text).map_err(PlanRenderError::Json)?);
    }
    Ok(context)
}

/// `{"cfg": <table>}`. The conversion through JSON text is Habitat's and visible: floats of 17
/// digits lose the last one, which they do not in a Supervisor.
fn cfg(text: &str) -> Result<Value, PlanRenderError> {
    let table = parse_toml(text).map_err(PlanRenderError::Toml)?;
    let json = to_json(&table).to_string();
    Ok(json!({ "cfg": serde_json::from_str::<Value>(&json).map_err(PlanRenderError::Json)? }))
}

/// Renders one template; as in Habitat, messages use its text as its name. `root` is the prefix of
/// the paths that `pkgPathFor` prints.
///
/// # Errors
/// A template that cannot be loaded or rendered.
pub fn render(root: &str, template: &str, context: &Value) -> Result<String, PlanRenderError> {
    TemplateSet::with_root(root, [(template.to_owned(), template.to_owned())])
        .map_err(PlanRenderError::Template)?
        .render(template, context)
        .map_err(PlanRenderError::Render)
}
