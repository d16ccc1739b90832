//! Values that come from TOML: `cfg` of a service, of a census member, of a service rumor, and
//! the `value` of a service config.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::AdditionalProperties},
};

/// A TOML table, cheap to clone. In JSON a date becomes
/// `{"$__toml_private_datetime":"2025-03-01T12:00:00Z"}` and `nan` and `inf` become `null`, as
/// Habitat sends them (reference: http-api §8); in TOML they stay what they are.
#[derive(Debug, Clone)]
pub struct ConfigTable(Form);

#[derive(Debug, Clone)]
enum Form {
    Table(Arc<toml::Table>),
    Source(Arc<dyn TableSource>),
}

/// Where a table comes from that is made each time it is shown and not kept in between: parsed, a
/// text of the ring takes many times its length.
pub trait TableSource: fmt::Debug + Send + Sync {
    /// The table.
    fn table(&self) -> Arc<toml::Table>;
}

impl ConfigTable {
    /// A table that is made when it is shown.
    pub fn from_source(source: impl TableSource + 'static) -> Self {
        Self(Form::Source(Arc::new(source)))
    }

    /// The table itself.
    #[must_use]
    pub fn table(&self) -> Arc<toml::Table> {
        match &self.0 {
            Form::Table(table) => Arc::clone(table),
            Form::Source(source) => source.table(),
        }
    }

    /// True when both are the same table in memory.
    pub(crate) fn is_shared_with(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Table(own), Form::Table(other)) => Arc::ptr_eq(own, other),
            (Form::Source(own), Form::Source(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }
}

impl Default for ConfigTable {
    fn default() -> Self {
        Self(Form::Table(Arc::default()))
    }
}

impl PartialEq for ConfigTable {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || self.table() == other.table()
    }
}

impl From<toml::Table> for ConfigTable {
    fn from(table: toml::Table) -> Self {
        Arc::new(table).into()
    }
}

impl From<Arc<toml::Table>> for ConfigTable {
    fn from(table: Arc<toml::Table>) -> Self {
        Self(Form::Table(table))
    }
}

impl ToSchema for ConfigTable {
    fn name() -> Cow<'static, str> {
        "Config".into()
    }
}

impl PartialSchema for ConfigTable {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .description(Some(
                "Configuration. A TOML date is shown as {\"$__toml_private_datetime\":\"…\"}, nan and \
                 inf as null.",
            ))
            .into()
    }
}

/// The current configuration of a service; null when redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CurrentConfig(pub Option<ConfigTable>);

/// How the documents write a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Duration)]
pub struct DurationParts {
    /// Whole seconds.
    pub secs: u64,
    /// The rest, in nanoseconds.
    #[schema(maximum = 999_999_999)]
    pub nanos: u32,
}

impl Serialize for ConfigTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.table().serialize(serializer)
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
