//! `/v1/services/{sg}/config`: effective values, and the layers that they come from.

use std::sync::LazyLock;

use roost_api::documents::configuration::{Clear, ConfigValue, Layer, LayerValue};
use roost_template::{config::Layers, value::to_json};
use serde_json::Value;
use toml::Table;

/// Parts of the names of keys whose values are secrets.
const SECRET_PARTS: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "private",
];
const HIDDEN: &str = "***";
/// Digits of the hash of a hidden value: enough to compare.
const HASH_DIGITS: usize = 8;
/// The key of the hashes, of this process alone: without it a client could try words until the hash
/// fits, or find the machines with equal secrets. `None` without random bytes, then values have no
/// hash.
static HASH_KEY: LazyLock<Option<[u8; 32]>> = LazyLock::new(|| roost_crypto::random_bytes().ok());

/// The values of a configuration.
pub(crate) fn values(layers: &Layers) -> Vec<ConfigValue> {
    let (merged, _) = layers.merged();
    let all = [
        (Layer::Default, layers.default.as_ref()),
        (Layer::Environment, layers.environment.as_ref()),
        (Layer::User, layers.user.as_ref()),
        (Layer::Gossip, layers.gossip.as_ref().map(|(_, table)| table)),
    ];
    let mut values = Vec::new();
    leaves(&merged, &mut Vec::new(), &mut |path, value| {
        let is_secret = path.iter().any(|key| is_secret(key));
        let of_layers: Vec<LayerValue> = all
            .iter()
            .filter_map(|(layer, table)| {
                let Shown { value, hash, clear } = shown(at((*table)?, path)?, is_secret);
                Some(LayerValue { layer: *layer, value, hash, clear })
            })
            .collect();
        let Shown { value, hash, clear } = shown(value, is_secret);
        let from = of_layers.iter().rev().find(|it| it.value == value && it.hash == hash);
        values.push(ConfigValue {
            key: path.join("."),
            layer: from.map_or(Layer::Default, |from| from.layer),
            value,
            hash,
            clear,
            layers: of_layers,
        });
    });
    values
}

/// Calls `each` for every value that is not a table with keys.
fn leaves(table: &Table, path: &mut Vec<String>, each: &mut impl FnMut(&[String], &toml::Value)) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => leaves(inner, path, each),
            value => each(path, value),
        }
        path.pop();
    }
}

fn at<'a>(table: &'a Table, path: &[String]) -> Option<&'a toml::Value> {
    let (first, rest) = path.split_first()?;
    match (table.get(first)?, rest) {
        (value, []) => Some(value),
        (toml::Value::Table(inner), rest) => at(inner, rest),
        _ => None,
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let is_key = key == "key" || key.ends_with("_key") || key.ends_with("-key");
    is_key || key.starts_with("pass") || SECRET_PARTS.iter().any(|part| key.contains(part))
}

/// What clients see of a value.
struct Shown {
    value: Value,
    hash: Option<String>,
    clear: Option<Clear>,
}

/// The value, or what stands in its place with its hash.
fn shown(value: &toml::Value, is_secret: bool) -> Shown {
    let clear = in_clear(value);
    if is_secret {
        let hash = HASH_KEY.as_ref().map(|key| keyed_hash(key, value));
        return Shown { value: HIDDEN.into(), hash, clear: Some(Clear(clear)) };
    }
    let value = visible(value);
    let clear = (value != clear).then_some(Clear(clear));
    Shown { value, hash: None, clear }
}

/// BLAKE2b has no extension of messages, so the key in front of the value makes it a keyed hash.
fn keyed_hash(key: &[u8; 32], value: &toml::Value) -> String {
    let message = [key, value.to_string().as_bytes()].concat();
    let mut hash = roost_crypto::hash::hash_hex(&message);
    hash.truncate(HASH_DIGITS);
    hash
}

/// A value without the secrets that tables in it hold.
fn visible(value: &toml::Value) -> Value {
    match value {
        toml::Value::Array(items) => items.iter().map(visible).collect(),
        toml::Value::Table(table) => {
            let entry = |(key, value): (&String, &toml::Value)| {
                let value = if is_secret(key) { HIDDEN.into() } else { visible(value) };
                (key.clone(), value)
            };
            table.iter().map(entry).collect::<serde_json::Map<_, _>>().into()
        }
        other => in_clear(other),
    }
}

fn in_clear(value: &toml::Value) -> Value {
    let mut table = Table::new();
    table.insert("it".into(), value.clone());
    to_json(&table)["it"].take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_confirms_no_guess_of_the_secret() {
        let secret = toml::Value::from("hunter2");
        let hash = shown(&secret, true).hash.expect("random bytes");
        assert_eq!(shown(&secret, true).hash.as_ref(), Some(&hash), "equal where the value is");
        let guess = roost_crypto::hash::hash_hex(secret.to_string().as_bytes());
        assert!(!guess.starts_with(&hash), "{hash} is the hash of the value alone");
        assert_ne!(keyed_hash(&[1; 32], &secret), keyed_hash(&[2; 32], &secret));
    }

    #[test]
    fn values_name_their_layer_and_secrets_are_hidden() {
        let table = |text: &str| Some(text.parse::<Table>().expect("TOML"));
        let layers = Layers {
            default: table("port = 1\nhost = \"a\"\n[db]\npassword = \"x\"\nmonkey = 1\n"),
            environment: None,
            user: table("port = 2\n[db]\npassword = \"open-sesame\"\n"),
            gossip: Some((3, "list = [{token = \"open-sesame\", a = 1}]\n".parse().expect("TOML"))),
        };
        let values = values(&layers);
        let of = |key: &str| values.iter().find(|it| it.key == key).expect("a value");
        assert_eq!((of("port").layer, &of("port").value), (Layer::User, &2.into()));
        assert_eq!(of("port").layers.len(), 2);
        assert_eq!(of("host").layer, Layer::Default);
        assert_eq!((of("db.monkey").hash.as_deref(), &of("db.monkey").value), (None, &1.into()));
        let password = of("db.password");
        assert_eq!((password.layer, &password.value), (Layer::User, &HIDDEN.into()));
        assert_eq!(password.hash.as_ref().map(String::len), Some(HASH_DIGITS));
        assert_ne!(password.layers[0].hash, password.layers[1].hash);
        assert_eq!(of("list").layer, Layer::Gossip);
        assert_eq!(of("list").value[0]["a"], 1);
        for text in [format!("{values:?}"), serde_json::to_string(&values).expect("JSON")] {
            assert!(!text.contains("open-sesame"), "{text}");
        }
        let mut revealed = values.clone();
        revealed.iter_mut().for_each(ConfigValue::reveal);
        let of = |key: &str| revealed.iter().find(|it| it.key == key).expect("a value");
        let password = of("db.password");
        assert_eq!((&password.value, password.hash.as_deref()), (&"open-sesame".into(), None));
        assert_eq!(password.layers[0].value, "x");
        assert_eq!(of("list").value[0]["token"], "open-sesame");
        for key in ["api_key", "Token", "db-password", "pass", "PRIVATE_KEY", "passphrase"] {
            assert!(is_secret(key), "{key}");
        }
        assert!(!is_secret("port") && !is_secret("monkey") && !is_secret("keyspace"));
    }
}
