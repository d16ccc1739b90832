//! Helpers on text: `toUppercase`, `toLowercase`, `strReplace`, `strConcat`, `strJoin`.

use handlebars::{Helper, RenderError};
use serde_json::Value;

use super::{text, type_mismatch, value};
use crate::{budget::refusal, limits::MAX_RENDERED_BYTES};

pub(super) fn to_uppercase(helper: &Helper<'_>) -> Result<String, RenderError> {
    Ok(text(helper, 0)?.to_uppercase())
}

pub(super) fn to_lowercase(helper: &Helper<'_>) -> Result<String, RenderError> {
    Ok(text(helper, 0)?.to_lowercase())
}

pub(super) fn str_replace(helper: &Helper<'_>) -> Result<String, RenderError> {
    let (source, old, new) = (text(helper, 0)?, text(helper, 1)?, text(helper, 2)?);
    let places = source.matches(old).count();
    if places.saturating_mul(new.len()).saturating_add(source.len()) > MAX_RENDERED_BYTES {
        return Err(too_long());
    }
    Ok(source.replace(old, new))
}

pub(super) fn str_concat(helper: &Helper<'_>) -> Result<String, RenderError> {
    let pieces = helper.params().iter().map(handlebars::PathAndJson::value);
    join(pieces, "")
}

pub(super) fn str_join(helper: &Helper<'_>) -> Result<String, RenderError> {
    let list = value(helper, 0).and_then(Value::as_array);
    let list = list.ok_or_else(|| type_mismatch(helper, 0, "a list"))?;
    join(list.iter(), text(helper, 1)?)
}

/// Compact JSON of each value without quotes, so escapes in strings remain, as in Habitat. Objects
/// are skipped.
fn join<'a>(
    values: impl Iterator<Item = &'a Value>,
    separator: &str,
) -> Result<String, RenderError> {
    let mut joined = String::new();
    for (index, piece) in values.filter(|value| !value.is_object()).enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        joined.extend(piece.to_string().split('"'));
        if joined.len() > MAX_RENDERED_BYTES {
            return Err(too_long());
        }
    }
    Ok(joined)
}

fn too_long() -> RenderError {
    refusal(format!("the text is longer than {MAX_RENDERED_BYTES} bytes"))
}
