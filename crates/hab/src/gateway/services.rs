//! The services that a Supervisor has loaded: Roost's list, which needs the scope `read` alone, or
//! Habitat's.

use roost_ident::ServiceGroup;
use serde_json::Value;

use super::{Client, refused};

/// Services on one page.
const PAGE: &str = "1000";
/// Most pages that are read.
const PAGES_MAX: usize = 100;

impl Client {
    /// Identifiers without version, and groups.
    ///
    /// # Errors
    /// [`Refused`](super::Refused) when there is no list, and errors of the connection.
    pub(crate) fn services(&self) -> anyhow::Result<Vec<(String, ServiceGroup)>> {
        let mut services = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = self.get("/v1/services", &query)?;
            if answer.status == 404 && cursor.is_none() {
                return self.services_of_habitat();
            }
            if answer.status != 200 {
                return Err(refused(&answer).into());
            }
            let page: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            services.extend(on_page(&page));
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(services)
    }

    fn services_of_habitat(&self) -> anyhow::Result<Vec<(String, ServiceGroup)>> {
        let answer = self.get("/services", &[])?;
        if answer.status != 200 {
            return Err(refused(&answer).into());
        }
        Ok(in_list(&serde_json::from_str(&answer.body).unwrap_or_default()))
    }
}

fn on_page(page: &Value) -> Vec<(String, ServiceGroup)> {
    let service = |service: &Value| {
        let mut parts = service["package"].as_str()?.split('/');
        let ident = format!("{}/{}", parts.next()?, parts.next()?);
        Some((ident, service["id"].as_str()?.parse().ok()?))
    };
    page["items"].as_array().into_iter().flatten().filter_map(service).collect()
}

fn in_list(list: &Value) -> Vec<(String, ServiceGroup)> {
    let service = |service: &Value| {
        let part = |key: &str| service["pkg"][key].as_str();
        let ident = format!("{}/{}", part("origin")?, part("name")?);
        Some((ident, service["service_group"].as_str()?.parse().ok()?))
    };
    list.as_array().into_iter().flatten().filter_map(service).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_lists_name_the_same_services_and_other_text_names_none() {
        let group = "web.default".parse::<ServiceGroup>().expect("a group");
        let expected = vec![("acme/web".to_owned(), group)];
        let page = json!({ "items": [
            { "id": "web.default", "package": "acme/web/1.0.0/20250101000000" },
            { "id": 1 },
        ] });
        assert_eq!(on_page(&page), expected);
        let list = json!([
            { "pkg": { "origin": "acme", "name": "web" }, "service_group": "web.default" },
            { "pkg": {} },
        ]);
        assert_eq!(in_list(&list), expected);
        for other in [Value::Null, json!("<html>"), json!([1]), json!({ "items": 1 })] {
            assert!(on_page(&other).is_empty() && in_list(&other).is_empty());
        }
    }
}
