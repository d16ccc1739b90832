//! Parsed templates that can include each other: the files of one `config/` tree, or one hook.

use std::collections::BTreeMap;

use handlebars::{Context, RenderContext, Renderable, template::Template};
use serde_json::Value;

use crate::{
    budget::{BoundedOutput, Budget},
    compile::{self, Compiled},
    error::{RenderError, TemplateError},
    helpers,
};

/// Parsed templates by name; each can include the others as `{{> name}}`.
///
/// Holds only the parsed templates: helpers are registered for each rendering.
#[derive(Debug, Clone)]
pub struct TemplateSet {
    root: Box<str>,
    templates: BTreeMap<String, Template>,
    uses_partials: bool,
}

impl TemplateSet {
    /// Parses templates, given as name (path relative to `config/`, or the hook's name) and text,
    /// for a root of `/`.
    ///
    /// # Errors
    /// The first template, in the given order, that is not valid or exceeds a limit.
    pub fn new(sources: impl IntoIterator<Item = (String, String)>) -> Result<Self, TemplateError> {
        Self::with_root("/", sources)
    }

    /// Like [`TemplateSet::new`], for a Supervisor whose `/hab` is below `root` (`FS_ROOT`):
    /// `pkgPathFor` prepends it to its paths.
    ///
    /// # Errors
    /// As [`TemplateSet::new`].
    pub fn with_root(
        root: &str,
        sources: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TemplateError> {
        let mut templates = BTreeMap::new();
        let mut uses_partials = false;
        for (name, text) in sources {
            let Compiled { template, has_partials } = compile::compile(&name, &text)?;
            uses_partials |= has_partials;
            templates.insert(name, template);
        }
        if uses_partials {
            templates.values_mut().for_each(compile::count_uses);
        }
        Ok(Self { root: root.trim_end_matches('/').into(), templates, uses_partials })
    }

    /// Names of the templates, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.keys().map(String::as_str)
    }

    /// True when there are no templates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// Renders every template, sorted by name. All or nothing: if one fails there is no result, so
    /// that the caller never writes a partial configuration.
    ///
    /// # Errors
    /// The first template, by name, that fails or exceeds a limit.
    pub fn render_all(&self, context: &Value) -> Result<Vec<(String, String)>, RenderError> {
        let context = Context::from(context.clone());
        self.templates
            .iter()
            .map(|(name, template)| Ok((name.clone(), self.render_one(name, template, &context)?)))
            .collect()
    }

    /// Renders one template.
    ///
    /// # Errors
    /// No such template, or it fails or exceeds a limit.
    pub fn render(&self, name: &str, context: &Value) -> Result<String, RenderError> {
        let template = self.templates.get(name).ok_or_else(|| RenderError {
            template: name.to_owned(),
            position: None,
            reason: format!("Template not found {name}"),
            explanation: format!("there is no template '{name}'"),
        })?;
        self.render_one(name, template, &Context::from(context.clone()))
    }

    fn render_one(
        &self,
        name: &str,
        template: &Template,
        context: &Context,
    ) -> Result<String, RenderError> {
        let budget = Budget::new();
        let registry = helpers::registry(&self.root, &budget);
        let mut render_context = RenderContext::new(None);
        if let Some(block) = render_context.block_mut().filter(|_| self.uses_partials) {
            // As partials of the outermost block the files are found like a registry's templates,
            // without a registry that owns them.
            for (name, template) in &self.templates {
                block.set_local_partial(name.clone(), template);
            }
        }
        let mut output = BoundedOutput::new();
        template
            .render(&registry, context, &mut render_context, &mut output)
            .map_err(|error| RenderError::new(name, &error))?;
        Ok(output.into_text())
    }
}
