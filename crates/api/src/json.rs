//! Documents of the v1 API: a value, and its JSON once it was requested.

use std::{ops::Deref, sync::OnceLock};

use serde::Serialize;

use crate::rendered::Rendered;

/// A document with its JSON, which is made for the first request and shared from then on. Two are
/// equal when their values are.
#[derive(Debug, Clone, Default)]
pub struct Json<T> {
    value: T,
    bytes: OnceLock<Rendered>,
}

impl<T: Serialize> Json<T> {
    /// The JSON.
    pub(crate) fn render(&self) -> &Rendered {
        self.bytes.get_or_init(|| Rendered::versioned(to_json(&self.value)))
    }
}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for Json<T> {
    fn from(value: T) -> Self {
        Self { value, bytes: OnceLock::new() }
    }
}

impl<T: PartialEq> PartialEq for Json<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Json<T> {}

/// Compact JSON of a document.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("documents have string keys and no failing serializers")
}
