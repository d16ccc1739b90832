//! `/services/{name}/{group}/health` (reference: http-api §11).

use roost_ident::HealthStatus;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

/// The last health check of a service and what it printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Health)]
pub struct HealthDocument {
    /// Spelled in capitals here, unlike in the service document.
    #[serde(serialize_with = "in_capitals", deserialize_with = "from_capitals")]
    #[schema(schema_with = capitals)]
    pub status: HealthStatus,
    /// What the check wrote to its standard output.
    pub stdout: String,
    /// What the check wrote to its standard error.
    pub stderr: String,
}

fn in_capitals<S: Serializer>(status: &HealthStatus, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.upper())
}

/// The words that [`in_capitals`] writes.
fn capitals() -> Object {
    let words = HealthStatus::ALL.iter().map(|status| status.upper());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some("The result; it also decides the HTTP status: 200, 200, 503, 500."))
        .build()
}

fn from_capitals<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HealthStatus, D::Error> {
    let word = String::deserialize(deserializer)?;
    HealthStatus::ALL
        .iter()
        .copied()
        .find(|status| status.upper() == word)
        .ok_or_else(|| de::Error::custom(format_args!("'{word}' is not a health status")))
}

impl HealthDocument {
    /// The text form: the status word, then both outputs, each ended by a newline if not empty.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.stdout.len() + self.stderr.len() + 16);
        for part in [self.status.upper(), &self.stdout, &self.stderr] {
            text.push_str(part);
            if !part.is_empty() && !part.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_status_word_first_and_ends_each_part_with_a_newline() {
        let health = HealthDocument {
            status: HealthStatus::Warning,
            stdout: "slow\n".into(),
            stderr: "disk 91 %".into(),
        };
        assert_eq!(health.to_text(), "WARNING\nslow\ndisk 91 %\n");
        assert_eq!(HealthDocument::default().to_text(), "UNKNOWN\n");
    }
}
