//! The helpers that Habitat adds to Handlebars (reference: templates §5), one idea per file.

mod count_use;
mod each_alive;
mod pkg_path_for;
mod print;
mod serialise;
mod text;

use handlebars::{Handlebars, Helper, RenderError, RenderErrorReason};
use serde_json::Value;

pub(crate) use self::count_use::COUNT_USE;
use self::{count_use::CountUse, each_alive::EachAlive, pkg_path_for::PkgPathFor, print::Print};
use crate::budget::{Budget, explained};

/// An engine without templates, made for one rendering: about thirty small temporary allocations.
pub(crate) fn registry<'a>(root: &'a str, budget: &'a Budget) -> Handlebars<'a> {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(handlebars::no_escape);
    registry.register_helper(COUNT_USE, Box::new(CountUse(budget)));
    registry.register_helper("eachAlive", Box::new(EachAlive));
    registry.register_helper("pkgPathFor", Box::new(PkgPathFor { root }));
    registry.register_helper("strConcat", Box::new(Print(text::str_concat)));
    registry.register_helper("strJoin", Box::new(Print(text::str_join)));
    registry.register_helper("strReplace", Box::new(Print(text::str_replace)));
    registry.register_helper("toLowercase", Box::new(Print(text::to_lowercase)));
    registry.register_helper("toUppercase", Box::new(Print(text::to_uppercase)));
    registry.register_helper("toJson", Box::new(Print(serialise::to_json)));
    registry.register_helper("toToml", Box::new(Print(serialise::to_toml)));
    registry.register_helper("toYaml", Box::new(Print(serialise::to_yaml)));
    registry
}

/// A parameter's value; a missing value is `null`, an absent parameter `None`.
fn value<'a>(helper: &'a Helper<'_>, index: usize) -> Option<&'a Value> {
    helper.param(index).map(handlebars::PathAndJson::value)
}

fn text<'a>(helper: &'a Helper<'_>, index: usize) -> Result<&'a str, RenderError> {
    value(helper, index)
        .and_then(Value::as_str)
        .ok_or_else(|| type_mismatch(helper, index, "a text"))
}

/// A parameter has the wrong type. Habitat prints the placeholder of its macro literally, for every
/// helper and parameter.
fn type_mismatch(helper: &Helper<'_>, index: usize, wanted: &str) -> RenderError {
    let reason =
        RenderErrorReason::ParamTypeMismatchForName("$helper_fn_name", "0".into(), "string".into());
    let found = match value(helper, index) {
        None => "there is none",
        Some(Value::Null) => "it has no value",
        Some(Value::Bool(_)) => "it is true or false",
        Some(Value::Number(_)) => "it is a number",
        Some(Value::String(_)) => "it is a text",
        Some(Value::Array(_)) => "it is a list",
        Some(Value::Object(_)) => "it is a table",
    };
    let (name, number) = (helper.name(), index + 1);
    explained(&reason, &format!("{name} needs {wanted} as parameter {number}, but {found}"))
}
