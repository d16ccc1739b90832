//! `/v1/services/{sg}/config`.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The effective configuration of a service, value by value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigV1 {
    /// Its service group, `name.group[@org]`.
    #[schema(examples("redis.default"))]
    pub id: String,
    /// The values, in the order of the configuration.
    pub values: Vec<ConfigValue>,
}

/// One effective value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigValue {
    /// Its key, with those of the tables that it is in.
    #[schema(examples("database.port"))]
    pub key: String,
    /// The layer that it comes from.
    pub layer: Layer,
    /// The value; `***` when its key looks like that of a secret and the client may not read
    /// secrets.
    #[schema(value_type = Object)]
    pub value: Value,
    /// Of a hidden value: 8 hexadecimal digits that are equal where the value is, as long as this
    /// Supervisor runs.
    pub hash: Option<String>,
    /// The value in clear, where it is hidden.
    #[serde(skip)]
    #[schema(ignore)]
    pub clear: Option<Clear>,
    /// The values of all layers, the effective one last; empty unless asked for.
    pub layers: Vec<LayerValue>,
}

/// The value of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerValue {
    /// The layer.
    pub layer: Layer,
    /// The value; `***` when its key looks like that of a secret and the client may not read
    /// secrets.
    #[schema(value_type = Object)]
    pub value: Value,
    /// Of a hidden value: 8 hexadecimal digits that are equal where the value is, as long as this
    /// Supervisor runs.
    pub hash: Option<String>,
    /// The value in clear, where it is hidden.
    #[serde(skip)]
    #[schema(ignore)]
    pub clear: Option<Clear>,
}

/// A value with its secrets. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Clear(pub Value);

impl fmt::Debug for Clear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clear(..)")
    }
}

impl ConfigValue {
    /// Puts values in clear in the place of hidden ones.
    pub fn reveal(&mut self) {
        reveal(&mut self.value, &mut self.hash, &mut self.clear);
        for layer in &mut self.layers {
            reveal(&mut layer.value, &mut layer.hash, &mut layer.clear);
        }
    }
}

fn reveal(value: &mut Value, hash: &mut Option<String>, clear: &mut Option<Clear>) {
    if let Some(Clear(clear)) = clear.take() {
        *value = clear;
        *hash = None;
    }
}

/// Where a value comes from; later layers win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConfigLayer)]
pub enum Layer {
    /// `default.toml` of the package.
    Default,
    /// The environment variable of the service.
    Environment,
    /// `user.toml`.
    User,
    /// `hab config apply`.
    Gossip,
}
