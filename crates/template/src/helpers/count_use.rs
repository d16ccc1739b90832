//! The hidden helper that charges each use of a repeated part of a template.

use handlebars::{Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext};

use super::value;
use crate::budget::Budget;

/// Its name, which no template can contain.
pub(crate) const COUNT_USE: &str = "(count use)";

pub(super) struct CountUse<'a>(pub(super) &'a Budget);

impl HelperDef for CountUse<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        self.0.spend(value(helper, 0).and_then(serde_json::Value::as_u64).unwrap_or(1))
    }
}
