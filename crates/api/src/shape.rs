//! The schema of a document for the description of the API.

use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// A type of JSON documents, as the table of resources names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Adds the schema of the type, and all that it refers to; returns its name.
    pub(crate) add_to: fn(&mut Map<String, Value>) -> String,
}

impl Shape {
    /// The shape of a type, which has a name of its own among the schemas.
    pub(crate) const fn of<T: ToSchema>() -> Self {
        Self { add_to: add::<T> }
    }
}

fn add<T: ToSchema>(schemas: &mut Map<String, Value>) -> String {
    let mut parts: Vec<(String, RefOr<Schema>)> = vec![(T::name().into(), T::schema())];
    T::schemas(&mut parts);
    for (name, schema) in parts {
        let mut schema = serde_json::to_value(schema).expect("schemas have string keys");
        tidy(&mut schema);
        if let Some(other) = schemas.insert(name.clone(), schema.clone()) {
            assert_eq!(other, schema, "two types are called {name} in the description");
        }
    }
    T::name().into()
}

/// Makes a schema as strict as the documents: they have no other keys; an `Option` is null, never
/// absent, unless its field cannot be null; integers have the bounds of their types; descriptions
/// are one line.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            fields.values_mut().for_each(tidy);
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            bound_integer(fields);
            close_object(fields);
        }
        _ => {}
    }
}

fn bound_integer(fields: &mut Map<String, Value>) {
    let bits = fields.get("format").and_then(Value::as_str).and_then(|it| it.strip_prefix("u-int"));
    let maximum = match bits {
        Some("8") => Some(u64::from(u8::MAX)),
        Some("16") => Some(u64::from(u16::MAX)),
        Some("32") => Some(u64::from(u32::MAX)),
        Some(_) => None,
        None => return,
    };
    // The name that utoipa gives the format is not one that OpenAPI knows.
    fields.shift_remove("format");
    if let (Some(maximum), false) = (maximum, fields.contains_key("maximum")) {
        fields.insert("maximum".into(), maximum.into());
    }
}

fn close_object(fields: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = fields.get("properties") else { return };
    let properties = properties.clone();
    fields.insert("additionalProperties".into(), false.into());
    let required = fields.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let always = |(name, property): &(&String, &Value)| {
        is_nullable(property) || required.iter().any(|it| it.as_str() == Some(name))
    };
    let always: Vec<Value> =
        properties.iter().filter(always).map(|(name, _)| name.as_str().into()).collect();
    if !always.is_empty() {
        fields.insert("required".into(), always.into());
    }
}

fn is_nullable(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    match (&schema["type"], &schema["oneOf"]) {
        (Value::Array(kinds), _) => kinds.iter().any(is_null),
        (_, Value::Array(choices)) => choices.iter().any(|it| is_null(&it["type"])),
        _ => false,
    }
}
