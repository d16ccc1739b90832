//! `eachAlive`: like `each`, for the members of a group whose Supervisor is alive.

use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy,
    Output, RenderContext, RenderError, RenderErrorReason, Renderable,
};
use serde_json::Value;

pub(super) struct EachAlive;

/// One round of the loop.
struct Round<'a> {
    /// Last segment of the element's path in the list or object.
    segment: String,
    element: &'a Value,
    /// `index` or `key`: name of the loop variable for the round.
    label_name: &'static str,
    /// Value of that variable and of the second block parameter.
    label: Value,
    is_first: bool,
    /// Known for lists only.
    is_last: Option<bool>,
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
        if !param.value().is_truthy(false) {
            return helper
                .inverse()
                .map_or(Ok(()), |inverse| inverse.render(registry, context, rc, out));
        }
        // One scope for all rounds. It refers to the element by path if the list has one, and holds
        // a copy if the list was computed.
        let base = param.context_path();
        rc.push_block(BlockContext::new());
        for round in rounds(param.value())? {
            if let Some(block) = rc.block_mut() {
                if let Some(params) = block_params(helper, base.is_some(), &round)? {
                    block.set_block_params(params);
                }
                if let Some(base) = base {
                    *block.base_path_mut() = base.iter().cloned().chain([round.segment]).collect();
                } else {
                    block.set_base_value(round.element.clone());
                }
                block.set_local_var("first", round.is_first.into());
                if let Some(is_last) = round.is_last {
                    block.set_local_var("last", is_last.into());
                }
                block.set_local_var(round.label_name, round.label);
            }
            body.render(registry, context, rc, out)?;
        }
        rc.pop_block();
        Ok(())
    }
}

/// The alive members of a list, counted from 1, unlike `each`; or the entries of an object that is
/// itself an alive member.
fn rounds(list: &Value) -> Result<Vec<Round<'_>>, RenderError> {
    match list {
        Value::Array(members) => {
            let alive: Vec<_> =
                members.iter().enumerate().filter(|(_, member)| is_alive(member)).collect();
            let count = alive.len();
            let rounds = alive.into_iter().zip(1..).map(|((place, element), number)| Round {
                segment: place.to_string(),
                element,
                label_name: "index",
                label: number.into(),
                is_first: number == 1,
                is_last: Some(number == count),
            });
            Ok(rounds.collect())
        }
        Value::Object(entries) if is_alive(list) => {
            let rounds = entries.iter().enumerate().map(|(place, (key, element))| Round {
                segment: key.clone(),
                element,
                label_name: "key",
                label: key.as_str().into(),
                is_first: place == 0,
                is_last: None,
            });
            Ok(rounds.collect())
        }
        Value::Object(_) => Ok(Vec::new()),
        _ => Err(RenderErrorReason::InvalidParamType("Param type is not iterable.").into()),
    }
}

/// Habitat crashes when `alive` is not a boolean; here that counts as not alive.
fn is_alive(member: &Value) -> bool {
    member.get("alive") == Some(&Value::Bool(true))
}

/// `as |element|` or `as |element label|`; the element by reference where the scope has a path.
fn block_params<'rc>(
    helper: &Helper<'rc>,
    has_path: bool,
    round: &Round<'_>,
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
        params.add_value(name, round.element.clone())?;
    }
    if let Some(label_name) = label_name {
        params.add_value(label_name, round.label.clone())?;
    }
    Ok(Some(params))
}
