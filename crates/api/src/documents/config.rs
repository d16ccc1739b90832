//! Values that come from TOML: `cfg` of a service, of a census member, of a service rumor, and
//! the `value` of a service config.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

/// A TOML table, cheap to clone. In JSON a date becomes
/// `{"$__toml_private_datetime":"2025-03-01T12:00:00Z"}` and `nan` and `inf` become `null`, as
/// Habitat sends them (HTTP API chapter 8); in TOML they stay what they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConfigTable(Arc<toml::Table>);

impl ConfigTable {
    /// The table itself.
    #[must_use]
    pub fn table(&self) -> &toml::Table {
        &self.0
    }
}

impl From<toml::Table> for ConfigTable {
    fn from(table: toml::Table) -> Self {
        Self(Arc::new(table))
    }
}

impl From<Arc<toml::Table>> for ConfigTable {
    fn from(table: Arc<toml::Table>) -> Self {
        Self(table)
    }
}

impl Serialize for ConfigTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ConfigTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = serde_json::Map::deserialize(deserializer)?;
        let table: toml::Table =
            fields.into_iter().map(|(key, value)| (key, from_json(value))).collect();
        Ok(table.into())
    }
}

/// Reads back what JSON shows. What became `null` was `nan` or infinite: it is read as `nan`.
fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Float(f64::NAN),
        Json::Bool(flag) => Value::Boolean(flag),
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::Array(items.into_iter().map(from_json).collect()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Value::Integer(integer),
            (None, float) => Value::Float(float.unwrap_or(f64::NAN)),
        },
        Json::Object(fields) => {
            let date = fields.get("$__toml_private_datetime").and_then(Json::as_str);
            if let Some(date) = date.and_then(|date| date.parse().ok()) {
                return Value::Datetime(date);
            }
            Value::Table(fields.into_iter().map(|(key, value)| (key, from_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_shows_dates_and_not_numbers_the_way_habitat_does() {
        let table: toml::Table = "b = 2.0\na = 2025-03-01T12:00:00Z\nn = nan\ni = -inf\n[t]\nz = 1"
            .parse()
            .expect("TOML");
        let json = serde_json::to_string(&ConfigTable::from(table)).expect("JSON");
        assert_eq!(
            json,
            r#"{"b":2.0,"a":{"$__toml_private_datetime":"2025-03-01T12:00:00Z"},"n":null,"i":null,"t":{"z":1}}"#
        );
    }
}
