//! `pkgPathFor`: the install directory of a dependency of the running package.

use handlebars::{Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext};
use roost_ident::PackageIdent;
use serde_json::Value;

use super::value;
use crate::budget::refusal;

pub(super) struct PkgPathFor<'a> {
    /// Prefix of `/hab`; empty for a root of `/`.
    pub(super) root: &'a str,
}

impl HelperDef for PkgPathFor<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let wanted: PackageIdent = value(helper, 0)
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| refusal("Invalid package identifier for \"pkgPathFor\"".into()))?;
        // Habitat crashes without `pkg.deps`, which only `hab plan render` can cause; here that is
        // a package without dependencies.
        let deps = context.data().pointer("/pkg/deps").and_then(Value::as_array);
        let found = deps
            .into_iter()
            .flatten()
            .filter_map(|dep| serde::Deserialize::deserialize(dep).ok())
            .find(|dep: &PackageIdent| dep.satisfies(&wanted));
        if let Some(dep) = found {
            out.write(&format!("{}/hab/pkgs/{dep}", self.root))?;
        }
        Ok(())
    }
}
