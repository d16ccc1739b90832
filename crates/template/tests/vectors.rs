//! Every template case recorded from `hab plan render` of Habitat 2.1.78.

use roost_template::plan_render::{self, PlanRenderError};
use serde_json::Value;

/// What rendering a case of the fixture gave, in the fixture's own terms.
fn outcome(case_context: &Value, template: &str) -> Result<String, (&'static str, String)> {
    let source = |name: &str| case_context[name].as_str();
    let mock = case_context.get("mock").map(Value::to_string);
    plan_render::context(
        source("default_toml").expect("every context has one"),
        source("user_toml"),
        mock.as_deref(),
    )
    .and_then(|context| plan_render::render("/", template, &context))
    .map_err(|error| {
        let kind = match &error {
            PlanRenderError::Template(_) => "syntax",
            PlanRenderError::Render(_) => "render",
            _ => "other",
        };
        (kind, error.to_string())
    })
}

/// The two cases that crash Habitat, with sane results: without `pkg.deps` nothing matches, and a
/// member whose `alive` is not a boolean is not alive.
const CRASHES_OF_HABITAT: [(&str, &str); 2] = [("pkgPathFor-18", ""), ("eachAlive-bad-01", "")];

#[test]
fn every_recorded_template_renders_as_in_habitat() {
    let fixture: Value =
        serde_json::from_str(include_str!("fixtures/cases.json")).expect("the fixture is JSON");
    let cases = fixture["cases"].as_array().expect("cases is a list");
    assert_eq!(cases.len(), 701);
    let mut crashes = CRASHES_OF_HABITAT.to_vec();
    let mut failures = Vec::new();
    for case in cases {
        let text = |key: &str| case[key].as_str().expect("text");
        let (name, template, expected) = (text("name"), text("template"), &case["expected"]);
        let got = outcome(&fixture["contexts"][text("context")], template);
        let fine = match expected["error"].as_str() {
            None => got.as_deref().ok() == expected["output"].as_str(),
            Some("crash") => crashes
                .iter()
                .position(|(crash, _)| *crash == name)
                .map(|at| crashes.swap_remove(at).1)
                .is_some_and(|sane| got.as_deref() == Ok(sane)),
            Some("syntax") => matches!(&got, Err(("syntax", _))),
            Some("render") => {
                let message = expected["message"].as_str().expect("text");
                let whole = format!("Error rendering \"{template}\" {message}");
                // The recording lost trailing blanks of messages.
                matches!(&got, Err(("render", text)) if text.trim_end() == whole)
            }
            Some(other) => {
                let message = expected["message"].as_str().expect("text");
                matches!(&got, Err((kind, text)) if *kind == other && text.trim_end() == message)
            }
        };
        if !fine {
            failures.push(format!("{name}: {template:?}\n  wanted {expected}\n  got {got:?}"));
        }
    }
    assert!(failures.is_empty(), "{} cases differ\n{}", failures.len(), failures.join("\n"));
    assert!(crashes.is_empty(), "not in the fixture: {crashes:?}");
}
