//! The OpenAPI description, made from the table of resources and the types of their documents.
//! `openapi.json` beside `Cargo.toml` is what comes out; a test compares them.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    accept::Media,
    problem::Problem,
    query::{Kind, Parameter},
    resource::{Outcome, Renderer, Resource, ResourceId},
    shape::Shape,
};

/// The description as text.
pub(crate) fn description() -> String {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for resource in ResourceId::all().map(ResourceId::resource) {
        for path in std::iter::once(resource.path).chain(resource.organization_path) {
            paths.insert(path.into(), json!({ "get": operation(resource, path, &mut schemas) }));
        }
    }
    let problem = Shape::of::<Problem>();
    (problem.add_to)(&mut schemas);
    paths.sort_keys();
    schemas.sort_keys();
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Habitat Supervisor",
            "version": "1.0.0",
            "description": "Read-only monitoring API of a Supervisor. HEAD is answered like GET \
                            without body; every other method gets 405. Errors have no body, \
                            except those of health and of paths below /v1.",
        },
        "servers": [{ "url": "http://localhost:9631" }],
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "parameters": parameters(),
            "responses": responses(),
            "schemas": schemas,
        },
    });
    format!("{description:#}\n")
}

fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of the file that the Supervisor was started with \
                            (--http-tokens), which has to have the scope that the operation \
                            names; or HAB_SUP_GATEWAY_AUTH_TOKEN, which allows everything but \
                            the scope secrets below /v1. Needed when either is set.",
        },
        "certificate": {
            "type": "mutualTLS",
            "description": "A certificate whose subject is in the file of --http-tokens with the \
                            scope that the operation names.",
        },
    })
}

fn operation(resource: &Resource, path: &str, schemas: &mut Map<String, Value>) -> Value {
    let mut operation = json!({
        "operationId": operation_id(path),
        "summary": resource.summary,
    });
    if let Some(scope) = resource.gives.scope(false) {
        let scope = scope.as_str();
        operation["security"] = json!([{}, { "bearer": [scope] }, { "certificate": [scope] }]);
    }
    let names = path.split(['{', '}']).skip(1).step_by(2);
    let names = names.map(|name| reference("parameters", name));
    let parameters: Vec<Value> =
        names.chain(resource.all_parameters().into_iter().flatten().map(query)).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let mut responses = refusals(resource, path);
    for Outcome { status, meaning } in resource.outcomes {
        let starting = *status == 503 && responses.contains_key("503");
        let mut response = json!({ "description": meaning });
        response["content"] = content(resource, schemas);
        if starting {
            response["headers"] = retry_after();
            let other = match resource.is_v1() {
                false => "Without a body: the Supervisor has not fully started.",
                true => {
                    let schema = reference("schemas", &Problem::name());
                    response["content"]["application/problem+json"] = json!({ "schema": schema });
                    "As a problem: there is no answer at present."
                }
            };
            response["description"] = format!("{meaning} {other}").into();
        }
        responses.insert(status.to_string(), response);
    }
    responses.sort_keys();
    operation["responses"] = responses.into();
    operation
}

/// As in the description that Habitat published, so that generated clients keep their names.
fn operation_id(path: &str) -> String {
    let name = path.trim_start_matches('/').trim_end_matches(".json");
    let name = name.replace(['{', '}'], "").replace('/', "-");
    format!("GET_{}", if name.is_empty() { "root" } else { &name })
}

fn content(resource: &Resource, schemas: &mut Map<String, Value>) -> Value {
    let entry = |media: &Media| {
        let schema = match (media, resource.shape) {
            (Media::Json, Some(shape)) => reference("schemas", &(shape.add_to)(schemas)),
            (Media::Json, None) => json!({ "type": "object", "additionalProperties": true }),
            _ => json!({ "type": "string" }),
        };
        let name = media.content_type().trim_end_matches("; charset=utf-8");
        (name.to_owned(), json!({ "schema": schema }))
    };
    resource.media.iter().map(entry).collect::<Map<_, _>>().into()
}

/// The answers without a document.
fn refusals(resource: &Resource, path: &str) -> Map<String, Value> {
    let v1 = resource.is_v1();
    let refuse = |plain: &str| {
        let is_problem = (v1 && plain != "NotModified") || plain == "Forbidden";
        let name = if is_problem { format!("{plain}Problem") } else { plain.to_owned() };
        reference("responses", &name)
    };
    let mut responses = Map::new();
    let mut add = |status: &str, name| responses.insert(status.into(), refuse(name));
    add("401", if ["/", "/api"].contains(&path) { "TokenPage" } else { "Unauthorized" });
    add("403", "Forbidden");
    add("405", "MethodNotAllowed");
    add("429", "TooMany");
    if resource.gives.scope(true).is_none() {
        add("404", "Redacted");
    }
    if resource.is_v1() {
        add("400", "BadRequest");
    }
    if resource.is_of_service() {
        if !resource.is_v1() {
            add("400", "BadName");
        }
        add("404", "NotLoaded");
    }
    if resource.is_v1() {
        add("304", "NotModified");
    }
    match resource.renderer {
        Renderer::Page(_) | Renderer::Figures => {}
        Renderer::Snapshot(_)
        | Renderer::Selection(_)
        | Renderer::Group(_)
        | Renderer::Service(_) => {
            add("503", "NotStarted");
        }
        Renderer::Live(_) => {
            add("503", "NoAnswer");
        }
    }
    responses
}

/// A parameter of the query.
fn query(parameter: &Parameter) -> Value {
    let words =
        |known: &[&str]| json!({ "type": "array", "minItems": 1, "items": { "enum": known } });
    let schema = match parameter.kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Kind::Words(known) => words(known),
        Kind::Text { bytes_max } => {
            json!({ "type": "string", "minLength": 1, "maxLength": bytes_max })
        }
        Kind::Moment | Kind::Span { .. } => json!({ "type": "string" }),
    };
    let mut described = json!({
        "name": parameter.name,
        "in": "query",
        "description": format!("{} Expected: {}.", parameter.meaning, parameter.kind.expected()),
        "schema": schema,
    });
    if let Kind::Words(_) = parameter.kind {
        // Several words are one value with commas.
        described["explode"] = false.into();
    }
    described
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn parameters() -> Value {
    let parameter = |name: &str, description: &str, pattern: &str, example: &str| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": description,
            "schema": { "type": "string", "pattern": pattern },
            "example": example,
        })
    };
    let part = "^[^#@.]+$";
    json!({
        "name": parameter("name", "Name of the service.", part, "redis"),
        "group": parameter("group", "Its group, usually default.", part, "default"),
        "organization": parameter(
            "organization", "Organization that the Supervisor was started with.", part, "acme",
        ),
        "sg": parameter(
            "sg", "Service group, name.group[@org].", r"^[^#@.]+\.[^#@.]+(@[^#@.]+)?$",
            "redis.default",
        ),
    })
}

fn header(name: &str, description: &str, kind: &str) -> Value {
    json!({ name: { "description": description, "schema": { "type": kind } } })
}

fn retry_after() -> Value {
    header("retry-after", "Seconds after which to ask again.", "integer")
}

/// Each refusal: empty, and as a problem document below `/v1`.
fn responses() -> Value {
    let scheme = header("www-authenticate", "The scheme, Bearer.", "string");
    let none = json!({});
    let refusals = [
        ("BadRequest", "Path or query not valid.", &none, &none),
        ("NotModified", "The client has this version already.", &none, &none),
        ("TooMany", "Too many requests at once.", &retry_after(), &retry_after()),
        ("NoAnswer", "The answer cannot be made at present.", &retry_after(), &retry_after()),
        (
            "Forbidden",
            "The token or certificate lacks the scope of the operation.",
            &scheme,
            &scheme,
        ),
        ("BadName", "Name, group and organization form no service group.", &none, &none),
        ("Unauthorized", "The bearer token is missing or wrong.", &none, &scheme),
        (
            "MethodNotAllowed",
            "Another method than GET or HEAD.",
            &header("allow", "GET.", "string"),
            &header("allow", "GET, HEAD.", "string"),
        ),
        ("NotLoaded", "Service not loaded.", &none, &none),
        (
            "Redacted",
            "Hidden, because the Supervisor was started with HAB_FEAT_REDACT_HTTP.",
            &none,
            &none,
        ),
        (
            "NotStarted",
            "The Supervisor has not fully started. Try again later.",
            &retry_after(),
            &retry_after(),
        ),
    ];
    let mut responses = Map::new();
    for (name, description, headers, problem_headers) in refusals {
        let response = |headers: &Value| match headers == &none {
            true => json!({ "description": description }),
            false => json!({ "description": description, "headers": headers }),
        };
        responses.insert(name.into(), response(headers));
        let mut problem = response(problem_headers);
        let schema = reference("schemas", &Problem::name());
        problem["content"] = json!({ "application/problem+json": { "schema": schema } });
        responses.insert(format!("{name}Problem"), problem);
    }
    responses.insert(
        "TokenPage".into(),
        json!({
            "description": "The bearer token is missing or wrong. The page has a field for it.",
            "headers": scheme,
            "content": { "text/html": { "schema": { "type": "string" } } },
        }),
    );
    responses.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file is what clients are generated from and what a reader of the repository sees.
    /// `UPDATE_OPENAPI=1 cargo test -p roost-api openapi` writes it.
    #[test]
    fn the_file_in_the_repository_is_the_description() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let description = description();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, &description).expect("written");
        }
        let file = std::fs::read_to_string(path).expect("a file");
        let differs = file.lines().zip(description.lines()).find(|(file, made)| file != made);
        assert!(
            file == description,
            "openapi.json differs from the types, first here: {differs:?}; write it with \
             UPDATE_OPENAPI=1 cargo test -p roost-api openapi",
        );
    }

    #[test]
    fn every_example_fits_its_schema() {
        let description: Value = serde_json::from_str(&description()).expect("JSON");
        let mut examples = 0;
        let schemas = description["components"]["schemas"].as_object().expect("schemas");
        let fields = schemas.values().filter_map(|schema| schema["properties"].as_object());
        let parameters = description["components"]["parameters"].as_object().expect("parameters");
        let parameters = parameters.values().map(|it| (&it["schema"], vec![it["example"].clone()]));
        let fields = fields
            .flat_map(Map::values)
            .map(|schema| (schema, schema["examples"].as_array().cloned().unwrap_or_default()));
        for (schema, values) in fields.chain(parameters) {
            let schema = jsonschema::draft202012::new(&json!({
                "allOf": [schema], "components": description["components"],
            }))
            .expect("a schema");
            for value in values {
                assert!(schema.is_valid(&value), "{value}");
                examples += 1;
            }
        }
        assert!(examples > 4, "{examples}");
    }
}
