//! `eachAlive`: like `each`, for the members of a group whose Supervisor is alive.

use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy,
    Output, PathAndJson, RenderContext, RenderError, RenderErrorReason, Renderable, Template,
};
use serde_json::Value;

pub(super) struct EachAlive;

/// One round of the loop.
struct Round<'a> {
    /// Last segment of the element's path in the list or object.
    segment: String,
    /// What `@index` or `@key` and the second block parameter show.
    label: Value,
    element: &'a Value,
}

impl HelperDef for EachAlive {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param =
            helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("eachAlive", 0))?;
        let Some(body) = helper.template() else { return Ok(()) };
        let list = param.value();
        match list {
            empty if !empty.is_truthy(false) => helper
                .inverse()
                .map_or(Ok(()), |inverse| inverse.render(registry, context, rc, out)),
            Value::Array(members) => {
                // Counted from 1, unlike `each`, and over the living only.
                let rounds: Vec<_> = members
                    .iter()
                    .enumerate()
                    .filter(|(_, member)| is_alive(member))
                    .zip(1_u64..)
                    .map(|((place, element), number)| Round {
                        segment: place.to_string(),
                        label: number.into(),
                        element,
                    })
                    .collect();
                let last = rounds.len().saturating_sub(1);
                run(
                    helper,
                    param,
                    rounds,
                    body,
                    registry,
                    context,
                    rc,
                    out,
                    |block, index, label| {
                        block.set_local_var("first", (index == 0).into());
                        block.set_local_var("last", (index == last).into());
                        block.set_local_var("index", label);
                    },
                )
            }
            Value::Object(members) if is_alive(list) => {
                let rounds = members
                    .iter()
                    .map(|(key, element)| Round {
                        segment: key.clone(),
                        label: key.as_str().into(),
                        element,
                    })
                    .collect();
                run(
                    helper,
                    param,
                    rounds,
                    body,
                    registry,
                    context,
                    rc,
                    out,
                    |block, index, label| {
                        block.set_local_var("first", (index == 0).into());
                        block.set_local_var("key", label);
                    },
                )
            }
            Value::Object(_) => Ok(()),
            _ => Err(RenderErrorReason::InvalidParamType("Param type is not iterable.").into()),
        }
    }
}

/// Habitat crashes when `alive` is no boolean; here that is not alive.
fn is_alive(member: &Value) -> bool {
    member.get("alive") == Some(&Value::Bool(true))
}

/// Renders the body once per round, in one scope of its own.
fn run<'reg: 'rc, 'rc>(
    helper: &Helper<'rc>,
    param: &PathAndJson<'rc>,
    rounds: Vec<Round<'_>>,
    body: &'rc Template,
    registry: &'reg Handlebars<'reg>,
    context: &'rc Context,
    rc: &mut RenderContext<'reg, 'rc>,
    out: &mut dyn Output,
    set_variables: impl Fn(&mut BlockContext<'rc>, usize, Value),
) -> HelperResult {
    rc.push_block(BlockContext::new());
    for (index, round) in rounds.into_iter().enumerate() {
        if let Some(block) = rc.block_mut() {
            let base = param.context_path();
            if let Some(base) = base {
                *block.base_path_mut() = base.iter().cloned().chain([round.segment]).collect();
            } else {
                block.set_base_value(round.element.clone());
            }
            if let Some(params) = block_params(helper, base.is_some(), &round.label, round.element)?
            {
                block.set_block_params(params);
            }
            set_variables(block, index, round.label);
        }
        body.render(registry, context, rc, out)?;
    }
    rc.pop_block();
    Ok(())
}

/// `as |value|` or `as |value label|`; the value by reference where the scope has a path.
fn block_params<'rc>(
    helper: &Helper<'rc>,
    has_path: bool,
    label: &Value,
    element: &Value,
) -> Result<Option<BlockParams<'rc>>, RenderError> {
    let (name, label_name) = match (helper.block_param(), helper.block_param_pair()) {
        (Some(name), _) => (name, None),
        (None, Some((name, label_name))) => (name, Some(label_name)),
        (None, None) => return Ok(None),
    };
    let mut params = BlockParams::new();
    if has_path {
        params.add_path(name, Vec::new())?;
    } else {
        params.add_value(name, element.clone())?;
    }
    if let Some(label_name) = label_name {
        params.add_value(label_name, label.clone())?;
    }
    Ok(Some(params))
}
