//! Templates designed to exhaust stack, time or memory return an error.

use roost_template::{
    TemplateSet,
    limits::{MAX_ELSE_LINKS, MAX_NESTING, MAX_RENDERED_BYTES, MAX_TEMPLATE_BYTES},
};
use serde_json::{Value, json};

/// Loads and renders one file, or returns the reason of the failure.
fn render(sources: &[(&str, &str)], context: &Value) -> Result<String, String> {
    let sources = sources.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    let set = TemplateSet::new(sources).map_err(|error| error.reason().to_owned())?;
    set.render("t", context).map_err(|error| error.reason)
}

fn refused(text: &str, because: &str) {
    let reason = render(&[("t", text)], &json!({})).expect_err("must be refused");
    assert!(reason.contains(because), "{reason}");
}

fn nested(open: &str, middle: &str, close: &str, depth: usize) -> String {
    format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn nesting_up_to_the_limit_renders_and_beyond_is_refused() {
    let context = json!({"t": true});
    let blocks = |depth| nested("{{#if t}}", "x", "{{/if}}", depth);
    assert_eq!(render(&[("t", &blocks(MAX_NESTING))], &context), Ok("x".into()));
    refused(&blocks(MAX_NESTING + 1), "nested more than");

    let calls =
        |depth| format!("{{{{toUppercase {}}}}}", nested("(toLowercase ", "\"x\"", ")", depth));
    assert_eq!(render(&[("t", &calls(MAX_NESTING))], &context), Ok("X".into()));
    refused(&calls(MAX_NESTING + 1), "nested more than");

    let links = |count| format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if t}}x".repeat(count));
    assert_eq!(render(&[("t", &links(MAX_NESTING - 1))], &context), Ok("x".into()));
    refused(&links(MAX_NESTING), "nested more than");
    refused(&links(MAX_ELSE_LINKS + 1), "{{else if ...}}");
}

#[test]
fn nesting_far_beyond_any_stack_is_refused() {
    let deep = 20_000;
    for text in [
        nested("{{#if t}}", "x", "{{/if}}", deep),
        nested("{{#if t}}", "x", "", deep),
        nested("{{#> p}}", "x", "{{/p}}", deep),
        format!("{{{{x {}}}}}", nested("(x ", "y", ")", deep)),
        format!("{{{{x {}}}}}", nested("(x y=", "y", ")", deep)),
        format!("{{{{x {}}}}}", nested("[", "", "]", deep)),
        format!("{{{{x {}}}}}", nested("{\"a\":", "1", "}", deep)),
        format!("{{{{#if a}}}}{}{{{{/each}}}}", "{{else if t}}x".repeat(deep)),
        format!("{{{{#if a}}}}{}{{{{/each}}}}", "{{~ ^if t}}x".repeat(deep)),
    ] {
        assert!(render(&[("t", &text)], &json!({})).is_err(), "{}", &text[..30]);
    }
}

#[test]
fn a_template_that_would_take_long_to_parse_is_refused() {
    refused(&"x".repeat(MAX_TEMPLATE_BYTES + 1), "too long");
    refused(&"port {{cfg.port}}\n".repeat(10_000), "too many tags");
    refused(&"\\".repeat(1_000_000), "backslashes in a row");
}

#[test]
fn partials_with_infinite_recursion_are_refused() {
    for sources in [
        &[("t", "{{> u}}"), ("u", "{{> t}}")][..],
        &[
            ("t", "{{> u}}"),
            ("u", "{{#if a}}{{> v}}{{/if}}"),
            ("v", "{{#with a}}{{> u a=../a}}{{/with}}"),
        ],
        &[("t", "{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}")],
        &[("t", "{{#*inline \"p\"}}{{#each a}}{{> p a=../a}}{{/each}}{{/inline}}{{> p}}")],
        &[("t", "{{#> u}}x{{/u}}"), ("u", "{{> @partial-block}}{{#> t}}{{/t}}")],
        &[("t", "{{> (lookup this \"name\")}}"), ("u", "{{> t}}")],
    ] {
        let reason = render(sources, &json!({"a": [1], "name": "u"})).expect_err("endless");
        assert_eq!(reason, "partials include each other too deeply", "{sources:?}");
    }
}

#[test]
fn partials_may_nest_deeply() {
    let inline: String = (0..16)
        .map(|n| {
            format!(
                "{{{{#*inline \"p{n}\"}}}}{{{{#if a}}}}{n} {{{{> p{}}}}}{{{{/if}}}}{{{{/inline}}}}",
                n + 1
            )
        })
        .collect();
    let text = format!("{{{{#*inline \"p16\"}}}}end{{{{/inline}}}}{inline}{{{{> p0}}}}");
    let wanted: String = (0..16).map(|n| format!("{n} ")).chain(["end".into()]).collect();
    assert_eq!(render(&[("t", &text)], &json!({"a": true})), Ok(wanted));
}

#[test]
fn partials_that_double_at_each_level_run_out_of_steps() {
    let inline: String = (0..40)
        .map(|n| {
            format!("{{{{#*inline \"p{n}\"}}}}{{{{> p{0}}}}}{{{{> p{0}}}}}{{{{/inline}}}}", n + 1)
        })
        .collect();
    let last = format!("{{{{#*inline \"p40\"}}}}{}{{{{/inline}}}}", "x".repeat(64_000));
    let reason = render(&[("t", &format!("{last}{inline}{{{{> p28}}}}"))], &json!({}))
        .expect_err("2^12 partials of 64 kB");
    assert!(reason.contains("loop rounds and partials"), "{reason}");
}

#[test]
fn nested_loops_run_out_of_steps() {
    // Literal text makes a round expensive, so that the test needs few of them.
    let text = "x".repeat(64_000);
    let context = json!({ "l": vec![0; 200], "m": vec![json!({"alive": true}); 200] });
    for (open, close) in
        [("{{#each @root.l}}", "{{/each}}"), ("{{#eachAlive @root.m}}", "{{/eachAlive}}")]
    {
        let reason = render(&[("t", &nested(open, &text, close, 4))], &context).expect_err("200^4");
        assert!(reason.contains("loop rounds and partials"), "{reason}");
    }
}

#[test]
fn output_is_bounded() {
    let context = json!({ "l": vec![0; 2000], "text": "x".repeat(100_000) });
    let reason =
        render(&[("t", "{{#each l}}{{@root.text}}{{/each}}")], &context).expect_err("200 MB");
    assert_eq!(
        reason,
        format!("IO Error: the rendered text is longer than {MAX_RENDERED_BYTES} bytes")
    );
    let text = format!("{{{{strJoin l \"{}\"}}}}", "y".repeat(10_000));
    assert!(render(&[("t", &text)], &context).is_err());
    let reason = render(&[("t", "{{strReplace text \"\" text}}")], &context).expect_err("10 GB");
    assert!(reason.contains("longer than"), "{reason}");
    // Literal text pays for the captured output of a partial block.
    let text = format!("{{{{#> u}}}}{{{{#each l}}}}{}{{{{/each}}}}{{{{/u}}}}", "z".repeat(100_000));
    let reason = render(&[("t", &text), ("u", "")], &context).expect_err("200 MB");
    assert!(reason.contains("loop rounds and partials"), "{reason}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the stack of a thread counts"
)]
fn the_deepest_rendering_fits_the_two_mebibytes_of_a_worker_thread() {
    let member = json!([{"alive": true}]);
    for (open, close) in [
        ("{{#eachAlive @root.m as |x i|}}", "{{/eachAlive}}"),
        ("{{#each @root.m as |x i|}}", "{{/each}}"),
        ("{{#with @root.m as |x|}}", "{{/with}}"),
        ("{{#> none}}", "{{/none}}"),
    ] {
        // Full nesting between partials, so that after the last allowed partial comes the deepest
        // template.
        let include = |name: &str| nested(open, &format!("{{{{> {name}}}}}"), close, MAX_NESTING);
        let sources = [("t", &*include("u")), ("u", &*include("t"))];
        let context = json!({ "m": member });
        let rendered = std::thread::scope(|scope| {
            std::thread::Builder::new()
                .stack_size(2 * 1024 * 1024)
                .spawn_scoped(scope, || render(&sources, &context))
                .expect("a thread")
                .join()
                .expect("no panic")
        });
        assert_eq!(rendered, Err("partials include each other too deeply".into()), "{open}");
    }
}
