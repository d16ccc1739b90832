//! Configs and files of groups: accepted when newer and readable.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use roost_ident::GroupFile;
use roost_text::{name, name::NameKind, shown};

use crate::{
    census::{Entry, Unreadable},
    group::GroupConfig,
    input::Input,
    rebuild::{Closed, Context, Decrypt},
};

/// Longest box that is decrypted, in bytes: a configuration of the greatest length in base64.
const BOX_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Accepts configs of higher incarnations. One that cannot be read, or that the caller has not read
/// yet, leaves the former value. Contents of invisible groups are not read.
pub(crate) fn take_configs(
    groups: &mut BTreeMap<String, Entry>,
    context: &Context<'_>,
    input: &Input<'_>,
    decrypt: Decrypt<'_>,
    warnings: &mut Vec<String>,
) {
    for fact in &input.configs {
        let group = fact.group.as_str();
        let Some(entry) = groups.get_mut(group) else { continue };
        let is_seen = context.sees(group);
        if is_seen {
            drop_unreadable(entry, group, context, warnings);
        } else {
            entry.waiting = None;
        }
        let was_closed = entry.closed.remove(&None);
        let taken = entry.group.service_config.as_ref();
        if taken.is_some_and(|taken| taken.incarnation >= fact.incarnation)
            || (!is_seen && fact.encrypted)
            || (!was_closed && is_settled(entry, None, fact.incarnation, input.keys_changed))
        {
            continue;
        }
        let waiting = entry.waiting.take().filter(|it| it.incarnation == fact.incarnation);
        let content = match waiting {
            Some(config) => Ok(config.value),
            None => match open(fact.encrypted, fact.config, decrypt) {
                Err(Closed::Later) => {
                    entry.closed.insert(None);
                    continue;
                }
                Err(Closed::Refused(error)) => Err(error),
                Ok(config) => Ok(context.content(&config, None)),
            },
        };
        let content = content.and_then(|content| {
            let is_asked = is_seen && context.may_ask(&content);
            let error = if is_asked { content.error().map(str::to_owned) } else { None };
            error.map_or(Ok(content), Err)
        });
        match content {
            Ok(value) => {
                let waits = is_seen && !context.may_ask(&value);
                let config = GroupConfig { incarnation: fact.incarnation, value };
                if waits {
                    entry.waiting = Some(config);
                    continue;
                }
                Arc::make_mut(&mut entry.group).service_config = Some(config);
                entry.unreadable.remove(&None);
            }
            Err(error) => {
                if is_news(entry, None, fact.incarnation, fact.encrypted) {
                    warnings.push(ignored_config(group, fact.incarnation, &error));
                }
            }
        }
    }
}

/// Drops a config that was accepted unread and turns out to be invalid.
fn drop_unreadable(
    entry: &mut Entry,
    group: &str,
    context: &Context<'_>,
    warnings: &mut Vec<String>,
) {
    let config = entry.group.service_config.as_ref();
    let Some(config) = config.filter(|config| context.may_ask(&config.value)) else { return };
    let Some(error) = config.value.error() else { return };
    let (incarnation, text) = (config.incarnation, error.to_owned());
    Arc::make_mut(&mut entry.group).service_config = None;
    if is_news(entry, None, incarnation, false) {
        warnings.push(ignored_config(group, incarnation, &text));
    }
}

fn ignored_config(group: &str, incarnation: u64, error: &str) -> String {
    let (group, error) = (shown(group), shown(error));
    format!("Configuration {incarnation} of service group '{group}' is ignored: {error}")
}

/// Accepts files of incarnations above 0 and above the former one, and records their names.
pub(crate) fn take_files(
    groups: &mut BTreeMap<String, Entry>,
    context: &Context<'_>,
    input: &Input<'_>,
    decrypt: Decrypt<'_>,
    warnings: &mut Vec<String>,
) {
    for fact in &input.files {
        let group = fact.group.as_str();
        let Some(entry) = groups.get_mut(group) else { continue };
        let is_seen = context.sees(group);
        let was_closed =
            !entry.closed.is_empty() && entry.closed.remove(&Some(fact.filename.into()));
        let taken = entry.group.service_files.get(fact.filename);
        let is_settled =
            || is_settled(entry, Some(fact.filename), fact.incarnation, input.keys_changed);
        if taken.map_or(0, |taken| taken.incarnation) >= fact.incarnation
            || (!is_seen && fact.encrypted)
            || (!was_closed && is_settled())
        {
            continue;
        }
        // It becomes a file name.
        let named = name::check(NameKind::File, fact.filename).map_err(|error| error.to_string());
        let named = named.map_err(Closed::Refused);
        match named.and_then(|()| open(fact.encrypted, fact.body, decrypt)) {
            Err(Closed::Later) => drop(entry.closed.insert(Some(fact.filename.into()))),
            Ok(body) => {
                let file = GroupFile {
                    filename: fact.filename.into(),
                    incarnation: fact.incarnation,
                    body: body.into_owned().into(),
                };
                let group = Arc::make_mut(&mut entry.group);
                group.changed_service_files.push(file.filename.clone());
                entry.unreadable.remove(&Some(file.filename.clone()));
                group.service_files.insert(file.filename.clone(), file);
            }
            Err(Closed::Refused(error)) => {
                let is_news = is_news(entry, Some(fact.filename), fact.incarnation, fact.encrypted);
                if is_seen && is_news {
                    let (name, group, error) = (shown(fact.filename), shown(group), shown(&error));
                    warnings.push(format!(
                        "File '{name}' {} of service group '{group}' is ignored: {error}",
                        fact.incarnation
                    ));
                }
            }
        }
    }
    for entry in groups.values_mut() {
        if entry.group.changed_service_files.len() > 1 {
            Arc::make_mut(&mut entry.group).changed_service_files.sort();
        }
    }
}

/// True for a version that is known to be unreadable: it is not retried.
fn is_settled(entry: &Entry, filename: Option<&str>, incarnation: u64, keys_changed: bool) -> bool {
    if entry.unreadable.is_empty() {
        return false;
    }
    let known = entry.unreadable.get(&filename.map(Into::into));
    known.is_some_and(|it| it.incarnation == incarnation && !(it.encrypted && keys_changed))
}

/// Records that this version is unreadable; false when that was known.
fn is_news(entry: &mut Entry, filename: Option<&str>, incarnation: u64, encrypted: bool) -> bool {
    let unreadable = Unreadable { incarnation, encrypted };
    entry.unreadable.insert(filename.map(Into::into), unreadable) != Some(unreadable)
}

fn open<'a>(
    encrypted: bool,
    content: &'a [u8],
    decrypt: Decrypt<'_>,
) -> Result<Cow<'a, [u8]>, Closed> {
    match encrypted {
        false => Ok(Cow::Borrowed(content)),
        true if content.len() > BOX_BYTES_MAX => {
            let bytes = content.len();
            Err(Closed::Refused(format!("the box has {bytes} bytes, the limit is {BOX_BYTES_MAX}")))
        }
        true => decrypt(content).map(Cow::Owned),
    }
}
