//! Sets of templates: partials, all-or-nothing rendering, roots.

use roost_template::{RenderError, TemplateError, TemplateSet};
use serde_json::{Value, json};

fn set(sources: &[(&str, &str)]) -> Result<TemplateSet, TemplateError> {
    TemplateSet::new(sources.iter().map(|(name, text)| ((*name).into(), (*text).into())))
}

fn render(sources: &[(&str, &str)], context: &Value) -> Result<Vec<(String, String)>, RenderError> {
    set(sources).expect("valid templates").render_all(context)
}

#[test]
fn files_come_out_sorted_and_include_each_other_with_their_indentation() {
    let files = render(
        &[("z", "x\n  {{> sub/inc.txt}}\ny\n"), ("sub/inc.txt", "a {{cfg.v}}\nb\n")],
        &json!({"cfg": {"v": 1}}),
    )
    .expect("renders");
    assert_eq!(
        files,
        [
            ("sub/inc.txt".to_owned(), "a 1\nb\n".to_owned()),
            ("z".to_owned(), "x\n  a 1\n  b\ny\n".to_owned()),
        ]
    );
}

#[test]
fn an_inline_partial_hides_a_file_of_that_name_and_blocks_reach_partials() {
    let files = render(
        &[
            ("p", "file"),
            ("q", "[{{> @partial-block}}]"),
            (
                "t",
                "{{> p}}{{#*inline \"p\"}}inline{{/inline}}{{> p}}{{#> q}}in{{/q}}{{#> none}}else{{/none}}",
            ),
        ],
        &json!({}),
    );
    // `q` alone has no block to show, so the whole set does not render.
    assert_eq!(files.expect_err("q fails").template, "q");
    let set = set(&[
        ("p", "file"),
        ("q", "[{{> @partial-block}}]"),
        ("t", "{{> p}}{{#*inline \"p\"}}inline{{/inline}}{{> p}}{{#> q}}in{{/q}}{{#> none}}else{{/none}}"),
    ])
    .expect("valid");
    assert_eq!(set.render("t", &json!({})).expect("renders"), "fileinline[in]else");
}

#[test]
fn one_failing_file_means_no_files_and_is_named() {
    let error =
        render(&[("a", "fine"), ("b", "x\n {{toUppercase cfg.n}}")], &json!({"cfg": {"n": 1}}))
            .expect_err("b fails");
    assert_eq!(
        error.to_string(),
        "Error rendering \"b\" line 2, col 2: Helper/Decorator $helper_fn_name param with name 0 \
         type mismatch for string"
    );
    assert_eq!(error.explanation, "toUppercase needs a text as parameter 1, but it is a number");
}

#[test]
fn a_template_that_cannot_be_loaded_names_file_line_and_column() {
    let error = set(&[("a.conf", "x\n{{#if cfg.t}}y")]).expect_err("no end");
    assert_eq!(error.to_string(), "a.conf:2:1: {{#if}} is never closed: {{/if}} is missing");
    assert_eq!((error.name(), error.position()), ("a.conf", Some((2, 1))));
}

#[test]
fn the_root_is_prepended_to_package_paths() {
    let source = || [("t".to_owned(), "{{pkgPathFor \"core/zlib\"}}".to_owned())];
    let context = json!({"pkg": {"deps": [
        "nonsense",
        {"origin": "core", "name": "zlib", "version": "1.2", "release": "20240101000000"},
    ]}});
    for (root, wanted) in [
        ("/", "/hab/pkgs/core/zlib/1.2/20240101000000"),
        ("/mnt/x", "/mnt/x/hab/pkgs/core/zlib/1.2/20240101000000"),
        ("/mnt/x/", "/mnt/x/hab/pkgs/core/zlib/1.2/20240101000000"),
    ] {
        let set = TemplateSet::with_root(root, source()).expect("valid");
        assert_eq!(set.render("t", &context).expect("renders"), wanted);
    }
}

#[test]
fn an_unknown_name_is_an_error() {
    let error = set(&[]).expect("empty").render("x", &json!({})).expect_err("unknown");
    assert_eq!(error.to_string(), "Error rendering \"x\": Template not found x");
}
