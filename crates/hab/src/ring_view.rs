//! What the commands `hab ring …` have in common: pages of lists, ages, and cells of tables.

use roost_ident::time::parse_rfc3339_ms;
use roost_text::shown;
use serde_json::Value;

use crate::gateway::Client;

/// Shown for what is not known.
pub(crate) const UNKNOWN: &str = "-";
/// Items of one page.
const PAGE: &str = "1000";

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table
    Table,
    /// The document of the HTTP API
    Json,
}

impl Format {
    /// The document in this format.
    pub(crate) fn show(self, document: &Value, table: impl FnOnce(&Value) -> String) -> String {
        match self {
            Self::Table => table(document),
            Self::Json => format!("{document:#}\n"),
        }
    }
}

/// All items of a list of the v1 API, page by page.
///
/// # Errors
/// See [`Client::json`].
pub(crate) fn all_items(
    client: &Client,
    path: &str,
    filters: &[(&str, &str)],
) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = filters.to_vec();
        query.push(("limit", PAGE));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut page = client.json(path, &query)?;
        items.extend(page["items"].as_array_mut().map(std::mem::take).unwrap_or_default());
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

/// The items of a document that is a list.
pub(crate) fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text of a document in a cell.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| UNKNOWN.into(), |text| shown(text).to_string())
}

/// A list of texts in a cell.
pub(crate) fn texts(value: &Value) -> String {
    let texts: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
    if texts.is_empty() { UNKNOWN.into() } else { texts.join(" ") }
}

/// How long ago a time of a document was, in whole units.
pub(crate) fn age(value: &Value, now_unix_s: u64) -> String {
    let Some(ms) = value.as_str().and_then(parse_rfc3339_ms) else { return UNKNOWN.into() };
    let seconds = now_unix_s.saturating_sub(ms / 1_000);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let time = json!("2026-11-22T15:51:38.900Z");
        let at = 1_795_362_698;
        for (later_s, expected) in
            [(0, "0s"), (119, "119s"), (120, "2m"), (7_199, "119m"), (7_200, "2h"), (172_800, "2d")]
        {
            assert_eq!(age(&time, at + later_s), expected);
        }
        assert_eq!(age(&time, 0), "0s", "a clock that is behind");
        assert_eq!(age(&json!("soon"), at), UNKNOWN);
        assert_eq!(age(&json!(null), at), UNKNOWN);
    }
}
