//! Configs and files that users gave to groups: taken when newer and readable.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use crate::{
    census::Entry,
    group::{ServiceConfig, ServiceFile},
    input::Input,
    rebuild::Decrypt,
};

/// Takes configs of higher incarnations. One that cannot be read leaves the former value.
pub(crate) fn take_configs(
    groups: &mut BTreeMap<String, Entry>,
    input: &Input<'_>,
    decrypt: Decrypt<'_>,
    warnings: &mut Vec<String>,
) {
    for fact in &input.configs {
        let Some(entry) = groups.get_mut(fact.group.as_str()) else { continue };
        let taken = entry.group.service_config.as_ref();
        if taken.is_some_and(|taken| taken.incarnation >= fact.incarnation) {
            continue;
        }
        let table = open(fact.encrypted, fact.config, decrypt).and_then(|config| parse(&config));
        match table {
            Ok(table) => {
                let value = Arc::new(table);
                let config = ServiceConfig { incarnation: fact.incarnation, value };
                Arc::make_mut(&mut entry.group).service_config = Some(config);
                entry.unreadable.remove(&None);
            }
            Err(error) if is_news(entry, None, fact.incarnation) => warnings.push(format!(
                "Configuration {} of service group '{}' is ignored: {error}",
                fact.incarnation, fact.group
            )),
            Err(_) => {}
        }
    }
}

/// Takes files of higher incarnations than 0 and than the one before, and notes their names.
pub(crate) fn take_files(
    groups: &mut BTreeMap<String, Entry>,
    input: &Input<'_>,
    decrypt: Decrypt<'_>,
    warnings: &mut Vec<String>,
) {
    for fact in &input.files {
        let Some(entry) = groups.get_mut(fact.group.as_str()) else { continue };
        let taken = entry.group.service_files.get(fact.filename);
        if taken.map_or(0, |taken| taken.incarnation) >= fact.incarnation {
            continue;
        }
        match open(fact.encrypted, fact.body, decrypt) {
            Ok(body) => {
                let file = ServiceFile {
                    filename: fact.filename.into(),
                    incarnation: fact.incarnation,
                    body: body.into(),
                };
                let group = Arc::make_mut(&mut entry.group);
                group.changed_service_files.push(file.filename.clone());
                entry.unreadable.remove(&Some(file.filename.clone()));
                group.service_files.insert(file.filename.clone(), file);
            }
            Err(error) if is_news(entry, Some(fact.filename), fact.incarnation) => {
                warnings.push(format!(
                    "File '{}' {} of service group '{}' is ignored: {error}",
                    fact.filename, fact.incarnation, fact.group
                ));
            }
            Err(_) => {}
        }
    }
    for entry in groups.values_mut() {
        if entry.group.changed_service_files.len() > 1 {
            Arc::make_mut(&mut entry.group).changed_service_files.sort();
        }
    }
}

/// Remembers that this incarnation cannot be read; false when that was known.
fn is_news(entry: &mut Entry, filename: Option<&str>, incarnation: u64) -> bool {
    entry.unreadable.insert(filename.map(Into::into), incarnation) != Some(incarnation)
}

fn open<'a>(
    encrypted: bool,
    content: &'a [u8],
    decrypt: Decrypt<'_>,
) -> Result<Cow<'a, [u8]>, String> {
    if encrypted { decrypt(content).map(Cow::Owned) } else { Ok(Cow::Borrowed(content)) }
}

fn parse(config: &[u8]) -> Result<toml::Table, String> {
    let text = std::str::from_utf8(config).map_err(|error| error.to_string())?;
    // The first line of the error tells where; the rest would show the content in the log.
    text.parse().map_err(|error: toml::de::Error| {
        let place = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
        format!("invalid TOML, line {place}: {}", error.message())
    })
}
