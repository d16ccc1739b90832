//! No template, no configuration text and no value makes the engine panic.

use std::collections::BTreeMap;

use proptest::prelude::*;
use roost_template::{
    Layers, TemplateSet, config, deprecations, exports, plan_render, value::to_json,
};
use serde_json::json;

/// Pieces that templates are made of, so that random sequences of them get past the parser.
const PIECES: [&str; 72] = [
    "{{",
    "}}",
    "{{{",
    "}}}",
    "{{{{",
    "}}}}",
    "{{#",
    "{{/",
    "{{>",
    "{{#>",
    "{{#*inline \"p\"}}",
    "{{/inline}}",
    "{{#if a}}",
    "{{else}}",
    "{{^}}",
    "{{else if b}}",
    "{{~else each l}}",
    "{{/if}}",
    "{{#each l}}",
    "{{#each o as |v k|}}",
    "{{/each}}",
    "{{#with o}}",
    "{{/with}}",
    "{{#unless a}}",
    "{{/unless}}",
    "{{#eachAlive l as |m|}}",
    "{{/eachAlive}}",
    "{{> p}}",
    "{{> t}}",
    "{{#> p}}",
    "{{/p}}",
    "{{> @partial-block}}",
    "{{!",
    "{{!--",
    "--}}",
    "{{{{raw}}}}",
    "{{{{/raw}}}}",
    "~",
    "\\",
    "\\\\",
    "\n",
    "\r\n",
    " ",
    "\t",
    "a",
    "this",
    "../",
    "@index",
    "@root.",
    "@../key",
    ".",
    "/",
    "[0]",
    ".[x y]",
    "(",
    ")",
    "(lookup o \"k\")",
    "\"s\"",
    "'q\"'",
    "1",
    "-1.5E3",
    "null",
    "[1,\"a\"]",
    "{\"k\":1}",
    "k=",
    "as |x|",
    "toToml ",
    "strJoin ",
    "pkgPathFor ",
    "ü",
    "😀",
    "log ",
];

fn template() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,80}",
        prop::collection::vec(prop::sample::select(&PIECES[..]), 0..25)
            .prop_map(|pieces| pieces.concat()),
        prop::collection::vec(
            "(\\{\\{[#/>^~&!*]{0,2}[a-z.@/ ()|\"=\\[\\]]{0,12}~?\\}\\}|[ \n\\\\a]{0,3})",
            0..10
        )
        .prop_map(|pieces| pieces.concat()),
    ]
}

fn toml() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,80}",
        prop::collection::vec(
            prop::sample::select(
                &[
                    "a",
                    "b.c",
                    "\"x y\"",
                    " = ",
                    "1",
                    "-0.0",
                    "nan",
                    "1979-05-27",
                    "07:32",
                    "[",
                    "]",
                    "[[",
                    "]]",
                    "{",
                    "}",
                    ",",
                    "\n",
                    "'",
                    "\"\"\"",
                    "true",
                    "\\u00e9",
                    "# x",
                ][..]
            ),
            0..25
        )
        .prop_map(|pieces| pieces.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8 * ProptestConfig::default().cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_template_is_rendered_or_refused(t in template(), p in template()) {
        drop(deprecations("t", &t));
        let context = json!({
            "a": true, "b": null, "k": "x", "l": [1, {"alive": true, "a": [2]}, {"alive": 1}],
            "o": {"k": 1, "alive": true, "x y": [1.5]}, "pkg": {"deps": [{"origin": 1}]},
        });
        for sources in [vec![("t", &t)], vec![("p", &p)], vec![("t", &t), ("p", &p)]] {
            let sources = sources.into_iter().map(|(name, text)| (name.into(), text.clone()));
            match TemplateSet::new(sources) {
                Ok(set) => drop(set.render_all(&context).map_err(|error| error.to_string())),
                Err(error) => drop((error.to_string(), error.reason().to_owned(), error.position())),
            }
        }
    }

    #[test]
    fn any_text_is_a_configuration_or_refused(first in toml(), second in toml(), path in ".{0,8}") {
        let mut layers = Layers {
            default: config::parse_toml(&first).ok(),
            environment: config::parse_environment("app", &second).ok(),
            user: config::parse_toml(&second).ok(),
            gossip: None,
        };
        layers.take_gossip(1, exports::parse_rumor_cfg(first.as_bytes()));
        let (merged, errors) = layers.merged();
        prop_assert!(errors.is_empty());
        drop(to_json(&merged));
        let exported = BTreeMap::from([(path.clone(), path), ("a".to_owned(), "x.a".to_owned())]);
        let text = exports::rumor_cfg(&merged, &exported);
        prop_assert!(config::parse_toml(&text).is_ok(), "{text}");
        drop(plan_render::context(&first, Some(&second), Some(&second)));
    }

    #[test]
    fn merging_a_layer_twice_changes_nothing(first in toml(), second in toml()) {
        let table = |text: &str| config::parse_toml(text).ok();
        let once = Layers { default: table(&first), user: table(&second), ..Layers::default() };
        let twice = Layers { environment: once.user.clone(), ..once.clone() };
        // As text, because nan is unequal to itself.
        let text = |layers: &Layers| to_json(&layers.merged().0).to_string();
        prop_assert_eq!(text(&once), text(&twice));
    }
}
