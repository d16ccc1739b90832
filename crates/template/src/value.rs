//! TOML as the JSON value that templates and HTTP documents see.

use serde_json::{Map, Number, Value};

/// The only key of the object that represents a TOML date or time.
pub const DATE_KEY: &str = "$__toml_private_datetime";

/// A TOML table as JSON, with keys in order. Habitat's quirks are kept, since HTTP documents show
/// them too (reference: templates §1.7): a date or time becomes an object with the single key
/// [`DATE_KEY`], and `nan` and the infinities become `null`.
#[must_use]
pub fn to_json(table: &toml::Table) -> Value {
    Value::Object(table.iter().map(|(key, value)| (key.clone(), item(value))).collect())
}

fn item(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        toml::Value::Boolean(flag) => Value::Bool(*flag),
        toml::Value::Datetime(when) => {
            Value::Object(Map::from_iter([(DATE_KEY.to_owned(), Value::from(when.to_string()))]))
        }
        toml::Value::Array(items) => Value::Array(items.iter().map(item).collect()),
        toml::Value::Table(table) => to_json(table),
    }
}

/// Merges `from` into `into`: objects by key, other values are replaced. A known key keeps its
/// position, a new one is appended.
pub(crate) fn merge_json(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(known) => merge_json(known, value),
                    None => drop(into.insert(key, value)),
                }
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_become_objects_and_numbers_without_json_form_become_null() {
        let table: toml::Table = toml::from_str(
            "z = 1979-05-27T07:32:00Z\na = nan\nb = inf\nc = 1.0\n[t]\nl = [1, \"x\", true]",
        )
        .expect("valid TOML");
        assert_eq!(
            to_json(&table).to_string(),
            r#"{"z":{"$__toml_private_datetime":"1979-05-27T07:32:00Z"},"a":null,"b":null,"c":1.0,"t":{"l":[1,"x",true]}}"#
        );
    }

    #[test]
    fn merging_keeps_places_and_replaces_all_but_objects() {
        let mut into = serde_json::json!({"b": {"x": 1}, "a": [1, 2]});
        merge_json(&mut into, serde_json::json!({"a": [3], "c": 1, "b": {"x": null, "y": 2}}));
        assert_eq!(into.to_string(), r#"{"b":{"x":null,"y":2},"a":[3],"c":1}"#);
    }
}
