//! Configuration and templates.

use std::{collections::BTreeMap, sync::LazyLock};

use roost_template::{
    Layers, TemplateSet, config as layers, deprecations, exports, limits::MAX_RENDERED_BYTES,
    plan_render, value::to_json,
};
use serde_json::{Value, json};

/// A small context with values of every kind, and the recorded one of a leader ring.
static CONTEXTS: LazyLock<[Value; 2]> = LazyLock::new(|| {
    let recorded =
        include_str!("../../template/tests/fixtures/contexts-real/config-elected-sup1.json");
    let small = json!({
        "a": true, "b": null, "k": "x", "n": -1.5, "l": [1, {"alive": true, "a": [2]}, {"alive": 1}],
        "o": {"k": 1, "alive": true, "x y": [1.5], "nested": {"deep": {"er": "é"}}},
        "cfg": {"port": 80, "list": ["x", "y"], "table": {"k": "v"}},
        "pkg": {"deps": [{"origin": "o", "name": "n", "version": "1", "release": "2"}, {"origin": 1}]},
    });
    [small, serde_json::from_str(recorded).expect("a checked-in document")]
});

/// Parses up to three templates that may include each other, and renders them.
pub fn template(data: &[u8]) {
    let [t, p, q] = crate::pieces::texts(data);
    for found in deprecations("t", &t) {
        assert!(found.line > 0);
    }
    let sources = [("t", t), ("p", p), ("q", q)].map(|(name, text)| (name.to_owned(), text));
    match TemplateSet::new(sources) {
        Ok(set) => {
            for context in &*CONTEXTS {
                match set.render_all(context) {
                    Ok(files) => {
                        assert!(files.iter().all(|(_, text)| text.len() <= MAX_RENDERED_BYTES));
                    }
                    Err(error) => drop(error.to_string()),
                }
            }
        }
        Err(error) => drop((error.to_string(), error.reason().to_owned(), error.position())),
    }
}

/// Reads four texts as the four layers of a configuration, merges them and exports from them.
pub fn config(data: &[u8]) {
    let [default, environment, user, gossip] = crate::pieces::texts(data);
    let mut layers = Layers {
        default: layers::parse_toml(&default).ok(),
        environment: layers::parse_environment("app", &environment).ok(),
        user: layers::parse_toml(&user).ok(),
        gossip: None,
    };
    layers.take_gossip(1, exports::parse_rumor_cfg(gossip.as_bytes()));
    let (merged, errors) = layers.merged();
    assert!(errors.len() <= 4);
    let document = to_json(&merged).to_string();
    assert!(serde_json::from_str::<Value>(&document).is_ok(), "{document}");
    let exported = [("a", "x.a"), ("b", "b"), ("c", "t"), ("d", "missing.port"), ("e", "")]
        .map(|(key, path)| (key.to_owned(), path.to_owned()));
    let text = exports::rumor_cfg(&merged, &BTreeMap::from(exported));
    assert!(layers::parse_toml(&text).is_ok(), "{text}");
    drop(plan_render::context(&default, Some(&user), Some(&environment)));
}
