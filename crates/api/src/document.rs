//! A value and its rendered forms: each form is made at most once, when it is first asked for,
//! and shared from then on.

use std::{
    fmt,
    sync::{LazyLock, OnceLock},
};

use crate::{
    documents::{Butterfly, Census, HealthDocument, ServiceDocument},
    json::to_json,
    rendered::Rendered,
    toml_form,
};

/// A form a document can be rendered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Compact JSON, the default.
    Json,
    /// TOML, on request.
    Toml,
    /// Plain text, on request, where there is such a form.
    Text,
}

/// An immutable value and its forms.
pub struct Document<T> {
    value: LazyLock<T, Box<dyn FnOnce() -> T + Send>>,
    forms: Forms,
}

/// The forms of a document, each empty until it is requested.
#[derive(Default)]
pub(crate) struct Forms {
    json: OnceLock<Rendered>,
    toml: OnceLock<Rendered>,
    text: OnceLock<Rendered>,
}

impl Forms {
    pub(crate) fn get_or_render(
        &self,
        format: Format,
        render: impl FnOnce() -> Rendered,
    ) -> &Rendered {
        let form = match format {
            Format::Json => &self.json,
            Format::Toml => &self.toml,
            Format::Text => &self.text,
        };
        form.get_or_init(render)
    }
}

impl<T: Send + 'static> Document<T> {
    /// Takes a value; nothing is rendered yet.
    pub fn new(value: T) -> Self {
        Self::deferred(|| value)
    }
}

impl<T> Document<T> {
    /// A value that is made when it is first asked for: one that is large and often replaced
    /// before anybody has asked.
    pub fn deferred(make: impl FnOnce() -> T + Send + 'static) -> Self {
        Self { value: LazyLock::new(Box::new(make)), forms: Forms::default() }
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }
}

impl<T: Render> Document<T> {
    /// The bytes of a form, rendered when it is first asked for.
    pub fn render(&self, format: Format) -> &Rendered {
        self.forms.get_or_render(format, || Rendered::new(self.value.to_form(format)))
    }
}

impl<T: Send + 'static> From<T> for Document<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Document<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// A value that has the three forms. One without a text form of its own gives its JSON.
pub trait Render {
    /// The bytes of one form.
    fn to_form(&self, format: Format) -> Vec<u8>;
}

macro_rules! structured {
    ($($document:ty),+) => {
        $(impl Render for $document {
            fn to_form(&self, format: Format) -> Vec<u8> {
                match format {
                    Format::Json | Format::Text => to_json(self),
                    Format::Toml => toml_form::of(self).into_bytes(),
                }
            }
        })+
    };
}

structured!(ServiceDocument, Census, Butterfly);

impl Render for HealthDocument {
    fn to_form(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Json => to_json(self),
            Format::Toml => toml_form::of(self).into_bytes(),
            Format::Text => self.to_text().into_bytes(),
        }
    }
}
