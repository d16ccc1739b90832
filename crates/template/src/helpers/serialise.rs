//! Helpers that print a value as a document: `toJson`, `toYaml`, `toToml`.

use handlebars::{Helper, RenderError};
use serde::Serialize;
use serde_json::Value;

use super::{type_mismatch, value};
use crate::budget::{explained, refusal};

pub(super) fn to_json(helper: &Helper<'_>) -> Result<String, RenderError> {
    let value = value(helper, 0).ok_or_else(|| type_mismatch(helper, 0, "a value"))?;
    Ok(format!("{value:#}"))
}

pub(super) fn to_yaml(helper: &Helper<'_>) -> Result<String, RenderError> {
    let value =
        value(helper, 0).ok_or_else(|| refusal("Expected 1 parameter for \"toYaml\"".into()))?;
    yaml_serde::to_string(value)
        .map_err(|error| refusal(format!("Can't serialize parameter to YAML: {error}")))
}

pub(super) fn to_toml(helper: &Helper<'_>) -> Result<String, RenderError> {
    let value =
        value(helper, 0).ok_or_else(|| refusal("Expected 1 parameter for \"toToml\"".into()))?;
    toml_text(value).map_err(|error| {
        let explanation = "toToml cannot write this value: TOML has no null";
        explained(&format!("Can't serialize parameter to TOML: {error}"), explanation)
    })
}

/// An object is a document, anything else a single value.
fn toml_text(value: &Value) -> Result<String, toml::ser::Error> {
    if value.is_object() {
        return toml::to_string(value);
    }
    let mut text = String::new();
    value.serialize(toml::ser::ValueSerializer::new(&mut text))?;
    Ok(text)
}
