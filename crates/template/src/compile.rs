//! Parses a template within limits, and charges each use of its repeated parts.

use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};

use crate::{
    error::TemplateError,
    helpers::COUNT_USE,
    limits::{
        MAX_BACKSLASHES, MAX_ELSE_LINKS, MAX_NESTING, MAX_PARSE_WORK, MAX_TEMPLATE_BYTES,
        TEXT_BYTES_PER_STEP,
    },
};

/// A parsed template.
pub(crate) struct Compiled {
    pub(crate) template: Template,
    /// True when it includes a partial.
    pub(crate) has_partials: bool,
}

/// Parses a template; bodies of loops and inline partials count their uses.
pub(crate) fn compile(name: &str, source: &str) -> Result<Compiled, TemplateError> {
    if source.len() > MAX_TEMPLATE_BYTES {
        return Err(TemplateError::refused(
            name,
            format!("{} bytes are too long, allowed are {MAX_TEMPLATE_BYTES}", source.len()),
        ));
    }
    if source.len().saturating_mul(source.matches("{{").count()) > MAX_PARSE_WORK {
        return Err(TemplateError::refused(
            name,
            format!("too many tags for {} bytes; split the file by {{{{> name}}}}", source.len()),
        ));
    }
    if source.split(|c| c != '\\').any(|run| run.len() > MAX_BACKSLASHES) {
        let reason = format!("more than {MAX_BACKSLASHES} backslashes in a row");
        return Err(TemplateError::refused(name, reason));
    }
    if else_links(source) > MAX_ELSE_LINKS {
        return Err(TemplateError::refused(
            name,
            format!("more than {MAX_ELSE_LINKS} {{{{else if ...}}}} in one template"),
        ));
    }
    let mut template = Template::compile_with_name(source, name.to_owned())
        .map_err(|error| TemplateError::of_syntax(name, source, &error))?;
    let mut walk = Walk { has_partials: false, too_deep: false };
    walk.template(&mut template, 0);
    if walk.too_deep {
        return Err(TemplateError::refused(
            name,
            format!("blocks or subexpressions are nested more than {MAX_NESTING} deep"),
        ));
    }
    Ok(Compiled { template, has_partials: walk.has_partials })
}

/// Number of tags that start with `else` or `^`, an upper bound for the links of one else chain.
fn else_links(source: &str) -> usize {
    source
        .split("{{")
        .skip(1)
        .map(|tag| tag.trim_start_matches(['~', ' ', '\t', '\r', '\n']))
        .filter_map(|tag| tag.strip_prefix("else").or_else(|| tag.strip_prefix('^')))
        .filter(|tag| !tag.trim_start_matches(['~', ' ', '\t', '\r', '\n']).starts_with("}}"))
        .count()
}

/// Visits all elements of a parsed template down to [`MAX_NESTING`], and releases the spare
/// capacity of the parser's lists.
///
/// It need not go deeper: the parser recurses with far larger frames and refuses templates that
/// exceed its stack, so dropping its result is safe.
struct Walk {
    has_partials: bool,
    too_deep: bool,
}

impl Walk {
    fn template(&mut self, template: &mut Template, depth: usize) {
        if depth > MAX_NESTING {
            self.too_deep = true;
            return;
        }
        for element in &mut template.elements {
            self.element(element, depth);
        }
        template.elements.shrink_to_fit();
        template.mapping.shrink_to_fit();
    }

    fn element(&mut self, element: &mut TemplateElement, depth: usize) {
        use TemplateElement as E;
        match element {
            E::Expression(helper) | E::HtmlExpression(helper) | E::HelperBlock(helper) => {
                self.parameters(&mut helper.name, &mut helper.params, depth);
                helper.hash.values_mut().for_each(|value| self.parameter(value, depth));
                let repeats = matches!(helper.name.as_name(), Some("each" | "eachAlive"));
                if let Some(body) = &mut helper.template {
                    self.template(body, depth + 1);
                    if repeats {
                        count_uses(body);
                    }
                }
                if let Some(inverse) = &mut helper.inverse {
                    self.template(inverse, depth + 1);
                }
            }
            E::DecoratorExpression(decorator)
            | E::DecoratorBlock(decorator)
            | E::PartialExpression(decorator)
            | E::PartialBlock(decorator) => {
                self.parameters(&mut decorator.name, &mut decorator.params, depth);
                decorator.hash.values_mut().for_each(|value| self.parameter(value, depth));
                if let Some(body) = &mut decorator.template {
                    self.template(body, depth + 1);
                    count_uses(body);
                }
                self.has_partials |=
                    matches!(element, E::PartialExpression(_) | E::PartialBlock(_));
            }
            _ => {}
        }
    }

    fn parameters(&mut self, name: &mut Parameter, params: &mut [Parameter], depth: usize) {
        self.parameter(name, depth);
        params.iter_mut().for_each(|param| self.parameter(param, depth));
    }

    fn parameter(&mut self, parameter: &mut Parameter, depth: usize) {
        match parameter {
            Parameter::Subexpression(_) if depth >= MAX_NESTING => self.too_deep = true,
            Parameter::Subexpression(inner) => self.element(&mut inner.element, depth + 1),
            _ => {}
        }
    }
}

/// Inserts a call of the helper [`COUNT_USE`] at the start of a body, with its price as argument.
pub(crate) fn count_uses(body: &mut Template) {
    let Some(place) = body.mapping.first().cloned() else { return };
    let text: usize = body
        .elements
        .iter()
        .map(|element| match element {
            TemplateElement::RawString(text) => text.len(),
            _ => 0,
        })
        .sum();
    // The crate can make an element only by parsing one.
    let Ok(parsed) = Template::compile(&format!("{{{{x {}}}}}", 1 + text / TEXT_BYTES_PER_STEP))
    else {
        return;
    };
    let Some(TemplateElement::Expression(mut call)) = parsed.elements.into_iter().next() else {
        return;
    };
    rename(&mut call);
    body.elements.insert(0, TemplateElement::Expression(call));
    body.mapping.insert(0, place);
}

fn rename(call: &mut HelperTemplate) {
    call.name = Parameter::Name(COUNT_USE.to_owned());
}
