//! The environment layer: the variable `HAB_<PACKAGE>`, TOML or else JSON.

use toml::Table;

use crate::{
    config::{check_size, parse_toml},
    error::ConfigError,
};

/// Name of the variable that configures a package: `HAB_` and the package's name in ASCII upper
/// case, with `-` as `_`, without the origin.
#[must_use]
pub fn environment_variable(package_name: &str) -> String {
    format!("HAB_{}", package_name.to_ascii_uppercase().replace('-', "_"))
}

/// Reads the value of a package's variable: TOML, or else JSON. JSON is converted to TOML text as
/// in Habitat, which puts plain values before tables and refuses `null` at any depth (reference:
/// templates §1.4).
///
/// # Errors
/// `Unable to find valid TOML or JSON in HAB_X ENVVAR`; or a text that is too long.
pub fn parse_environment(package_name: &str, text: &str) -> Result<Table, ConfigError> {
    check_size(text)?;
    parse_toml(text)
        .ok()
        .or_else(|| {
            let json: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(text).ok()?;
            parse_toml(&toml::to_string(&json).ok()?).ok()
        })
        .ok_or_else(|| ConfigError::Environment(environment_variable(package_name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::to_json;

    #[test]
    fn the_variable_is_named_after_the_package() {
        assert_eq!(environment_variable("my-app"), "HAB_MY_APP");
    }

    #[test]
    fn values_are_toml_or_json() {
        for (text, wanted) in [
            ("port = 1", r#"{"port":1}"#),
            (r#"{"port":1,"t":{"a":[1,{"b":[]}]}}"#, r#"{"port":1,"t":{"a":[1,{"b":[]}]}}"#),
            (r#"{"t":{"x":1},"k":"e"}"#, r#"{"k":"e","t":{"x":1}}"#),
            ("", "{}"),
            ("{}", "{}"),
            ("[1]", r#"{"1":{}}"#),
        ] {
            let table = parse_environment("app", text).expect(text);
            assert_eq!(to_json(&table).to_string(), wanted, "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_with_the_name() {
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for text in [
            r#"{"a":null}"#,
            r#"{"a":[{"b":null}]}"#,
            "\"s\"",
            "5",
            "true",
            "{\"port\": 1",
            "nonsense",
            &deep,
        ] {
            let error = parse_environment("my-app", text).expect_err(text);
            assert_eq!(error.to_string(), "Unable to find valid TOML or JSON in HAB_MY_APP ENVVAR");
        }
    }
}
