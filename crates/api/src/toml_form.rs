//! Documents as TOML (reference: http-api §15.1): the key names of the JSON form; null keys are
//! left out; integers that TOML cannot hold are written as decimal strings.

use serde::Serialize;
use toml::{Table, Value};

use crate::documents::ServiceDocument;

/// A document as TOML text.
pub(crate) fn of(document: &impl Serialize) -> String {
    of_table(&table(document))
}

/// A list of services: one array of tables, `[[services]]`, or `services = []`.
pub(crate) fn of_services<'a>(services: impl Iterator<Item = &'a ServiceDocument>) -> String {
    let services = services.map(|service| Value::Table(table(service))).collect();
    of_table(&Table::from_iter([("services".to_owned(), Value::Array(services))]))
}

/// A TOML table as text.
pub(crate) fn of_table(table: &Table) -> String {
    toml::to_string(table).expect("a TOML table can be written as TOML")
}

fn table(document: &impl Serialize) -> Table {
    // The direct way keeps dates, `nan` and `inf` of configurations. It fails on counters above
    // 2^63 - 1, which rumors may carry; then the way through JSON writes those as strings.
    Table::try_from(document).unwrap_or_else(|_| {
        let json = serde_json::to_value(document).unwrap_or_default();
        match from_json(json) {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        }
    })
}

fn from_json(json: serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match json {
        Json::Null => return None,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::Array(items.into_iter().filter_map(from_json).collect()),
        Json::Object(fields) => from_json_object(fields),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(integer), _, _) => Value::Integer(integer),
            (None, Some(large), _) => Value::String(large.to_string()),
            (None, None, float) => Value::Float(float.unwrap_or(f64::NAN)),
        },
    })
}

/// A table, or the date that JSON shows as a table with one key.
fn from_json_object(fields: serde_json::Map<String, serde_json::Value>) -> Value {
    let date = fields.get("$__toml_private_datetime").and_then(serde_json::Value::as_str);
    if let Some(date) = date.and_then(|date| date.parse().ok()) {
        return Value::Datetime(date);
    }
    let fields = fields.into_iter();
    Value::Table(fields.filter_map(|(key, value)| Some((key, from_json(value)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Butterfly, butterfly};

    #[test]
    fn an_empty_list_of_services_is_an_empty_array() {
        assert_eq!(of_services(std::iter::empty()), "services = []\n");
    }

    #[test]
    fn large_counters_become_strings_and_dates_stay_dates() {
        let cfg: Table = "when = 2025-03-01T12:00:00Z\nn = 3\nf = 2.0".parse().expect("TOML");
        let json = serde_json::json!({"big": u64::MAX, "none": null, "cfg": cfg, "b": [1, true]});
        let text = of(&json);
        assert_eq!(
            text,
            "big = \"18446744073709551615\"\nb = [1, true]\n\n[cfg]\n\
             when = 2025-03-01T12:00:00Z\nn = 3\nf = 2.0\n"
        );
    }

    #[test]
    fn an_election_with_the_highest_suitability_can_be_written() {
        let mut document = Butterfly::default();
        document.update_elections.list.insert(
            "web.default".into(),
            Some(butterfly::Election {
                member_id: "a".into(),
                service_group: "web.default".into(),
                term: 0,
                suitability: u64::MAX,
                status: butterfly::RumorElectionStatus::Finished,
                votes: vec!["a".into()],
            }),
        );
        let table: Table = of(&document).parse().expect("TOML");
        let election = &table["latest_election_update"]["web.default"];
        assert_eq!(election["suitability"].as_str(), Some("18446744073709551615"));
        assert_eq!(election["term"].as_integer(), Some(0));
    }
}
